"""A run in a cluster: its pipeline, the states of its nodes, and the records that its steps wrote."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.cluster.argo import Step, Workflow
from pipelines.cluster.client import Cluster
from pipelines.kubeflow.pipeline import ROOT_PARAMETER
from pipelines.kubeflow.spec import Spec, SpecGraph
from pipelines.runs.state import FINISHED, NodeState, State
from pipelines.runs.view import RunView, warning_lines
from yt8m import storage
from yt8m.errors import ConfigError, StorageError
from yt8m.records.record import NodeRecord, record_uri

# KFP's final states of a run -> our names. KFP ends terminated runs as failed.
ENDED: Mapping[str, str] = {"SUCCEEDED": "finished", "FAILED": "failed", "SKIPPED": "skipped", "CANCELED": "terminated"}
# State of a run that Argo cannot end, as its Workflow has reached the limit.
DEAD = "probably dead"
# Number of records to read in parallel.
_READS_AT_ONCE = 8
# Seconds to wait before an object store that failed is asked again.
STORE_PAUSE_SECONDS = 60.0
# Seconds by which the clocks of a pod and of Argo may differ.
_CLOCK_SECONDS = 60.0
# Results to name: title, node, and output, whose name has changed once.
_RESULTS = (
    ("Report", "report", "page"),
    ("Report", "report", "html"),
    ("Summary", "report", "summary"),
    ("Model", "export", "exported"),
)


class ClusterRun:
    """A run in a cluster, as of the last request.

    Args:
        cluster: The cluster.
        run_id: Id of the run.

    Attributes:
        run: The run as KFP describes it.
        workflow: The Workflow in which Argo executes the run; None if the cluster does not have it any more.
        spec: The run's `PipelineSpec`.
        platforms: The run's `PlatformSpec`.
        graph: The run's steps.
        records: Records of the nodes, as far as they have been read.

    Raises:
        ClusterError: There is no such run, or the cluster does not answer. This holds for all methods.
        ConfigError: The run's pipeline is not one of KFP 2.
    """

    def __init__(self, cluster: Cluster, run_id: str) -> None:
        self.cluster = cluster
        self.run_id = run_id
        self.refresh()
        self.spec, self.platforms = _specs(cluster.pipeline(self.run), run_id)
        self.graph = SpecGraph(self.spec)
        self.records: dict[str, NodeRecord] = {}
        self._store_error, self._store_error_time = "", 0.0

    def refresh(self) -> None:
        """Request the run's current state."""
        self.run = self.cluster.run(self.run_id)
        manifest = self.cluster.manifest(self.run_id)
        self.workflow = Workflow(manifest) if manifest else None

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of the pipeline's parameters by name."""
        return dict((self.run.runtime_config and self.run.runtime_config.parameters) or {})

    @property
    def root(self) -> str:
        """URI of the run's root; empty if the run has none."""
        return str(self.parameters.get(ROOT_PARAMETER, ""))

    @property
    def state(self) -> str:
        """State of the run as a whole: `running`, `finished`, `failed`, `terminated`, `DEAD`, ..."""
        if self.death:
            return DEAD
        state = str(self.run.state or "PENDING")
        if state == "CANCELING":
            return "terminating"
        if state == "FAILED" and self.workflow and self.workflow.terminated:
            return "terminated"
        return state_name(state, [str(each.state) for each in self.run.state_history or []])

    @property
    def death(self) -> str:
        """Why Argo probably cannot end the run, with the remedy; empty if it can or has."""
        is_going = str(self.run.state) in {"RUNNING", "CANCELING"}
        return self.workflow.death if is_going and self.workflow else ""

    def steps(self) -> dict[str, Step]:
        """Return what Argo knows of the steps; nothing if the cluster does not tell it."""
        return self.workflow.steps(self.graph.nodes) if self.workflow else {}

    def nodes(self) -> dict[str, NodeState]:
        """Return the states of all nodes, from Argo's Workflow, or else from the nodes' records.

        Nodes whose records have been read have their figures, except where a later run wrote the record.
        """
        steps = self.steps()
        if not steps:
            self._read_records(list(self.graph.nodes))
        later = self._later(steps)
        failed = {str(task.display_name) for task in self._tasks() if str(task.state) == "FAILED"}
        nodes = {}
        for name, node in self.graph.nodes.items():
            record = None if name in later else self.records.get(name)
            if steps:
                found = _of_step(steps[name], record)
            else:
                found = {"state": self._of_record(record, is_failed=name in failed)}
            if record and found["state"] in FINISHED:
                found |= {"metrics": record.metrics, "outputs": record.artifacts}
                found["part"] = record.details.get("part", "")
                if found["state"] == "unchanged" or not steps:
                    found["seconds"] = record.seconds or 0.0
            nodes[name] = NodeState(title=node.title, group=node.group).model_copy(update=found)
        return nodes

    def view(self) -> RunView:
        """Return the current view of the run, with metrics from the steps' records."""
        nodes, problem = self.nodes(), ""
        if self.workflow and self.workflow.nodes_known:
            problem = self._read_records([name for name, node in nodes.items() if node.state in FINISHED])
            nodes = self.nodes()
        later = self._later(self.steps())
        notes = [
            self.cluster.address(self.run_id),
            *self._warnings(later),
            *self._results(later),
            *self._errors(),
            *self._unknown(nodes),
        ]
        notes += [f"GAP and sizes are missing: {problem}"] if problem else []
        if later:
            names = ", ".join(later)
            notes.append(f"GAP, sizes and artifacts are missing of steps whose records a later run replaced: {names}")
        state, death = self.state, self.death
        notes += [death] if death else []
        running = str(self.run.state or "PENDING") not in ENDED and not death
        return RunView(f"{self.graph.name} ({self.run.display_name})", nodes, state, running, tuple(notes))

    def _of_record(self, record: NodeRecord | None, *, is_failed: bool) -> State:
        """Return the state of a node whose step Argo does not tell.

        Args:
            record: The node's record under the run's root.
            is_failed: Whether KFP calls the step failed. It knows the states of a part of the steps only.
        """
        if record:
            return "unchanged" if 0 < record.ended < _seconds(self.run.created_at) else "done"
        if is_failed and str(self.run.state) == "FAILED":
            return "failed"
        return "waiting" if str(self.run.state or "PENDING") == "PENDING" else "not known"

    def _read_records(self, names: Sequence[str]) -> str:
        """Read the missing records of these nodes. Return why some cannot be read, or an empty string."""
        missing = [name for name in names if name not in self.records]
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
        found = dict(zip(missing, records, strict=True))
        self.records |= {name: record for name, record in found.items() if isinstance(record, NodeRecord)}
        problems = [record for record in records if isinstance(record, str)]
        return (
            f"{len(problems)} of {len(missing)} records are missing or damaged, such as: {problems[0]}"
            if problems
            else ""
        )

    def _later(self, steps: Mapping[str, Step]) -> list[str]:
        """Return the nodes whose records are of an execution that ended after that of their steps.

        Recurring runs have one root, and the records of equal works one name.
        """
        records = [(name, self.records[name].ended) for name in steps if name in self.records]
        return [name for name, ended in records if 0 < steps[name].ended < ended - _CLOCK_SECONDS]

    def _results(self, later: Sequence[str]) -> Iterator[str]:
        """Iterate over lines with the URIs of report, summary and model, but not of nodes with later records."""
        for title, node, output in _RESULTS:
            if node in self.records and node not in later and output in self.records[node].artifacts:
                yield f"{title}: {self.records[node].artifacts[output]}"

    def _warnings(self, later: Sequence[str]) -> list[str]:
        """Return lines with the warnings of the report, if its record has been read and is of this run."""
        record = None if "report" in later else self.records.get("report")
        return warning_lines(record.details.get("warnings", ())) if record else []

    def _errors(self) -> list[str]:
        """Return lines with error messages about the run and not about a step, each once."""
        messages = [self.run.error.message] if self.run.error and self.run.error.message else []
        if self.workflow:
            messages += [self.workflow.message, *self.workflow.other_errors(self.graph.nodes)]
        lines = (" ".join(message.split()) for message in messages if message)
        title = "Terminated on request, which Kubeflow calls failed" if self.state == "terminated" else "Error"
        return [f"{title}: {line}" for line in dict.fromkeys(lines)]

    def _unknown(self, nodes: Mapping[str, NodeState]) -> Iterator[str]:
        """Iterate over lines that say what is not known about the run, and why."""
        if self.workflow and self.workflow.nodes_known:
            return
        if self.workflow:
            reason = "Argo keeps the states of steps in a database (nodeStatusOffLoad), which Kubeflow does not show"
        else:
            reason = "Kubeflow does not show the run's Workflow (API v1beta1)"
        unknown = "whether they wait, run, failed or have ended is not known, nor are reasons and attempts."
        count = sum(node.state == "not known" for node in nodes.values())
        if not self.root:
            yield f"{reason}, and the run has no parameter `root`, under which its records would be."
            yield from [f"Of {count} steps nothing is known: {unknown}"] if count else []
            return
        yield f"{reason}: states come from the records under {self.root}."
        yield from [f"{count} steps have no record there: {unknown}"] if count else []
        if self._store_error:
            yield f"Records cannot be read: {self._store_error}"

    def _tasks(self) -> list[Any]:
        details = self.run.run_details
        return list((details and details.task_details) or [])


def state_name(state: str, history: Sequence[str]) -> str:
    """Return the name of a run's state. KFP ends terminated runs as failed, with `CANCELING` as the last state before.

    Args:
        state: KFP's state of the run.
        history: All states that the run had, the present one included, in their order.
    """
    before = [each for each in history if each not in ENDED]
    if state == "FAILED" and before[-1:] == ["CANCELING"]:
        return "terminated"
    return ENDED.get(state, state.lower())


def _of_step(step: Step, record: NodeRecord | None) -> dict[str, Any]:
    """Return the changes of a node's state by what Argo knows of its step."""
    state: State = step.state
    # A step that finds its work done copies it, and the record keeps the end of the execution.
    if state == "done" and record and 0 < record.ended < step.started:
        state = "unchanged"
    seconds = step.ended - step.started if step.ended else 0.0
    return {
        "state": state,
        "reason": step.reason,
        "attempts": len(step.pods),
        "started": step.started,
        "seconds": max(seconds, 0.0),
    }


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


def _read_record(uri: str) -> NodeRecord | str:
    """Return a step's record, or why there is none."""
    if not storage.exists(uri):
        return f"{uri} does not exist"
    try:
        return NodeRecord.parse_json(storage.read_text(uri), uri)
    except ConfigError as error:
        return " ".join(str(error).split())


def _seconds(moment: datetime | None) -> float:
    """Return seconds since 1970, or 0 for a missing time, which KFP writes as 1970."""
    return max(moment.timestamp(), 0.0) if moment else 0.0
