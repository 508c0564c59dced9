"""States, reasons and pods of a run's steps, from the Workflow in which Argo executes the run."""

import base64
import gzip
import json
import re
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pipelines.kubeflow.size import MAX_RUN_BYTES
from pipelines.runs.state import State
from yt8m.progress import duration

# Share of Argo's limit, and seconds without a change, from which on a run is probably dead.
_FULL_SHARE, _SILENT_SECONDS = 0.95, 600.0
# Name of the Argo node for a step's pods, below the node of the step.
_EXECUTOR = "executor"
# End of the name of the Argo node for the pods that prepare a step or a group.
_DRIVER = "-driver"
# One part of a node's name. Argo's attempts have the name of the repeated node and a number.
_PART = re.compile(r"(?P<name>.*?)(\((?P<attempt>\d+)\))?")
# Phases of workflows and nodes that can still change; all others are final.
_UNFINISHED = frozenset({"", "Pending", "Running"})
_FAILED = frozenset({"Failed", "Error"})
# Messages of pods that end because their run is terminated: those of Argo, and of a process that receives a signal.
_TERMINATED = re.compile(r"exceeded (its|workflow) deadline|workflow shutdown|Error \(exit code (137|143)\)")


class Pod(NamedTuple):
    """A pod that Argo started or will start, for a step or for its driver.

    Attributes:
        name: Name of the pod in Kubernetes.
        attempt: Number of the attempt from 0, as in KFP's `executor-logs-N`. It starts again at 0 if Argo repeats not
            the pod, but the step, its group or all steps.
        phase: Argo's phase: `Pending`, `Running`, `Succeeded`, `Failed`, `Error`.
        message: Argo's message, such as `main: Error (exit code 1)`.
        started: Time of the start in seconds since 1970; 0 if unknown.
        ended: Time of the end in seconds since 1970; 0 if it has not ended.
    """

    name: str
    attempt: int
    phase: str
    message: str
    started: float
    ended: float


class Step(NamedTuple):
    """A step as Argo knows it.

    Attributes:
        state: State of the step.
        reason: Why the step failed or waits; empty if there is nothing to say.
        started: Time at which its last pod was created, in seconds since 1970; 0 without a pod.
        ended: Time at which its last pod ended, in seconds since 1970; 0 if it has not.
        pods: Pods that execute the step, in the order of their start.
        drivers: Pods that prepare the step, in the order of their start.
    """

    state: State
    reason: str
    started: float
    ended: float
    pods: tuple[Pod, ...]
    drivers: tuple[Pod, ...]


class _Node(NamedTuple):
    """A node of a Workflow; `path` and `attempts` have the parts of its name, with -1 for a part without a number."""

    path: tuple[str, ...]
    attempts: tuple[int, ...]
    kind: str
    message: str
    pod: Pod

    @property
    def phase(self) -> str:
        return self.pod.phase


class Workflow:
    """The Workflow of a run.

    Args:
        manifest: The Workflow as Kubernetes stores it.

    Attributes:
        name: Name of the Workflow, with which the names of its pods begin.
        namespace: Namespace of the Workflow and its pods.
        phase: Argo's phase: `Pending`, `Running`, `Succeeded`, `Failed`, `Error`, or empty before the start.
        message: Argo's message about the whole run.
        started: Time of the start in seconds since 1970; 0 if it has not started.
        ended: Time of the end in seconds since 1970; 0 if it has not ended.
        size: Bytes of the object, which Kubernetes limits.
        changed: Time of the last change in seconds since 1970.
        nodes_known: Whether the states of nodes are in the object, and not in a database of Argo.
        terminated: Whether somebody asked to end the run.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        metadata, spec, status = manifest["metadata"], manifest.get("spec", {}), manifest.get("status", {})
        self.name: str = metadata["name"]
        self.namespace: str = metadata.get("namespace", "")
        self.phase: str = status.get("phase") or ""
        self.message: str = status.get("message") or ""
        self.started = seconds_of(status.get("startedAt"))
        self.ended = seconds_of(status.get("finishedAt"))
        self.size = len(json.dumps(manifest, ensure_ascii=False, separators=(",", ":")).encode())
        # KFP terminates a run by a deadline that has passed, Argo by a shutdown.
        self.terminated = spec.get("activeDeadlineSeconds") == 0 or bool(spec.get("shutdown"))
        self.nodes_known = not status.get("offloadNodeStatusVersion")
        self._status = status
        self._raw_nodes = _nodes(status)
        self._nodes = [self._node(key, node) for key, node in self._raw_nodes.items()]
        changes = [seconds_of(each.get("time")) for each in metadata.get("managedFields", [])]
        changes += [moment for node in self._nodes for moment in (node.pod.started, node.pod.ended)]
        self.changed = max(self.started, self.ended, seconds_of(metadata.get("creationTimestamp")), *changes)

    @property
    def running(self) -> bool:
        """Whether Argo has not ended the run."""
        return self.phase in _UNFINISHED

    @property
    def death(self) -> str:
        """Why Argo probably cannot end the run, with the remedy; empty if it can or has."""
        silent = time.time() - self.changed
        if not self.running or self.size < _FULL_SHARE * MAX_RUN_BYTES or silent < _SILENT_SECONDS:
            return ""
        return (
            f"Probably dead: the run's Workflow has {self.size:,} bytes, {self.size / MAX_RUN_BYTES:.0%} of Argo's "
            f"limit, and has not changed for {duration(silent)}. Argo cannot store a larger one, nor that it failed. "
            f"Delete it: kubectl -n {self.namespace} delete workflow {self.name}. A run of the same recipe would end "
            "alike. Divide the recipe (`yt8m plan` shows the share of the limit, docs/scale.md how to divide an "
            "experiment), or let Argo keep the states of steps in a database (nodeStatusOffLoad). Finished steps of "
            "the same root are not repeated."
        )

    def steps(self, names: Collection[str]) -> dict[str, Step]:
        """Return what Argo knows of the steps with these names; nothing if the states of nodes are not known."""
        if not self.nodes_known:
            return {}
        found: dict[str, dict[str, list[_Node]]] = {name: defaultdict(list) for name in names}
        for node in self._nodes:
            last = node.path[-1]
            if last == _EXECUTOR and node.path[-2] in found:
                found[node.path[-2]]["executor"].append(node)
            elif last in found:
                found[last]["task"].append(node)
            elif last.endswith(_DRIVER) and last.removesuffix(_DRIVER) in found:
                found[last.removesuffix(_DRIVER)]["driver"].append(node)
        return {name: self._step(each["task"], each["executor"], each["driver"]) for name, each in found.items()}

    def node(self, pod: Pod) -> Mapping[str, Any]:
        """Return the node of a pod as Argo stores it."""
        node: Mapping[str, Any] = self._raw_nodes[f"{self.name}-{pod.name.rpartition('-')[2]}"]
        return node

    @property
    def artifact_repository(self) -> Mapping[str, Any]:
        """Store in which Argo archives logs."""
        reference = self._status.get("artifactRepositoryRef", {})
        repository: Mapping[str, Any] = reference.get("artifactRepository", {})
        return repository

    def other_errors(self, names: Collection[str]) -> list[str]:
        """Return a line for each failed pod that belongs to none of these steps, but to a group or the whole run."""
        errors = (
            f"{node.path[-1]}: {node.message or node.phase}"
            for node in self._nodes
            if node.kind == "Pod" and node.phase in _FAILED and node.path[-1].removesuffix(_DRIVER) not in names
            if node.path[-1].endswith(_DRIVER)
        )
        return list(dict.fromkeys(errors))

    def _node(self, key: str, node: Mapping[str, Any]) -> _Node:
        parts = [_PART.fullmatch(part) for part in node["name"].split(".")]
        path = tuple(part["name"] for part in parts if part)
        attempts = tuple(int(part["attempt"] or "-1") for part in parts if part)
        pod = Pod(
            # Argo derives the name from that of the template, and the number at the end of the node's id.
            name=f"{self.name}-{node.get('templateName', '')}-{key.rpartition('-')[2]}",
            attempt=max(attempts[-1], 0),
            phase=node.get("phase") or "",
            message=node.get("message") or "",
            started=seconds_of(node.get("startedAt")),
            ended=seconds_of(node.get("finishedAt")),
        )
        return _Node(path, attempts, node["type"], pod.message, pod)

    def _step(self, tasks: Sequence[_Node], executors: Sequence[_Node], drivers: Sequence[_Node]) -> Step:
        pods, driver_pods = _pods(executors), _pods(drivers)
        task, driver = _newest(tasks), _newest(drivers)
        # Argo may have repeated the step's group or all steps: earlier pods say nothing about the current state.
        prefix = task.attempts[:-1] if task else ()
        current = [node for node in executors if task and node.attempts[: len(prefix)] == prefix]
        head = _newest(current)
        last = max(current, key=_age, default=None)
        if last and last.kind in {"Pod", "Skipped"}:
            state, reason = self._of_pod(last, head or last, task or last)
        else:
            state, reason = self._without_pod(task, head, driver, driver_pods)
        started, ended = (last.pod.started, last.pod.ended) if last and last.kind == "Pod" else (0.0, 0.0)
        return Step(state, reason, started, ended, pods, driver_pods)

    def _of_pod(self, last: _Node, head: _Node, task: _Node) -> tuple[State, str]:
        """Return state and reason of a step by its last pod, or by the node that stands for a step from the cache."""
        reason = _join(last.message, head.message)
        if last.phase in {"Skipped", "Succeeded"}:
            return ("unchanged", "") if last.phase == "Skipped" else ("done", "")
        if last.phase in _FAILED:
            if self.terminated and _TERMINATED.search(last.message):
                return "stopped", reason
            is_repeated = self.running and head.phase in _UNFINISHED and task.phase in _UNFINISHED
            return ("waiting" if is_repeated else "failed"), reason
        if not self.running:
            return "stopped", reason
        return ("running", "") if last.phase == "Running" else ("waiting", reason)

    def _without_pod(
        self, task: _Node | None, head: _Node | None, driver: _Node | None, driver_pods: Sequence[Pod]
    ) -> tuple[State, str]:
        """Return state and reason of a step that has no pod yet, or never had one."""
        message = _join(driver_pods[-1].message if driver_pods else "", driver.message if driver else "")
        if driver and driver.phase in _FAILED:
            is_stopped = self.terminated and _TERMINATED.search(message)
            return ("stopped" if is_stopped else "failed"), f"driver: {message or driver.phase}"
        if task and task.phase in _FAILED:
            reason = _join(head.message if head else "", task.message)
            return ("stopped" if self.terminated and _TERMINATED.search(reason) else "failed"), reason
        is_prepared = driver and driver.phase in _UNFINISHED and message
        return "waiting", f"driver: {message}" if is_prepared else ""


def _nodes(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nodes in a Workflow's status, which Argo compresses when they are large."""
    nodes: dict[str, Any] = status.get("nodes") or {}
    if compressed := status.get("compressedNodes"):
        nodes = json.loads(gzip.decompress(base64.b64decode(compressed)))
    return nodes


def _age(node: _Node) -> tuple[tuple[int, ...], bool]:
    return node.attempts, node.kind == "Pod"


def _newest(nodes: Sequence[_Node]) -> _Node | None:
    """Return the node for all attempts under the newest attempt of what contains it."""
    return max(nodes, key=lambda node: (node.attempts[:-1], -node.attempts[-1]), default=None)


def _pods(nodes: Sequence[_Node]) -> tuple[Pod, ...]:
    return tuple(node.pod for node in sorted(nodes, key=_age) if node.kind == "Pod")


def _join(*messages: str) -> str:
    """Join messages, each once, on one line."""
    return "; ".join(dict.fromkeys(" ".join(message.split()) for message in messages if message))


def seconds_of(moment: str | None) -> float:
    """Return the seconds since 1970 of a time in an answer; 0 for a missing one, which KFP writes as 1970."""
    return max(datetime.fromisoformat(moment).timestamp(), 0.0) if moment else 0.0
