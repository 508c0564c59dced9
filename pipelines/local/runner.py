"""Execution of a compiled pipeline on this machine, with its state and logs in the run's folder."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipelines.local.containers import ENVIRONMENT, ContainerConfig, check_image, remove_containers
from pipelines.local.events import Event, read_events
from pipelines.local.folder import ARTIFACTS_FOLDER, LOGS_FOLDER, PIPELINE_LOG, node_log
from pipelines.local.worker import WorkerConfig
from pipelines.runs.state import RunState

# Seconds that steps have to write a last checkpoint when the run is stopped.
GRACE_SECONDS = 5.0

Listener = Callable[[Event, RunState], None]


class LocalRun:
    """One execution of a compiled pipeline.

    Args:
        state: State of the run. It may have more nodes than the pipeline.
        lock: File descriptor of the lock on the run's folder, which the worker inherits.
        containers: Parts of this machine that steps in containers can see. None executes steps as processes.

    Attributes:
        state: State of the run, which changes during the execution.
        failed: Name of the node that failed, or an empty string.
        error: Reason of the failure, or an empty string.
    """

    def __init__(
        self,
        state: RunState,
        lock: int,
        containers: ContainerConfig | None = None,
    ) -> None:
        self.state = state
        self.failed = ""
        self.error = ""
        self._lock = lock
        self._containers = containers

    def execute(self, pipeline: Path, listener: Listener) -> bool:
        """Execute all nodes whose results are not in KFP's cache.

        Args:
            pipeline: The compiled pipeline.
            listener: Called with every event and the state after it.

        Returns:
            Whether all nodes are done. If not, `failed` and `error` say what went wrong.

        Raises:
            KeyboardInterrupt: The run was stopped. The same call continues it.
            ConfigError: There is no Docker engine, or it does not have the image.
        """
        if self._containers:
            check_image(self._containers.image)
        for folder in (LOGS_FOLDER, ARTIFACTS_FOLDER):
            (self.state.root / folder).mkdir(parents=True, exist_ok=True)
        self.state.save()
        self._remove_containers()  # of an earlier run that was killed
        try:
            with self._worker(pipeline) as (process, events):
                for event in read_events(events):
                    self._apply(event)
                    listener(event, self.state)
        finally:
            self.state.stop()
            self._remove_containers()
        return process.returncode == 0 and not self.failed

    def _remove_containers(self) -> None:
        """Remove the run's containers, which outlive the worker."""
        if self._containers:
            remove_containers(self.state.root.resolve())

    @contextmanager
    def _worker(self, pipeline: Path) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        """Start the worker and yield its process and its pipe; afterwards the worker and its steps have ended."""
        root = self.state.root
        reader, writer = os.pipe()
        config = WorkerConfig(
            pipeline=str(pipeline.resolve()),
            root=str(root.resolve()),
            events=writer,
            containers=self._containers,
        )
        with (
            os.fdopen(reader, "rb") as events,
            (root / LOGS_FOLDER / PIPELINE_LOG).open("wb") as log,
            subprocess.Popen(
                [sys.executable, "-m", "pipelines.local.worker", config.model_dump_json()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**ENVIRONMENT, **os.environ},
                start_new_session=True,
                pass_fds=(self._lock, writer),
            ) as process,
        ):
            os.close(writer)
            try:
                yield process, events
                process.wait()
            except BaseException:
                _signal(process, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE_SECONDS)
                raise
            finally:
                _signal(process, signal.SIGKILL)
                process.wait()

    def _apply(self, event: Event) -> None:
        """Change the state and the node's log as the event says."""
        log = node_log(self.state.root, event.node)
        if event.kind == "started":
            log.write_text("")
            self.state.start(event.node, log, event.time)
        elif event.kind == "printed":
            with log.open("a", encoding="utf-8") as file:
                file.write(event.text + "\n")
        else:
            self.state.end(event.node, event.kind, event.outputs, event.time)
        if event.kind == "failed":
            self.failed, self.error = event.node, event.error


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The steps are in the worker's process group, which can outlive the worker.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
