"""A fake of Kubeflow Pipelines' API and user interface server, for the requests that our commands make."""

import json
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
        read_only: Whether pipelines cannot be uploaded.
        tries: Whether Argo retries every workflow node by default, which adds a child node per attempt.
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
    tries: bool = False
    read_only: bool = False

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, str, str]:
        """Return status, content type and body."""
        if self.failures:
            return self.failures.pop(0)
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

    def _resource(self, method: str, parts: list[str], query: dict[str, list[str]], body: Json) -> tuple[int, str, str]:
        kind = {"experiments": self.experiments, "runs": self.runs, "pipelines": self.pipelines}.get(parts[0], {})
        if method == "POST":
            name = f"{parts[0]}-{len(kind) + 1}"
            kind[name] = {**body, f"{parts[0][:-1]}_id": name}
            return _json(kind[name])
        if parts[1:]:
            if parts[1] not in kind:
                return _json({"message": f"{parts[1]} not found."}, 404)
            return _json(self._described(kind[parts[1]]) if parts[0] == "runs" else kind[parts[1]])
        wanted = json.loads(query["filter"][0])["predicates"][0]["stringValue"]
        found = [each for each in kind.values() if each["display_name"] == wanted]
        return _json({parts[0]: found} if found else {})

    def spec(self, run: Json) -> Json:
        """Return a run's pipeline, from the run or from the version that it refers to."""
        reference = run.get("pipeline_version_reference") or {}
        spec: Json = run.get("pipeline_spec") or self.versions[reference["pipeline_version_id"]]
        return spec

    def _described(self, run: Json) -> Json:
        """Return a run with the states of its tasks, as KFP 2 derives them from Argo's workflow."""
        state, nodes = self.progress.pop(0) if len(self.progress) > 1 else self.progress[0]
        spec = self.spec(run)
        graph = SpecGraph(spec.get("pipeline_spec", spec))
        tasks = [task for number, name in enumerate(graph.nodes) for task in _tasks(number, name, nodes.get(name, ""))]
        if self.tries:
            tasks = [task for each in tasks for task in _with_try(each)]
        return {**run, "state": state, "run_details": {"task_details": tasks}}


def _tasks(number: int, name: str, state: str) -> list[Json]:
    if not state:
        return []
    times = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:01:30Z"}
    return [
        {"task_id": f"wf-1{number}", "display_name": f"{name}-driver", "state": "SUCCEEDED", **times},
        {
            "task_id": f"wf-2{number}",
            "display_name": name,
            "state": "SUCCEEDED" if state == "CACHED" else state,
            "child_tasks": [{"pod_name": f"wf-3{number}"}],
            **times,
        },
        {
            "task_id": f"wf-3{number}",
            "display_name": "executor",
            "state": "SKIPPED" if state == "CACHED" else state,
            # The next step's driver comes after the pod.
            "child_tasks": [{"pod_name": f"wf-1{number + 1}"}],
        },
    ]


def _with_try(task: Json) -> list[Json]:
    """Return a task and its only attempt, to which the children belong."""
    tried = {**task, "task_id": f"{task['task_id']}-0", "display_name": f"{task['display_name']}(0)"}
    return [{**task, "child_tasks": [{"pod_name": tried["task_id"]}]}, tried]


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
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer.encode())))
            self.end_headers()
            self.wfile.write(answer.encode())

        do_GET = do_POST = _answer  # noqa: N815 as the library calls them

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
