"""A run in a cluster: its pipeline, the states of its nodes, and the records that its steps wrote."""

import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.cluster.client import Cluster
from pipelines.kubeflow.pipeline import ROOT_PARAMETER
from pipelines.kubeflow.spec import Spec, SpecGraph
from pipelines.runs.state import FINISHED, NodeState, State
from pipelines.runs.view import RunView
from yt8m import storage
from yt8m.errors import ConfigError, StorageError
from yt8m.report.record import record_uri

# KFP's final states of a run -> our names.
ENDED: Mapping[str, str] = {"SUCCEEDED": "finished", "FAILED": "failed", "SKIPPED": "skipped", "CANCELED": "canceled"}
# KFP's states of a task -> states of a node. All other states mean `waiting`.
STATES: Mapping[str, State] = {
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "FAILED": "failed",
    "CANCELING": "stopped",
    "CANCELED": "stopped",
}
# Argo's retries of a workflow node are child nodes, named after it with a number in parentheses.
_TRY = re.compile(r"\(\d+\)$")
# Display name of the workflow node for a step's pod.
_EXECUTOR = "executor"
# Argo templates of the pods that execute steps. Names of pods contain them.
_TEMPLATES = ("system-container-impl", "retry-system-container-impl")
# Number of records to read in parallel.
_READS_AT_ONCE = 8
# Seconds to wait before an object store that failed is asked again.
STORE_PAUSE_SECONDS = 60.0


class ClusterRun:
    """A run in a cluster, as of the last request.

    Args:
        cluster: The cluster.
        run_id: Id of the run.

    Raises:
        ClusterError: There is no such run, or the cluster does not answer. This holds for all methods.
        ConfigError: The run's pipeline is not one of KFP 2.
    """

    def __init__(self, cluster: Cluster, run_id: str) -> None:
        self.cluster = cluster
        self.run_id = run_id
        self.run = cluster.run(run_id)
        self.spec, self.platforms = _specs(cluster.pipeline(self.run), run_id)
        self.graph = SpecGraph(self.spec)
        self._records: dict[str, dict[str, Any]] = {}
        self._store_error, self._store_error_time = "", 0.0

    def refresh(self) -> None:
        """Request the run's current state."""
        self.run = self.cluster.run(self.run_id)

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of the pipeline's parameters by name."""
        return dict((self.run.runtime_config and self.run.runtime_config.parameters) or {})

    @property
    def root(self) -> str:
        """URI of the run's root; empty if the run has none."""
        return str(self.parameters.get(ROOT_PARAMETER, ""))

    def nodes(self) -> dict[str, NodeState]:
        """Return the states of all nodes, without metrics."""
        tasks = {task.display_name: task for task in self._tasks()}
        return {name: self._node(name, tasks.get(name)) for name in self.graph.nodes}

    def view(self) -> RunView:
        """Return the current view of the run, with metrics from the steps' records."""
        nodes = self.nodes()
        problem = self._read_records([name for name, node in nodes.items() if node.state in FINISHED])
        for name, record in self._records.items():
            seconds = record["seconds"] if nodes[name].state == "unchanged" else nodes[name].seconds
            changes = {"metrics": record["metrics"], "outputs": record["artifacts"], "seconds": seconds}
            nodes[name] = nodes[name].model_copy(update=changes)
        state = str(self.run.state or "PENDING")
        notes = [self.cluster.address(self.run_id), *self._results(), *self._errors()]
        notes += [f"GAP and sizes are missing: {problem}"] if problem else []
        pipeline = f"{self.graph.name} ({self.run.display_name})"
        return RunView(pipeline, nodes, ENDED.get(state, state.lower()), state not in ENDED, tuple(notes))

    def pods(self, name: str) -> list[str]:
        """Return possible names of a node's pods, the last attempt first; nothing if no pod was started.

        KFP's API has the names of workflow nodes. Argo derives the names of pods from them by inserting the template.
        """
        found: list[str] = []
        for task in reversed(self._executors(name)):
            found += [task.pod_name] if task.pod_name else []
            workflow, _, number = str(task.task_id).rpartition("-")
            found += [f"{workflow}-{template}-{number}" for template in _TEMPLATES if workflow]
            found.append(str(task.task_id))
        return list(dict.fromkeys(found))

    def _tasks(self) -> list[Any]:
        details = self.run.run_details
        return list((details and details.task_details) or [])

    def _executors(self, name: str) -> list[Any]:
        """Return KFP's task details for a step's pod and for the pod of each retry."""
        by_id = {task.task_id: task for task in self._tasks()}
        found, queue = [], [task for task in self._tasks() if task.display_name == name]
        while queue:
            children = [by_id.get(child.pod_name or child.task_id) for child in queue.pop(0).child_tasks or []]
            for task in filter(None, children):
                display_name = _TRY.sub("", task.display_name or "")
                found += [task] if display_name == _EXECUTOR else []
                queue += [task] if display_name in (_EXECUTOR, name) else []
        return found

    def _node(self, name: str, task: Any) -> NodeState:
        node = NodeState(title=self.graph[name].title, group=self.graph[name].group)
        if task is None:
            return node
        state = STATES.get(str(task.state), "waiting")
        pod_states = {str(executor.state) for executor in self._executors(name)}
        if state == "done" and pod_states == {"SKIPPED"}:
            state = "unchanged"
        elif state == "running" and str(self.run.state) in ENDED:
            state = "stopped"
        elif state == "running" and pod_states == {"PENDING"}:
            state = "waiting"
        started, ended = _seconds(task.start_time), _seconds(task.end_time)
        seconds = ended - started if started and ended else 0.0
        return node.model_copy(update={"state": state, "started": started, "seconds": max(seconds, 0.0)})

    def _read_records(self, names: list[str]) -> str:
        """Read the missing records of these nodes. Return why some cannot be read, or an empty string."""
        missing = [name for name in names if name not in self._records]
        if not self.root or not missing:
            return "" if self.root else "the run has no parameter `root`"
        if self._store_error and time.monotonic() < self._store_error_time + STORE_PAUSE_SECONDS:
            return self._store_error
        uris = [record_uri(self.root, name, self.graph.work(name)) for name in missing]
        try:
            # If the store cannot be reached, the first record fails alone.
            records = [_read_record(uris[0])]
            with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
                records += pool.map(_read_record, uris[1:])
        except StorageError as error:
            self._store_error, self._store_error_time = str(error), time.monotonic()
            return self._store_error
        self._store_error = ""
        self._records |= {name: record for name, record in zip(missing, records, strict=True) if record}
        gone = [uri for uri, record in zip(uris, records, strict=True) if not record]
        return f"{len(gone)} records do not exist, for instance {gone[0]}" if gone else ""

    def _results(self) -> list[str]:
        """Return lines with the URIs of report, summary and model."""
        artifacts = {name: record["artifacts"] for name, record in self._records.items()}
        wanted = {"Report": ("report", "page"), "Summary": ("report", "summary"), "Model": ("export", "exported")}
        return [
            f"{title}: {artifacts[node][output]}"
            for title, (node, output) in wanted.items()
            if output in artifacts.get(node, {})
        ]

    def _errors(self) -> list[str]:
        """Return lines with KFP's error messages, each once."""
        errors = [self.run.error, *(task.error for task in self._tasks())]
        messages = [" ".join(error.message.split()) for error in errors if error and error.message]
        return [f"Error: {message}" for message in dict.fromkeys(messages)]


def _specs(data: Any, run_id: str) -> tuple[Spec, Spec]:
    """Return the pipeline spec and the platform spec of a submitted pipeline, with keys as the compiler writes them."""
    data = data if isinstance(data, dict) else {}
    spec, platforms = (data["pipeline_spec"], data.get("platform_spec", {})) if "pipeline_spec" in data else (data, {})
    try:
        parsed = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        parsed_platforms = json_format.ParseDict(platforms, pipeline_spec_pb2.PlatformSpec())
    except json_format.ParseError as error:
        raise ConfigError(f"run {run_id}: its pipeline is not one of KFP 2: {' '.join(str(error).split())}") from None
    return json_format.MessageToDict(parsed), json_format.MessageToDict(parsed_platforms)


def _read_record(uri: str) -> dict[str, Any]:
    """Return a step's record, or an empty one if it does not exist."""
    if not storage.exists(uri):
        return {}
    record: dict[str, Any] = json.loads(storage.read_text(uri))
    return record


def _seconds(moment: datetime | None) -> float:
    """Return seconds since 1970, or 0 for a missing time, which KFP writes as 1970."""
    return max(moment.timestamp(), 0.0) if moment else 0.0
