"""A compiled pipeline executed on this machine by KFP's local runner, with the run's state kept beside it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

from pipelines.graph.plan import Plan
from pipelines.local.containers import ContainerConfig, check_image, remove_containers
from pipelines.local.events import Event, EventReader
from pipelines.local.worker import WorkerConfig
from pipelines.runs.state import NodeState, RunState

# The pipeline that was run, and its recipe as `yt8m run` takes it, settings applied.
PIPELINE_FILE = "pipeline.yaml"
RECIPE_FILE = "recipe.json"
ARTIFACTS_FOLDER = "steps"
LOGS_FOLDER = "logs"
# KFP's own talk, and a step's output where it belongs to no node.
PIPELINE_LOG = "pipeline.log"
# Seconds that steps have to write a last checkpoint when the run is stopped.
GRACE_SECONDS = 5.0

Listener = Callable[[Event, RunState], None]


class LocalRun:
    """One execution of a compiled pipeline.

    Args:
        plan: The nodes; or for a part of a run, how far all of it is.
        root: The run's folder, locked by the caller.
        lock: File descriptor of the root's lock, which the worker keeps as well.
        containers: What steps in containers see of this machine; without it, steps are processes.
        forced: Nodes that are executed though their work was done before.
    """

    def __init__(
        self,
        plan: Plan | RunState,
        root: Path,
        lock: int,
        containers: ContainerConfig | None = None,
        forced: Iterable[str] = (),
    ) -> None:
        self.root = root
        self.lock = lock
        self.containers = containers
        self.forced = tuple(forced)
        self.state = plan if isinstance(plan, RunState) else _waiting(plan, root)
        self.failed = ""

    def execute(self, pipeline: Path, listener: Listener) -> bool:
        """Run all nodes whose work was not done before.

        Args:
            pipeline: The compiled pipeline.
            listener: Called after every event, with the state it led to.

        Returns:
            Whether all nodes are done. If not, `failed` is the node that failed.

        Raises:
            KeyboardInterrupt: The run was stopped; the same call continues it.
            ConfigError: There is no Docker engine, or no such image.
        """
        if self.containers:
            check_image(self.containers.image)
        for folder in (LOGS_FOLDER, ARTIFACTS_FOLDER):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.state.save()
        logs = _Logs(self.root / LOGS_FOLDER)
        try:
            with self._containers_end(), _worker(self._worker_config(pipeline), self.lock) as process:
                reader = EventReader()
                assert process.stdout is not None
                for line in process.stdout:
                    event = reader.read(line)
                    logs.write(event)
                    self._apply(event)
                    listener(event, self.state)
        finally:
            logs.close()
            self.state.stop()
        return process.returncode == 0 and not self.failed

    def _worker_config(self, pipeline: Path) -> WorkerConfig:
        return WorkerConfig(
            pipeline=str(pipeline.resolve()),
            root=str(self.root.resolve()),
            artifacts=str((self.root / ARTIFACTS_FOLDER).resolve()),
            containers=self.containers,
            forced=self.forced,
        )

    @contextmanager
    def _containers_end(self) -> Iterator[None]:
        """Remove the run's containers at the end, which belong to the engine, and what a killed run left before."""
        if self.containers is None:
            yield
            return
        remove_containers(self.root.resolve())
        try:
            yield
        finally:
            remove_containers(self.root.resolve())

    def _apply(self, event: Event) -> None:
        # KFP also reports on sub-pipelines, which are no nodes.
        if event.node not in self.state.nodes:
            return
        if event.kind == "started":
            self.state.start(event.node, self.root / LOGS_FOLDER / f"{event.node}.log")
        elif event.kind in {"done", "failed"}:
            state: Literal["done", "failed"] = "done" if event.kind == "done" else "failed"
            self.failed = event.node if event.kind == "failed" else self.failed
            self.state.end(event.node, state, self._executed_outputs(event.node))
        elif event.kind == "unchanged":
            self.state.end(event.node, "unchanged", self._cached_outputs(event.text))

    def _executed_outputs(self, node: str) -> dict[str, str]:
        """The artifacts of a step that has just ended."""
        reports = (self.root / ARTIFACTS_FOLDER).glob(f"*/{node}/executor_output.json")
        newest = max(reports, key=lambda path: path.stat().st_mtime_ns, default=None)
        if newest is None:
            return {}
        artifacts = json.loads(newest.read_text()).get("artifacts", {})
        return {name: values["artifacts"][0]["uri"] for name, values in artifacts.items()}

    def _cached_outputs(self, key: str) -> dict[str, str]:
        """The artifacts in KFP's cache under a key that begins so."""
        entries = (self.root / ARTIFACTS_FOLDER / ".kfp_cache").glob(f"{key}*.json")
        entry = json.loads(next(entries).read_text())
        return {name: value["uri"] for name, value in entry.items() if isinstance(value, dict) and "uri" in value}


def _waiting(plan: Plan, root: Path) -> RunState:
    nodes = {node.name: NodeState(title=node.title, group=node.group) for node in plan.nodes.values()}
    return RunState(root, plan.name, nodes)


class _Logs:
    """A log per node, and one for everything else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pipeline: IO[str] = (folder / PIPELINE_LOG).open("w")
        self._node: IO[str] | None = None

    def write(self, event: Event) -> None:
        if event.kind == "started":
            self._end_node()
            self._node = (self._folder / f"{event.node}.log").open("w")
        elif event.kind == "printed" and self._node:
            self._node.write(event.text + "\n")
            self._node.flush()
        elif event.kind == "other":
            self._pipeline.write(event.text + "\n")
            self._pipeline.flush()
        else:
            self._end_node()

    def close(self) -> None:
        self._end_node()
        self._pipeline.close()

    def _end_node(self) -> None:
        if self._node:
            self._node.close()
        self._node = None


@contextmanager
def _worker(config: WorkerConfig, lock: int) -> Iterator[subprocess.Popen[str]]:
    """The worker's process; it and its steps have ended when the context has."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.local.worker", config.model_dump_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
        errors="replace",
        start_new_session=True,
        pass_fds=(lock,),
    )
    try:
        yield process
        process.wait()
    except BaseException:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        raise
    finally:
        _signal(process, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    # The group can outlive its first process: steps are in it, too.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
