"""Hooks into KFP's local runner: they report what happens to each node, and execute its step.

KFP 2.17 only prints what its local runner does, and a step's output can contain the same words. So this module replaces
the functions of KFP that know a task's state and outputs. `tests/pipelines/local/test_hooks.py` fails when one of the
replaced functions changes.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfp.local import cache, docker_task_handler, subprocess_task_handler, task_dispatcher
from kfp.local.orchestrator import task_executor

from pipelines.kubeflow.spec import ATTEMPT_PARAMETER, RECORDS_PARAMETER
from pipelines.local.containers import run_container
from pipelines.local.events import Event
from pipelines.local.fork_server import run_step
from yt8m.identity import work_name
from yt8m.records.record import read_digest, record_uri
from yt8m.yaml_files import parse_line


@dataclass
class _Task:
    """A task of KFP, from its cache lookup to the end of its last attempt."""

    node: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    started: bool = False
    error: str = ""

    @property
    def record(self) -> Path | None:
        """The file of the node's record. None for a step that writes none."""
        if "key" not in self.arguments:
            return None
        return self.record_of(self.node, work_name(self.arguments["key"], self.arguments.get(ATTEMPT_PARAMETER, "")))

    def record_of(self, node: str, work: str) -> Path:
        """Return the file of a node's record."""
        return Path(record_uri(self.arguments["root"], node, work))


_TASK: ContextVar[_Task] = ContextVar("task")


def install_hooks(report: Callable[[Event], None]) -> None:
    """Replace functions of KFP in this process, which can be done once.

    Args:
        report: Called with every event.
    """

    def step_printed(line: str) -> None:
        report(Event("printed", _TASK.get().node, line))

    def step_ended(exit_status: int) -> int:
        _TASK.get().error = f"exit status {exit_status}" if exit_status >= 0 else f"killed by signal {-exit_status}"
        return exit_status

    def run_local_subprocess(full_command: Sequence[str], **_: Any) -> int:
        return step_ended(run_step(full_command, step_printed))

    def run_docker_container(**arguments: Any) -> int:
        return step_ended(run_container(printed=step_printed, **arguments))

    task_executor.execute_single_task = _report_end(task_executor.execute_single_task, report)
    task_dispatcher.run_single_task_implementation = _report_start(
        task_dispatcher.run_single_task_implementation, report
    )
    cache.LocalCache.compute_key = _count_records(cache.LocalCache.compute_key)
    cache.LocalCache.get = _need_record(cache.LocalCache.get)
    subprocess_task_handler.run_local_subprocess = run_local_subprocess
    docker_task_handler.run_docker_container = run_docker_container


def _report_end(execute: Callable[..., Any], report: Callable[[Event], None]) -> Callable[..., Any]:
    """Wrap the function that takes a task's results from the cache or executes it, with all attempts."""

    def execute_single_task(*, task_name: str, **arguments: Any) -> Any:
        task = _Task(task_name)
        _TASK.set(task)
        try:
            outputs, status = execute(task_name=task_name, **arguments)
        except Exception as error:
            report(Event("failed", task_name, error=f"{type(error).__name__}: {error}"))
            raise
        if status.name == "SUCCESS":
            uris = {name: value.uri for name, value in outputs.items() if hasattr(value, "uri")}
            uris |= {"record": str(task.record)} if task.record else {}
            report(Event("done" if task.started else "unchanged", task_name, outputs=uris))
        else:
            report(Event("failed", task_name, error=task.error))
        return outputs, status

    return execute_single_task


def _report_start(attempt: Callable[..., Any], report: Callable[[Event], None]) -> Callable[..., Any]:
    """Wrap the function that makes one attempt to execute a task."""

    def run_single_task_implementation(**arguments: Any) -> Any:
        task = _TASK.get()
        if not task.started:
            task.started = True
            report(Event("started", task.node))
        return attempt(**arguments)

    return run_single_task_implementation


def _count_records(compute: Callable[..., str]) -> Callable[..., str]:
    """Wrap the function that makes the key of a cache entry, so that the content of the records a step reads counts.

    KFP sees only the names of the records, which stay the same if a node is executed again.
    """

    def compute_key(self: Any, *, arguments: Mapping[str, Any], **others: Any) -> str:
        task = _TASK.get()
        task.arguments = arguments
        records = parse_line(arguments.get(RECORDS_PARAMETER) or "{}", task.node)
        paths = [task.record_of(node, work) for node, work in records.items()]
        found = [read_digest(path) for path in paths]
        return compute(self, arguments={**arguments, RECORDS_PARAMETER: found} if found else arguments, **others)

    return compute_key


def _need_record(get: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the cache lookup, so that it finds nothing for nodes whose record is gone."""

    def get_with_record(self: Any, key: str) -> Any:
        record = _TASK.get().record
        return get(self, key) if record is None or record.exists() else None

    return get_with_record
