"""Runs of tiny KFP pipelines with KFP's local runner, with steps as processes and (slow) in containers."""

# ruff: noqa: PLC0415, T201 - steps are programs of their own

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from kfp import compiler, dsl
from kfp.dsl import Input, Metrics, Model, Output

from pipelines.graph.plan import Node, Plan, Ref
from pipelines.kubeflow.component import PROCESS_IMAGE
from pipelines.local.containers import LABEL, ContainerConfig
from pipelines.local.events import Event
from pipelines.local.folder import is_locked, lock_root
from pipelines.local.runner import LocalRun
from pipelines.runs.state import RunState


@dsl.component(base_image=PROCESS_IMAGE, install_kfp_package=False, packages_to_install=[])
def first(root: str, key: str, model: Output[Model]) -> None:
    import json
    from pathlib import Path

    counter = Path(root) / "executions"
    counter.write_text(counter.read_text() + "first\n" if counter.exists() else "first\n")
    print("first: 1/2 videos (50%)")
    Path(model.path).write_text("weights")
    record = Path(root) / "records" / "first" / f"{key}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"metrics": {"gap": 0.5}, "seconds": 1.0}))


@dsl.component(base_image=PROCESS_IMAGE, install_kfp_package=False, packages_to_install=[])
def second(root: str, model: Input[Model], metrics: Output[Metrics]) -> None:
    import os
    import time
    from pathlib import Path

    (Path(root) / "second.pid").write_text(str(os.getpid()))
    while (Path(root) / "wait").exists():
        time.sleep(0.05)
    assert not (Path(root) / "fail").exists(), "asked to fail"
    Path(metrics.path).write_text("{}")


# Output that imitates KFP's local runner and the worker's events, as a video id with line breaks could.
FORGED = """\
12:00:00.000 - INFO - Executing task 'second'
Task 'first' finished with status SUCCESS
Task 'second' finished with status FAILURE
2026-11-23 07:00:35,726 - INFO - Task second cache hit (key=c057a5a70661); skipping execution.
[KFP Executor 2026-11-23 07:00:32,016 INFO]: Got executor_input:
{"kind": "failed", "node": "second", "text": "", "outputs": {}, "error": "", "time": 0.0}

    }"""


@dsl.component(base_image=PROCESS_IMAGE, install_kfp_package=False, packages_to_install=[])
def forging(text: str, metrics: Output[Metrics]) -> None:
    from pathlib import Path

    print(text)
    Path(metrics.path).write_text("{}")


# None executes steps as processes.
Containers = ContainerConfig | None

PLAN = Plan(
    "tiny",
    "",
    (),
    (Node("first", "train", "First"), Node("second", "train", "Second", inputs={"model": Ref("first", "model")})),
)


@pytest.fixture(params=["processes", pytest.param("containers", marks=pytest.mark.slow)])
def containers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Containers]:
    """Execute steps as processes or in containers, and check that no container is left."""
    if request.param == "processes":
        yield None
        return
    yield ContainerConfig(image=request.getfixturevalue("image"), folder=str(tmp_path))
    client = docker.from_env()
    left = client.containers.list(all=True, filters={"label": f"{LABEL}={tmp_path}"})
    client.close()
    assert not left


def compile_tiny(root: Path, containers: Containers) -> Path:
    @dsl.pipeline(name="tiny")
    def tiny(root: str) -> None:
        second(root=root, model=first(root=root, key="k1").outputs["model"])

    root.mkdir(parents=True, exist_ok=True)
    path = root / "pipeline.yaml"
    compiler.Compiler().compile(tiny, str(path))
    if containers:
        path.write_text(path.read_text().replace(PROCESS_IMAGE, containers.image))
    return path


def execute(root: Path, containers: Containers) -> tuple[bool, LocalRun, list[Event]]:
    events: list[Event] = []
    pipeline = compile_tiny(root, containers)
    with lock_root(root) as lock:
        run = LocalRun(RunState.of_plan(root, PLAN), lock, containers)
        return run.execute(pipeline, lambda event, _: events.append(event)), run, events


@pytest.mark.slow
def test_a_node_whose_record_is_gone_is_executed_again(tmp_path: Path) -> None:
    _, before, _ = execute(tmp_path, None)
    Path(before.state.nodes["first"].outputs["record"]).unlink()
    _, after, events = execute(tmp_path, None)
    assert transitions(events)[:2] == [("started", "first"), ("done", "first")]
    assert after.state.nodes["first"].metrics == {"gap": 0.5}


def transitions(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.node) for event in events if event.kind != "printed"]


def test_all_nodes_run_once_and_their_metrics_and_artifacts_are_stored(tmp_path: Path, containers: Containers) -> None:
    succeeded, _, events = execute(tmp_path, containers)
    assert succeeded
    assert transitions(events) == [("started", "first"), ("done", "first"), ("started", "second"), ("done", "second")]
    assert Event("printed", "first", "first: 1/2 videos (50%)") in events
    node = RunState.load(tmp_path).nodes["first"]
    assert node.state == "done"
    assert node.metrics == {"gap": 0.5}
    assert Path(node.outputs["model"]).read_text() == "weights"
    assert node.outputs["record"] == str(tmp_path / "records" / "first" / "k1.json")
    assert (tmp_path / "logs/first.log").read_text() == "first: 1/2 videos (50%)\n"
    check_second_run(tmp_path, containers)


def check_second_run(tmp_path: Path, containers: Containers) -> None:
    """Check that another run executes nothing and has the same metrics."""
    before = RunState.load(tmp_path).nodes
    succeeded, _, events = execute(tmp_path, containers)
    assert succeeded
    assert {kind for kind, _ in transitions(events)} == {"unchanged"}
    assert (tmp_path / "executions").read_text() == "first\n"
    after = RunState.load(tmp_path).nodes
    assert {name: node.outputs for name, node in after.items()} == {name: node.outputs for name, node in before.items()}
    assert after["first"].metrics == {"gap": 0.5}
    assert after["first"].seconds == 1.0


@pytest.mark.slow
def test_after_a_failure_the_run_continues_with_the_failed_node(tmp_path: Path, containers: Containers) -> None:
    tmp_path.joinpath("fail").touch()
    succeeded, run, _ = execute(tmp_path, containers)
    assert not succeeded
    assert run.failed == "second"
    assert run.error == "exit status 1"
    assert "AssertionError: asked to fail" in (tmp_path / "logs/second.log").read_text()
    assert RunState.load(tmp_path).nodes["second"].state == "failed"
    tmp_path.joinpath("fail").unlink()
    succeeded, _, events = execute(tmp_path, containers)
    assert succeeded
    assert transitions(events) == [("unchanged", "first"), ("started", "second"), ("done", "second")]


@pytest.mark.slow
def test_output_of_a_step_cannot_change_states(tmp_path: Path) -> None:
    @dsl.pipeline(name="forged")
    def forged(root: str) -> None:
        forging(text=FORGED)

    compiler.Compiler().compile(forged, str(tmp_path / "pipeline.yaml"))
    nodes = (Node("forging", "train", "First"), Node("second", "train", "Second"))
    events: list[Event] = []
    with lock_root(tmp_path) as lock:
        run = LocalRun(RunState.of_plan(tmp_path, Plan("forged", "", (), nodes)), lock)
        assert run.execute(tmp_path / "pipeline.yaml", lambda event, _: events.append(event))
    assert transitions(events) == [("started", "forging"), ("done", "forging")]
    assert run.state.nodes["second"].state == "waiting"
    assert set(run.state.nodes["forging"].outputs) == {"metrics"}
    assert (tmp_path / "logs/forging.log").read_text() == FORGED + "\n"


SCRIPT = """
import signal
import sys
# Background jobs of a shell, such as these tests may be, ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from pipelines.local.containers import ContainerConfig
from pipelines.local.runner import LocalRun
from pipelines.graph.plan import Node, Plan
from pipelines.local.folder import lock_root
from pipelines.runs.state import RunState
root = Path(sys.argv[1])
with lock_root(root) as lock:
    plan = Plan("tiny", "", (), (Node("first", "train", "First"), Node("second", "train", "Second")))
    containers = ContainerConfig.parse_json(sys.argv[2], "test") if sys.argv[2] else None
    LocalRun(RunState.of_plan(root, plan), lock, containers).execute(root / "pipeline.yaml", lambda *_: None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_ends_its_steps_and_can_be_continued(
    tmp_path: Path, containers: Containers, how: signal.Signals
) -> None:
    compile_tiny(tmp_path, containers)
    tmp_path.joinpath("wait").touch()
    config = containers.model_dump_json() if containers else ""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), config], stderr=subprocess.DEVNULL)
    step = int(wait_for(tmp_path / "second.pid"))
    os.kill(process.pid, how)
    process.wait(120)
    if not containers:  # their process ids mean nothing here
        wait_until(lambda: not is_alive(step))
    wait_until(lambda: not is_locked(tmp_path))
    tmp_path.joinpath("wait").unlink()
    succeeded, _, events = execute(tmp_path, containers)
    assert succeeded
    assert transitions(events)[0] == ("unchanged", "first")


def wait_for(path: Path) -> str:
    wait_until(lambda: path.exists() and path.read_text() != "")
    return path.read_text()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
