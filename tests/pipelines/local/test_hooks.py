"""Events of KFP's local runner, and a guard against changes of the functions in KFP that the hooks rely on."""

import hashlib
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import docker
import pytest
from kfp import dsl, local
from kfp.dsl import Artifact, Metrics, Output
from kfp.local import cache, config, docker_task_handler, subprocess_task_handler, task_dispatcher
from kfp.local.orchestrator import dag_orchestrator, enhanced_dag_orchestrator, task_executor

from pipelines.kubeflow.component import PROCESS_IMAGE
from pipelines.local.events import Event
from pipelines.local.hooks import install_hooks

# Replaced functions, and functions that call them, with digests of their source in KFP 2.17.0.
FUNCTIONS = {
    task_executor.execute_single_task: "ee78ffed032b5fdd",
    task_dispatcher.run_single_task_implementation: "352b81d11542f64a",
    cache.LocalCache.compute_key: "8c14d7d250e14a65",
    cache.LocalCache.get: "cfd1a9011683a621",
    subprocess_task_handler.run_local_subprocess: "4f82b209ba51fc9e",
    subprocess_task_handler.SubprocessTaskHandler.run: "c79dba3c8c4ca0b5",
    docker_task_handler.run_docker_container: "63183d16a5ae3514",
    docker_task_handler.DockerTaskHandler.run: "6c945c7c91445b7f",
    dag_orchestrator.run_dag: "258e7341b58f5b0c",
    enhanced_dag_orchestrator.execute_task: "652a78d0084c9a8f",
}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_kfp_s_functions_have_not_changed(function: Callable[..., Any]) -> None:
    digest = hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]
    assert digest == FUNCTIONS[function], (
        f"KFP's {function.__qualname__} has changed: check that the hooks still see every task's start, output and end."
    )


class LocalContainer:
    """A container that is a process of this machine."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._command = [part.replace("python3", sys.executable) for part in command]
        self._environment = {**os.environ, **environment}

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._output, _ = self._process.communicate()

    def logs(self, *, stream: bool = False, **_: Any) -> list[bytes] | bytes:
        return [self._output[:9], self._output[9:-1]] if stream else self._output

    def wait(self) -> dict[str, int]:
        return {"StatusCode": self._process.returncode}

    def remove(self, *, force: bool) -> None:
        pass


@dsl.component(base_image=PROCESS_IMAGE, install_kfp_package=False, packages_to_install=[])
def step(fail: bool, metrics: Output[Metrics]) -> None:
    import os  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    print("hello", os.environ["YT8M_TEST"])  # noqa: T201
    assert not fail
    Path(metrics.path).write_text("{}")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Event]:
    """Install the hooks, with a Docker engine whose containers are processes, and return the list of events."""
    for module, name in (
        (task_executor, "execute_single_task"),
        (task_dispatcher, "run_single_task_implementation"),
        (cache.LocalCache, "compute_key"),
        (cache.LocalCache, "get"),
        (subprocess_task_handler, "run_local_subprocess"),
        (docker_task_handler, "run_docker_container"),
        (config.LocalExecutionConfig, "instance"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    client = MagicMock()
    client.containers.create = lambda _image, command, environment, **_: LocalContainer(command, environment)
    monkeypatch.setattr(docker, "from_env", lambda: client)
    reported: list[Event] = []
    install_hooks(reported.append)
    local.init(local.DockerRunner(environment={"YT8M_TEST": "seen"}), pipeline_root=str(tmp_path), enable_caching=True)
    return reported


@dsl.component(base_image=PROCESS_IMAGE, install_kfp_package=False, packages_to_install=[])
def reader(root: str, records: str, summary: Output[Artifact]) -> None:
    from pathlib import Path  # noqa: PLC0415

    Path(summary.path).write_text((Path(root) / "records" / "step" / "k1.json").read_text())


def run_pipeline(*, fail: bool) -> None:
    @dsl.pipeline(name="family")
    def family() -> None:
        step(fail=fail)

    @dsl.pipeline(name="tiny")
    def tiny() -> None:
        family()  # sub-pipelines are no nodes

    tiny()


def test_steps_in_containers_are_reported(events: list[Event]) -> None:
    run_pipeline(fail=False)
    assert [(event.kind, event.node, event.text) for event in events] == [
        ("started", "step", ""),
        ("printed", "step", "hello seen"),
        ("done", "step", ""),
    ]
    run_pipeline(fail=False)
    assert events[-1] == Event("unchanged", "step", outputs=events[2].outputs)
    assert set(events[2].outputs) == {"metrics"}


def test_steps_in_containers_that_fail_are_reported(events: list[Event]) -> None:
    with pytest.raises(RuntimeError):
        run_pipeline(fail=True)
    assert events[-1] == Event("failed", "step", error="exit status 1")


def test_a_step_that_reads_records_is_executed_again_if_their_content_changed_and_only_then(
    events: list[Event], tmp_path: Path
) -> None:
    @dsl.pipeline(name="tiny")
    def tiny() -> None:
        reader(root=str(tmp_path), records="{step: k1}")

    record = tmp_path / "records" / "step" / "k1.json"
    record.parent.mkdir(parents=True)
    ends = []
    for content in ("first", "first", "second", "first"):
        record.write_text(content)
        tiny()
        ends.append((events[-1].kind, Path(events[-1].outputs["summary"]).read_text()))
    assert ends == [("done", "first"), ("unchanged", "first"), ("done", "second"), ("unchanged", "first")]
