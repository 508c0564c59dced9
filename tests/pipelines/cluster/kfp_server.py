"""A fake of Kubeflow Pipelines' API and user interface server, for the requests that our commands make."""

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from pipelines.kubeflow.spec import SpecGraph

Json = dict[str, Any]

# KFP's states of runs and steps -> Argo's phases.
PHASES = {
    "PENDING": "Pending",
    "RUNNING": "Running",
    "CANCELING": "Running",
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
}
# Argo's template of the pods that execute steps.
TEMPLATE = "metadata-0-2-retry-system-container-impl"
# Times of runs and of all their steps.
STARTED, ENDED = "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z"


@dataclass
class KfpServer:
    """State and behavior of the fake server.

    Attributes:
        url: Address of the server.
        experiments: Experiments by id.
        runs: Runs by id, as posted, with the fields that the server adds.
        progress: States of the run and of its nodes in the next answers. The last entry repeats.
        requests: Method, path, headers and body of every request.
        logs: Logs by name of the pod.
        pipelines: Pipelines by id.
        versions: Pipelines by version id.
        version_names: Names of the uploaded versions by version id.
        failures: Answers (status, content type, body) to the next requests, before normal answers.
        schedules: Recurring runs by id, as posted, with the fields that the server adds.
        redirect: Addresses to redirect to by path.
        read_only: Whether pipelines cannot be uploaded.
        workflows: Workflow of each run at its last answer, which the API v1beta1 has, by id of the run.
    """

    url: str = ""
    experiments: dict[str, Json] = field(default_factory=dict)
    runs: dict[str, Json] = field(default_factory=dict)
    progress: list[tuple[str, dict[str, str]]] = field(default_factory=lambda: [("PENDING", {})])
    requests: list[tuple[str, str, Json, Any]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    pipelines: dict[str, Json] = field(default_factory=dict)
    versions: dict[str, Json] = field(default_factory=dict)
    version_names: dict[str, str] = field(default_factory=dict)
    failures: list[tuple[int, str, str]] = field(default_factory=list)
    schedules: dict[str, Json] = field(default_factory=dict)
    workflows: dict[str, Json] = field(default_factory=dict)
    redirect: dict[str, str] = field(default_factory=dict)
    read_only: bool = False

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, str, str]:
        """Return status, content type and body."""
        if self.failures:
            return self.failures.pop(0)
        if path.startswith("/apis/v1beta1/runs/"):
            manifest = json.dumps(self.workflows.get(path.rpartition("/")[2], {}))
            return _json({"pipeline_runtime": {"workflow_manifest": manifest}})
        parts = path.removeprefix("/apis/v2beta1/").split("/")
        if parts == ["healthz"]:
            return _json({"multi_user": False})
        if path == "/k8s/pod/logs":
            log = self.logs.get(query["podname"][0])
            return (200, "text/plain", log) if log is not None else (404, "text/plain", "pod not found")
        if parts[0] == "pipelines" and (parts[-1] == "upload_version" or parts[2:]):
            return self._version(parts, query, body)
        return self._resource(method, parts, query, body)

    def _version(self, parts: list[str], query: dict[str, list[str]], body: str) -> tuple[int, str, str]:
        if parts[-1] == "versions":
            wanted = json.loads(query["filter"][0])["predicates"][0]["stringValue"]
            found = [{"pipeline_version_id": key} for key, name in self.version_names.items() if name == wanted]
            return _json({"pipeline_versions": found} if found else {})
        if parts[-1] != "upload_version":
            return _json({"pipeline_version_id": parts[-1], "pipeline_spec": self.versions[parts[-1]]})
        if self.read_only:
            return _json({"message": "not authorized to create pipeline versions"}, 403)
        version = f"versions-{len(self.versions) + 1}"
        self.versions[version], self.version_names[version] = _uploaded(body), query["name"][0]
        return _json({"pipeline_id": query["pipelineid"][0], "pipeline_version_id": version})

    def _schedule(self, method: str, parts: list[str], query: dict[str, list[str]], body: Json) -> tuple[int, str, str]:
        if method == "POST" and not parts:
            name = f"schedules-{len(self.schedules) + 1}"
            self.schedules[name] = {**body, "recurring_run_id": name, "status": "ENABLED"}
            return _json(self.schedules[name])
        if parts:
            name, _, verb = parts[0].partition(":")
            if method == "DELETE":
                del self.schedules[name]
            elif verb == "disable":
                self.schedules[name] |= {"status": "DISABLED", "mode": "DISABLE"}
            return _json({})
        wanted = json.loads(query["filter"][0])["predicates"][0]["stringValue"] if "filter" in query else ""
        found = [each for each in self.schedules.values() if wanted in {"", each["display_name"]}]
        return _json({"recurringRuns": found} if found else {})

    def _resource(self, method: str, parts: list[str], query: dict[str, list[str]], body: Json) -> tuple[int, str, str]:
        if parts[0] == "recurringruns":
            return self._schedule(method, parts[1:], query, body)
        kind = {"experiments": self.experiments, "runs": self.runs, "pipelines": self.pipelines}.get(parts[0], {})
        if method == "POST":
            name = f"{parts[0]}-{len(kind) + 1}"
            kind[name] = {**body, f"{parts[0][:-1]}_id": name}
            return _json(kind[name])
        if parts[1:]:
            if parts[1] not in kind:
                return _json({"message": f"{parts[1]} not found."}, 404)
            return _json(self._described(kind[parts[1]]) if parts[0] == "runs" else kind[parts[1]])
        if "filter" not in query:
            return _json(_page(parts[0], list(kind.values()), query))
        wanted = json.loads(query["filter"][0])["predicates"][0]["stringValue"]
        found = [each for each in kind.values() if each["display_name"] == wanted]
        return _json({parts[0]: found} if found else {})

    def spec(self, run: Json) -> Json:
        """Return a run's pipeline, from the run or from the version that it refers to."""
        reference = run.get("pipeline_version_reference") or {}
        spec: Json = run.get("pipeline_spec") or self.versions[reference["pipeline_version_id"]]
        return spec

    def _described(self, run: Json) -> Json:
        """Return a run at its next state. KFP 2 keeps the states of tasks as they were early in the run."""
        state, nodes = self.progress.pop(0) if len(self.progress) > 1 else self.progress[0]
        self.workflows[run["run_id"]] = self._workflow(run, state, nodes)
        return {"created_at": STARTED, **run, "state": state, "run_details": {"task_details": []}}

    def _workflow(self, run: Json, state: str, states: dict[str, str]) -> Json:
        """Return the Workflow in which Argo executes a run."""
        spec = self.spec(run)
        graph = SpecGraph(spec.get("pipeline_spec", spec))
        nodes: dict[str, Json] = {}
        for name in graph.nodes.keys() & states.keys():
            group, text = graph[name].group, states[name]
            _add_nodes(nodes, f"wf(0).root(0).{group}(0).{name}" if group else f"wf(0).root(0).{name}", text)
        return {
            "kind": "Workflow",
            "metadata": {"name": "wf", "namespace": "kubeflow", "creationTimestamp": STARTED},
            "spec": {"activeDeadlineSeconds": 0} if state in {"CANCELING", "CANCELED"} else {},
            "status": {"phase": PHASES.get(state, "Failed"), "startedAt": STARTED, "nodes": nodes},
        }


def _page(kind: str, found: list[Json], query: dict[str, list[str]]) -> Json:
    """Return a part of a list, and the token of the next one if there are more."""
    start, size = int(query.get("page_token", ["0"])[0]), int(query["page_size"][0])
    token = {"next_page_token": str(start + size)} if start + size < len(found) else {}
    return {kind: found[start : start + size], **token}


def pod_name(run_node: str, server: "KfpServer", run_id: str = "runs-1") -> str:
    """Return the name of a step's pod."""
    nodes = server.workflows[run_id]["status"]["nodes"]
    found = (key for key, node in nodes.items() if node["name"].endswith(f".{run_node}(0).executor(0)"))
    return f"wf-{TEMPLATE}-{next(found).removeprefix('wf-')}"


def _add_nodes(nodes: dict[str, Json], step: str, text: str) -> None:
    """Add the nodes that Argo has for a task of KFP: three pods or groups, each below a node for its attempts.

    Args:
        nodes: Argo's nodes by id.
        step: Name of the step's node.
        text: State of the step, such as `RUNNING`, `CACHED`, or `FAILED: main: Error (exit code 1)`.
    """
    state, _, message = text.partition(": ")
    is_cached = state == "CACHED"
    phase = "Succeeded" if is_cached else PHASES[state]
    outer = "Running" if phase == "Pending" else phase
    for name, kind, template, phase_here in (
        (f"{step}-driver", "Retry", "system-container-driver", "Succeeded"),
        (f"{step}-driver(0)", "Pod", "system-container-driver", "Succeeded"),
        (step, "Retry", TEMPLATE.replace("impl", "executor"), outer),
        (f"{step}(0)", "DAG", TEMPLATE.replace("impl", "executor"), outer),
        (f"{step}(0).executor", "Skipped" if is_cached else "Retry", TEMPLATE, "Skipped" if is_cached else outer),
        (f"{step}(0).executor(0)", "Pod", TEMPLATE, phase),
    ):
        if is_cached and name.endswith("executor(0)"):
            continue
        is_ended = phase_here not in {"Running", "Pending"}
        nodes[f"wf-{zlib.crc32(name.encode())}"] = {
            "name": name,
            "type": kind,
            "templateName": template,
            "phase": phase_here,
            "message": message if ".executor" in name else "",
            "startedAt": STARTED,
            "finishedAt": ENDED if is_ended else None,
        }


def _uploaded(body: str) -> Json:
    """Return the pipeline in a form with one file, as KFP stores it."""
    text = body.partition("\r\n\r\n")[2].rpartition("\r\n--")[0]
    documents = list(yaml.safe_load_all(text))
    return {"pipeline_spec": documents[0], "platform_spec": documents[1]} if documents[1:] else documents[0]


def _json(body: Json, status: int = 200) -> tuple[int, str, str]:
    return status, "application/json", json.dumps(body)


@contextmanager
def kfp_server() -> Iterator[KfpServer]:
    """Run a fake server on a free port."""
    state = KfpServer()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(size).decode()
            is_form = self.headers.get("Content-Type", "").startswith("multipart/")
            body = text if is_form else json.loads(text or "{}")
            url = urlsplit(self.path)
            state.requests.append((self.command, url.path, dict(self.headers), body))
            status, kind, answer = state.answer(self.command, url.path, parse_qs(url.query), body)
            target = state.redirect.get(url.path)
            self.send_response(302 if target else status)
            if target:
                self.send_header("Location", target)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer.encode())))
            self.end_headers()
            self.wfile.write(answer.encode())

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 as the library calls them

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
