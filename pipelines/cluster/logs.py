"""Logs of the steps of a run in a cluster, wherever they are: at the pod, in its step's folder, in Argo's archive."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pipelines.cluster.argo import Pod, Step, Workflow
from pipelines.cluster.objects import Objects, OtherServerError
from pipelines.cluster.outputs import EXECUTOR_LOGS, archived_log_uri, output_uris
from pipelines.cluster.run import ENDED, ClusterRun
from pipelines.runs.step_log import NoLogYetError, StepLog
from yt8m.errors import ConfigError, DataError, StorageError
from yt8m.records.record import NodeRecord, record_uri
from yt8m.storage.interface import MissingObjectError

# Argo's phases of pods that may still exist and print.
_LIVING = frozenset({"Pending", "Running"})
_FAILED = frozenset({"Failed", "Error"})
# Attempts to look for where Argo does not tell how many there were.
_MOST_ATTEMPTS = 4


class _Source(NamedTuple):
    """A place where a log may be."""

    name: str
    read: Callable[[], str]


def read_log(run: ClusterRun, node: str, attempt: int = 0, *, is_followed: bool = False) -> StepLog:
    """Return the log of a step as it is now.

    Args:
        run: The run, as of its last request.
        node: Name of the step.
        attempt: Number of the attempt, from 1; 0 for the last one.
        is_followed: Whether the log is read again and again, so that each text should continue the one before.

    Raises:
        ConfigError: The run has no such step or attempt.
        NoLogYetError: There is no log yet.
        DataError: There is none. The message has every place and the reason.
        ClusterError: The cluster does not answer.
    """
    return _StepLogs(run, node, attempt, is_followed=is_followed).read()


class _StepLogs:
    """Logs of one step of a run."""

    def __init__(self, run: ClusterRun, node: str, attempt: int, *, is_followed: bool) -> None:
        self._run, self._node, self._attempt, self._is_followed = run, node, attempt, is_followed
        self._work = run.graph.work(run.graph[node].name)
        workflow = run.workflow
        namespace = workflow.namespace if workflow and workflow.namespace else run.cluster.namespace(run.run)
        self._namespace = namespace
        self._objects = Objects(run.cluster, namespace)
        # A run that is probably dead starts no pods any more, and does not notice that one ends.
        self._death = run.death

    def read(self) -> StepLog:
        """Return the log of the attempt."""
        workflow, step = self._run.workflow, self._run.steps().get(self._node)
        if workflow is None or step is None:
            return self._read_beside_record()
        if self._attempt > len(step.pods) and not (self._attempt == 1 and not step.pods):
            raise ConfigError(f"{self._node}: --attempt {self._attempt}, but {_count(step.pods)} in this run.")
        if step.pods:
            index = self._attempt or len(step.pods)
            is_repeated = not self._attempt and self._goes_on(workflow) and step.state == "waiting"
            return self._read_pod(workflow, step.pods[index - 1], index, is_repeated=is_repeated)
        if step.state == "unchanged":
            old = self._read_beside_record()
            note = f"{self._node}: unchanged since an earlier run; this is the log of its original execution"
            return old._replace(notes=(note,))
        return self._read_driver(workflow, step)

    def _read_pod(self, workflow: Workflow, pod: Pod, number: int, *, is_repeated: bool) -> StepLog:
        """Return the log of a pod, of which `is_repeated` says whether another one will follow."""
        node = workflow.node(pod)
        artifact = output_uris(node).get(EXECUTOR_LOGS)
        archived = archived_log_uri(node, workflow.artifact_repository)
        at_pod, in_archive = [self._at_pod(pod)], [self._at(archived)] if archived else []
        in_folder = [self._at(f"{artifact}-{pod.attempt}")] if artifact else []
        is_living = self._goes_on(workflow) and pod.phase in _LIVING
        if self._is_followed:  # the archive continues what the pod printed, the artifact lacks the launcher's lines
            sources = [*at_pod, *in_archive, *in_folder]
        elif is_living:
            sources = [*at_pod, *in_folder, *in_archive]
        else:  # the pod may be gone
            sources = [*in_folder, *in_archive, *at_pod]
        title = f"{self._node}, attempt {number}"
        notes = (f"{title}: {pod.phase.lower()}: {pod.message}",) if pod.phase in _FAILED else ()
        text, problems = _first(sources)
        if text is None:
            message = self._describe(notes[0] if notes else title, problems, pod)
            is_here = not any(isinstance(problem, OtherServerError) for problem in problems.values())
            if not is_here or not (is_living or is_repeated):
                raise DataError("\n".join([message, *self._deaths()]))
            waiting = f": its pod waits: {pod.message or 'it was not started yet'}" if pod.phase == "Pending" else ""
            raise NoLogYetError(f"{title}: no log yet{waiting}.\n{message}")
        return StepLog(text, (*notes, *self._deaths()), is_living or is_repeated, number)

    def _read_driver(self, workflow: Workflow, step: Step) -> StepLog:
        """Return the log of the driver that should have started the step's pod."""
        failed = [pod for pod in step.drivers if pod.phase in _FAILED]
        if not failed:
            reason = f"it is {step.state}" + (f" ({step.reason})" if step.reason else "")
            kind = NoLogYetError if self._goes_on(workflow) else DataError
            message = f"{self._node}: no log, because the node has no pod in this run; {reason}."
            raise kind("\n".join([message, *workflow.other_errors(self._run.graph.nodes), *self._deaths()]))
        pod = failed[-1]
        archived = archived_log_uri(workflow.node(pod), workflow.artifact_repository)
        sources = [*([self._at(archived)] if archived else []), self._at_pod(pod)]
        note = f"{self._node}: no pod was started, because its driver failed: {step.reason or pod.message}"
        text, problems = _first(sources)
        if text is None:
            raise DataError(f"{note}.\n{self._describe(f'{self._node}, its driver', problems, pod)}")
        return StepLog(text, (note,))

    def _read_beside_record(self) -> StepLog:
        """Return the log in the folder of the outputs that the step's record names."""
        uri = record_uri(self._run.root, self._node, self._work)
        try:
            record = NodeRecord.parse_json(self._objects.read(uri).decode(), uri)
        except MissingObjectError as error:
            kind = DataError if self._death or str(self._run.run.state) in ENDED else NoLogYetError
            raise kind(
                f"{self._node}: no log was found. Kubeflow does not tell the pods of this run, and the node left no "
                f"record that names the place of its log: {error} If the pod still exists: kubectl -n "
                f"{self._namespace} get pods -l pipeline/runid={self._run.run_id}"
            ) from None
        outputs = [each for name, each in record.artifacts.items() if f"/{self._node}/" in each and each.endswith(name)]
        if not outputs:
            raise DataError(f"{uri}: names no output of {self._node}, so that its log cannot be found.")
        folder = outputs[0].rpartition("/")[0]
        numbers = [self._attempt] if self._attempt else range(_MOST_ATTEMPTS, 0, -1)
        text, problems = _first([self._at(f"{folder}/{EXECUTOR_LOGS}-{number - 1}") for number in numbers])
        if text is None:
            raise DataError(self._describe(self._node, problems))
        return StepLog(text)

    def _goes_on(self, workflow: Workflow) -> bool:
        """Return whether Argo may still change the run."""
        return workflow.running and not self._death

    def _deaths(self) -> list[str]:
        return [self._death] if self._death else []

    def _describe(self, title: str, problems: Mapping[str, StorageError], pod: Pod | None = None) -> str:
        """Return the message for a log that is at none of the places."""
        lines = [f"  {name}: {str(problem).removeprefix(f'{name}: ')}" for name, problem in problems.items()]
        wanted = f"logs -c main {pod.name}" if pod else f"get pods -l pipeline/runid={self._run.run_id}"
        command = f"kubectl -n {self._namespace} {wanted}"
        return "\n".join([f"{title}: no log was found:", *lines, f"If the pod still exists: {command}"])

    def _at_pod(self, pod: Pod) -> _Source:
        return _Source(f"pod {pod.name}", lambda: self._objects.pod_log(pod.name, self._run.run_id))

    def _at(self, uri: str) -> _Source:
        return _Source(uri, lambda: self._objects.read(uri).decode(errors="replace"))


def _first(sources: Sequence[_Source]) -> tuple[str | None, dict[str, StorageError]]:
    """Return the text of the first source that has it, and the errors of the sources before it by their names."""
    problems: dict[str, StorageError] = {}
    for source in sources:
        try:
            return source.read(), problems
        except StorageError as error:
            problems[source.name] = error
    return None, problems


def _count(pods: tuple[Pod, ...]) -> str:
    if not pods:
        return "the node has no pod"
    return "the node had 1 attempt" if len(pods) == 1 else f"the node had {len(pods)} attempts"
