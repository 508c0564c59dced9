"""A server with recorded answers of a real Kubeflow Pipelines, and an object store with the recorded records."""

import base64
import copy
import gzip
import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from tests.support.paths import RECORDINGS

Json = dict[str, Any]

# Runs at a moment: the files of both APIs. A file of v1beta1 may be a Workflow alone.
MOMENTS = {
    "hello": ("run-v2beta1-hello-mid", "run-v1beta1-hello"),
    "smoke-running": ("run-v2beta1-running-smoke", "workflow-running-smoke"),
    "smoke-compressed": ("run-v2beta1-smoke-compressed", "run-v1beta1-smoke-compressed"),
    "smoke": ("run-v2beta1-smoke-succeeded", "run-v1beta1-smoke-succeeded"),
    "smoke-cached": ("run-v2beta1-smoke-all-cached-end", "run-v1beta1-all-cached-smoke"),
    "paper-start": ("run-v2beta1-pending-paper", "workflow-start-paper"),
    "paper-failed": ("run-v2beta1-failed-paper", "run-v1beta1-failed-paper"),
    "paper-stuck": ("run-v2beta1-paper-compressed", "run-v1beta1-paper-compressed"),
    "paper-offloaded": ("run-v2beta1-paper-offloaded", "run-v1beta1-paper-offloaded"),
    "retries-running": ("run-v2beta1-retries-running", "workflow-retries"),
    "retries": ("run-v2beta1-retries-failed", "run-v1beta1-retries"),
    "terminated": ("run-v2beta1-terminated-failed", "run-v1beta1-terminated"),
    "real": ("run-v2beta1-real-sim", "workflow-end-real-sim"),
    "video-level": ("run-v2beta1-video-level-sim", "workflow-end-video-level-sim"),
}
BUCKET = "mlpipeline"
# URI of the root of the recorded runs.
ROOT = f"s3://{BUCKET}/private-artifacts/yt8m/yt8m"
# What was recorded of the finished smoke: a pod, its folder in the store, and the summary.
POD = "smoke-6c9nl-metadata-0-2-retry-system-container-impl-1124285366"
SMOKE_FOLDER = "v2/artifacts/smoke/32c6f43b-8158-47f7-9594-683d19bd32a4"
TRAIN_FOLDER = f"{SMOKE_FOLDER}/train-netvlad/eabc9096-8e7f-41b4-a86f-7cf94b8b82ec"
SUMMARY = f"{SMOKE_FOLDER}/report/8e4b0b70-cbab-4b56-a257-26e7f4e5b990/summary"
# The user interface's answer to requests for paths that it does not know.
PAGE = "<!doctype html><html><title>Kubeflow Pipelines</title></html>"
# Time of every object in the store.
_MODIFIED = "Thu, 26 Nov 2026 20:12:00 GMT"


class Answer(NamedTuple):
    """An answer to a request."""

    status: int
    kind: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class RecordedCluster:
    """State of the server.

    Attributes:
        url: Address of the API and the user interface.
        runs: Moments that the next requests for a run are answered with, by id of the run. The last one repeats.
        has_v1beta1: Whether the API v1beta1 is there.
        has_interface: Whether the server is that of the user interface, and not only that of the API.
        cut_bytes: Number of bytes after which the connection breaks while an artifact is sent; 0 for never.
        failures: Answers to the next requests, before all others.
        objects: Content of the objects in the bucket by key.
        logs: Logs of living pods by name.
        requests: Method, path with query, and body of every request.
        submitted: Runs that were submitted, by id.
    """

    url: str = ""
    runs: dict[str, list[tuple[Json, Json]]] = field(default_factory=dict)
    has_v1beta1: bool = True
    has_interface: bool = True
    cut_bytes: int = 0
    failures: list[Answer] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    submitted: dict[str, Json] = field(default_factory=dict)

    def show(self, *moments: str) -> str:
        """Let the server answer with these moments of one run, one after the other. Return the run's id."""
        files = [[f"{name}.json" for name in MOMENTS[moment]] for moment in moments]
        # Copies, which tests may change.
        recorded = [(copy.deepcopy(read(run)), copy.deepcopy(read(workflow))) for run, workflow in files]
        run_id: str = recorded[0][0]["run_id"]
        self.runs[run_id] = recorded
        return run_id

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """Return the answer to a request."""
        if found := re.fullmatch(r"/apis/v2beta1/runs/([^/:]+)(:terminate)?", path):
            return self._run(found[1], is_end=bool(found[2]))
        if found := re.fullmatch(r"/apis/v1beta1/runs/([^/:]+)", path):
            return self._workflow(found[1])
        if path == "/apis/v2beta1/runs" and method == "GET":
            return _json(_page(query))
        if path == "/apis/v2beta1/runs" and method == "POST":
            run_id = f"runs-{len(self.submitted) + 1}"
            self.submitted[run_id] = {**body, "run_id": run_id}
            return _json(self.submitted[run_id])
        if found := re.fullmatch(r"/apis/v2beta1/experiments/([^/]+)", path):
            experiments = {each["experiment_id"]: each for each in read("list-experiments.json")["experiments"]}
            return _json(experiments[found[1]]) if found[1] in experiments else _missing()
        files = {
            "/apis/v2beta1/healthz": "healthz-v2beta1.json",
            "/apis/v2beta1/experiments": "list-experiments.json",
        }
        return _json(read(files[path])) if path in files else self._interface(path, query)

    def _interface(self, path: str, query: dict[str, str]) -> Answer:
        """Answer as the server of the user interface."""
        if not self.has_interface:
            return _missing()
        if path == "/k8s/pod/logs":
            log = self.logs.get(query.get("podname", ""))
            return Answer(200, "text/plain", log.encode()) if log is not None else _gone()
        if path == "/artifacts/get":
            content = self.objects.get(query.get("key", "")) if query.get("bucket") == BUCKET else None
            if query.get("source") == "gcs":  # changes the text, and has no error for what is missing
                return Answer(200, "text/html; charset=utf-8", content.strip() + b"\n" if content else b"")
            return Answer(200, "application/octet-stream", content) if content is not None else _gone()
        if found := re.fullmatch(rf"/artifacts/minio/{BUCKET}/(.+)", path):
            return self._download(found[1])
        return Answer(200, "text/html", PAGE.encode())

    def _download(self, key: str) -> Answer:
        """Answer with an object as it is, or with a packed folder, as KFP's handlers/artifacts.ts does."""
        if key in self.objects:
            return Answer(200, "application/octet-stream", self.objects[key])
        files = {name.removeprefix(f"{key}/"): name for name in self.objects if name.startswith(f"{key}/")}
        if not files:
            return Answer(404, "text/html", f"No objects found at {BUCKET}/{key}".encode())
        packed = BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, each in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(self.objects[each])
                archive.addfile(member, BytesIO(self.objects[each]))
        name = f"{key.rpartition('/')[2]}.tar.gz"
        disposition = (("Content-Disposition", f'attachment; filename="{name}"'),)
        return Answer(200, "application/gzip", packed.getvalue(), disposition)

    def _run(self, run_id: str, *, is_end: bool) -> Answer:
        if run_id in self.submitted:
            return _json({**self.submitted[run_id], "state": "PENDING"})
        if run_id not in self.runs:
            return _missing()
        if is_end:
            return _json({})
        run = self.runs[run_id][0][0]
        return _json(run)

    def _workflow(self, run_id: str) -> Answer:
        """Answer with the Workflow, after which the run is at its next moment."""
        if run_id not in self.runs or not self.has_v1beta1:
            return _missing()
        moments = self.runs[run_id]
        run, recorded = moments.pop(0) if len(moments) > 1 else moments[0]
        if "pipeline_runtime" in recorded:
            return _json(recorded)
        runtime = {"workflow_manifest": json.dumps(recorded, separators=(",", ":"))}
        return _json({"run": {"id": run_id, "name": run["display_name"]}, "pipeline_runtime": runtime})

    def store(self, method: str, path: str, query: dict[str, str], span: str) -> Answer:
        """Return the answer to a request in the protocol of S3."""
        bucket, _, key = path.lstrip("/").partition("/")
        if query.get("list-type") == "2":
            found = [name for name in sorted(self.objects) if name.startswith(query.get("prefix", ""))]
            entries = "".join(
                f"<Contents><Key>{escape(name)}</Key><Size>{len(self.objects[name])}</Size>"
                "<LastModified>2026-11-26T20:12:00.000Z</LastModified></Contents>"
                for name in found
            )
            listing = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
            return Answer(200, "application/xml", listing.encode())
        if bucket != BUCKET or key not in self.objects or method not in {"GET", "HEAD"}:
            return Answer(404, "application/xml", b"" if method == "HEAD" else b"<Error><Code>NoSuchKey</Code></Error>")
        content = self.objects[key]
        headers = (("ETag", f'"{hashlib.md5(content).hexdigest()}"'), ("Last-Modified", _MODIFIED))
        if part := re.fullmatch(r"bytes=(\d+)-(\d+)", span):
            content = content[int(part[1]) : int(part[2]) + 1]
        return Answer(206 if span else 200, "application/octet-stream", content, headers)


@cache
def read(name: str) -> Any:
    """Return the content of a recording, which may be compressed."""
    path = RECORDINGS / name
    data = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(f"{name}.gz").read_bytes())
    return json.loads(data)


def plain_workflow(name: str) -> Json:
    """Return the Workflow in a recording of v1beta1, which may be changed, with its nodes uncompressed."""
    workflow: Json = json.loads(read(name)["pipeline_runtime"]["workflow_manifest"])
    if compressed := workflow["status"].pop("compressedNodes", ""):
        workflow["status"]["nodes"] = json.loads(gzip.decompress(base64.b64decode(compressed)))
    return workflow


@cache
def recorded_objects() -> dict[str, bytes]:
    """Return the objects of the bucket whose content was recorded, by key: records, a log, the summary."""
    with tarfile.open(RECORDINGS / "records-smoke.tar.gz") as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        objects = {member.name: archive.extractfile(member).read() for member in members}
    logs = RECORDINGS / "logs"
    objects[f"{TRAIN_FOLDER}/executor-logs-0"] = (logs / "ui-artifact-executor-logs-train-netvlad.txt").read_bytes()
    objects[SUMMARY] = (RECORDINGS / "artifact-smoke-summary.json").read_bytes()
    return objects


@contextmanager
def recorded_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedCluster]:
    """Run the server, and let it be the object store of this process. Skip the test without recordings."""
    if not RECORDINGS.exists():
        pytest.skip(f"no recordings of Kubeflow Pipelines in {RECORDINGS}")
    state = RecordedCluster(objects=dict(recorded_objects()))
    state.logs[POD] = (RECORDINGS / "logs" / "ui-pod-log-train-netvlad.txt").read_text()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            url = urlsplit(self.path)
            path = unquote(url.path)
            query = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
            if path.startswith(f"/{BUCKET}"):
                answer = state.store(self.command, path, query, self.headers.get("Range", ""))
            else:
                body = json.loads(text or "{}")
                state.requests.append((self.command, self.path, body))
                failed = state.failures.pop(0) if state.failures else None
                answer = failed or state.answer(self.command, path, query, body)
            self.send_response(answer.status)
            for name, value in (("Content-Type", answer.kind), *answer.headers):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                is_cut = state.cut_bytes and path.startswith("/artifacts/minio/")
                self.wfile.write(answer.body[: state.cut_bytes] if is_cut else answer.body)

        do_GET = do_POST = do_HEAD = _answer  # noqa: N815 as the library calls them

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", state.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def unpack_records(folder: Path) -> str:
    """Unpack the recorded records into a folder. Return the root of the recorded runs in it."""
    for key, content in recorded_objects().items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder / ROOT.removeprefix(f"s3://{BUCKET}/"))


def _page(query: dict[str, str]) -> Json:
    """Return a page of the recorded list of runs, as KFP does. Tokens are numbers here."""
    runs = [
        run for run in read("list-runs.json")["runs"] if query.get("experiment_id", "") in {"", run["experiment_id"]}
    ]
    runs.sort(key=lambda run: str(run["created_at"]), reverse=query.get("sort_by") == "created_at desc")
    start, size = int(query.get("page_token") or 0), int(query.get("page_size") or 20)
    more = {"next_page_token": str(start + size)} if start + size < len(runs) else {}
    return {"runs": runs[start : start + size], "total_size": len(runs), **more}


def _json(body: Any) -> Answer:
    return Answer(200, "application/json", json.dumps(body).encode())


def _missing() -> Answer:
    return Answer(404, "application/json", b'{"code": 5, "message": "Not Found", "details": []}')


def _gone() -> Answer:
    """Return the answer of the user interface's server for what is gone."""
    return Answer(500, "text/plain", (RECORDINGS / "logs" / "ui-gone-pod.txt").read_bytes())
