"""Questions to a real, small registry over HTTP."""

import base64
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.kubeflow.registry import describe_image
from tests.support.paths import SMOKE

DIGEST = "sha256:" + "ab" * 32
# Path of each manifest -> the Authorization that it needs; empty for everyone.
MANIFESTS = {
    "/v2/team/yt8m/manifests/1": "",
    f"/v2/team/yt8m/manifests/{DIGEST}": "",
    "/v2/team/yt8m/manifests/latest": "",
    "/v2/public/yt8m/manifests/1": "Bearer anyone",
    "/v2/private/yt8m/manifests/1": "Bearer me",
    "/v2/basic/yt8m/manifests/1": "Basic bWU6c2VjcmV0",
}


class Registry(BaseHTTPRequestHandler):
    """A registry with public images, with images behind tokens, and with images behind a password."""

    def do_HEAD(self) -> None:
        if "manifest" not in self.headers["Accept"]:
            self._answer(406)
            return
        kind = self.path.split("/")[2]
        needed = MANIFESTS.get(self.path, {"private": "Bearer me", "basic": "Basic"}.get(kind, ""))
        if needed and self.headers.get("Authorization") != needed:
            host = self.headers["Host"]
            scope = f"repository:{kind}/yt8m:pull"
            bearer = f'Bearer realm="http://{host}/token",service="registry",scope="{scope}"'
            self._answer(401, ("WWW-Authenticate", bearer if "Bearer" in needed else 'Basic realm="registry"'))
            return
        self._answer(503 if kind == "broken" else 200 if self.path in MANIFESTS else 404)

    def do_GET(self) -> None:
        question = parse_qs(urlsplit(self.path).query)
        assert question["service"] == ["registry"]
        is_me = self.headers.get("Authorization") == "Basic bWU6c2VjcmV0"
        body = json.dumps({"token": "me" if is_me and "private" in question["scope"][0] else "anyone"}).encode()
        self._answer(200, ("Content-Type", "application/json"), body=body)

    def _answer(self, status: int, *headers: tuple[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def log_in(registry: str, folder: Path) -> None:
    password = base64.b64encode(b"me:secret").decode()
    (folder / "config.json").write_text(json.dumps({"auths": {registry: {"auth": password}}}))


@pytest.mark.parametrize("name", ["team/yt8m:1", f"team/yt8m@{DIGEST}", "team/yt8m", "public/yt8m:1"])
def test_an_image_that_everyone_may_pull_is_found(registry: str, name: str) -> None:
    assert describe_image(f"{registry}/{name}") == f"{registry}/{name}: is in the registry"


@pytest.mark.parametrize("name", ["team/yt8m:2", "nobody/yt8m:1", "team/yt8m@sha256:" + "cd" * 32])
def test_a_missing_image_is_told(registry: str, name: str) -> None:
    assert describe_image(f"{registry}/{name}").endswith("is not in the registry")


@pytest.mark.parametrize("name", ["private/yt8m:1", "basic/yt8m:1"])
def test_a_private_image_needs_the_login_of_docker(registry: str, name: str, tmp_path: Path) -> None:
    assert "cannot be known, because" in describe_image(f"{registry}/{name}")
    assert "status 401" in describe_image(f"{registry}/{name}")
    log_in(registry, tmp_path)
    assert describe_image(f"{registry}/{name}").endswith("is in the registry")
    assert describe_image(f"{registry}/private/yt8m:2").endswith("is not in the registry")


def test_a_registry_that_fails_or_does_not_answer_leaves_it_unknown(registry: str) -> None:
    assert describe_image(f"{registry}/broken/yt8m:1").endswith(f"because {registry} answered with status 503")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
    assert "cannot be known, because" in describe_image(f"{nobody}/yt8m:1")
    assert describe_image("yt8m:1") == "yt8m:1: cannot be known, because the name has no registry"


@pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")  # google-cloud-storage warns once
def test_a_dry_run_of_submit_asks_for_the_images_of_all_steps(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody listens there.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "0.1")
    options = ["--root", "s3://bucket/yt8m", "--dry-run", "--set", "cluster={training: {image: '{image}-gpu'}}"]
    result = CliRunner().invoke(main, ["submit", str(SMOKE), "--image", f"{registry}/team/yt8m:1", *options])
    assert result.exit_code == 0, result.output
    assert f"Image {registry}/team/yt8m:1: is in the registry" in result.output
    assert f"Image {registry}/team/yt8m:1-gpu: is not in the registry" in result.output
    assert "Which of them are done cannot be known: s3://bucket/yt8m" in result.output
