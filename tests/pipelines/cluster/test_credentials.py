"""Credentials for a cluster, through the command line: what is sent, what kfp's settings add, what no message shows."""

import json
from pathlib import Path
from typing import Any

import kfp
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.pipelines.cluster.commands import SECRET, add_run, problem, runs, works
from tests.pipelines.cluster.kfp_server import KfpServer

pytestmark = [
    # google-cloud-storage warns once.
    pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning"),
    pytest.mark.usefixtures("no_proxy_settings"),
]


def test_credentials_are_sent(server: KfpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("from-file\n")
    assert works(server, "--host", server.url, "--token-file", str(token), "--header", "X-Goog-Id=a=b")
    headers = {name.lower(): value for name, value in server.requests[-1][2].items()}
    assert (headers["authorization"], headers["x-goog-id"]) == ("Bearer from-file", "a=b")
    # Projected tokens are replaced while a command runs; each start reads the file.
    token.write_text("next")
    monkeypatch.setenv("YT8M_KFP_TOKEN_FILE", str(token))
    monkeypatch.setenv("YT8M_KFP_HEADERS", "Proxy-Authorization=Bearer one\nX-Two=2")
    monkeypatch.setenv("YT8M_KFP_COOKIES", "authservice_session=1")
    assert works(server, "--host", server.url)
    headers = {name.lower(): value for name, value in server.requests[-1][2].items()}
    assert (headers["authorization"], headers["cookie"]) == ("Bearer next", "authservice_session=1")
    assert (headers["proxy-authorization"], headers["x-two"]) == ("Bearer one", "2")


def test_a_token_file_is_read_for_every_request(
    server: KfpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    add_run(server)
    server.progress = [("RUNNING", {}), ("RUNNING", {}), ("SUCCEEDED", {})]
    answer = server.answer

    def replace_token(*arguments: Any) -> tuple[int, str, str]:
        token.write_text("second")
        return answer(*arguments)

    monkeypatch.setattr(server, "answer", replace_token)
    result = CliRunner().invoke(
        main, ["status", "runs-1", "--follow", "--host", server.url, "--token-file", str(token)]
    )
    assert result.exit_code == 0, result.output
    sent = [headers["authorization"] for _, _, headers, _ in server.requests if "authorization" in headers]
    assert sent[-1] == "Bearer second"


def test_kfp_s_own_settings_hold(server: KfpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = tmp_path / "context.json"
    context.write_text(
        json.dumps(
            {
                "namespace": "team",
                "client_authentication_cookie": "session=7",
                "client_authentication_header_name": "X-User",
                "client_authentication_header_value": "me",
            }
        )
    )
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(context))
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.url)
    (tmp_path / "token").write_text("mounted")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    queries: list[Any] = []

    def answer(_method: str, _path: str, query: Any, _body: Any) -> tuple[int, str, str]:
        queries.append(query)
        return 200, "application/json", "{}"

    monkeypatch.setattr(server, "answer", answer)
    assert runs().exit_code == 0
    headers = server.requests[-1][2]
    assert (headers["Cookie"], headers["X-User"], headers["authorization"]) == ("session=7", "me", "Bearer mounted")
    assert queries[-1]["namespace"] == ["team"]
    # Options come first.
    assert runs("--namespace", "mine", "--cookies", "session=8", "--token", "given").exit_code == 0
    headers = server.requests[-1][2]
    assert (headers["Cookie"], headers["authorization"]) == ("session=8", "Bearer given")
    assert queries[-1]["namespace"] == ["mine"]


def test_problems_with_kfp_s_own_settings_have_their_sentences(
    server: KfpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = tmp_path / "context.json"
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(context))
    for text in ("{", "[]"):
        context.write_text(text)
        assert f"{context}: expected kfp's settings, a JSON object" in problem("--host", server.url)
    context.write_text("{}")
    assert works(server, "--host", server.url)
    monkeypatch.setenv("KF_PIPELINES_IAP_OAUTH2_CLIENT_ID", "client")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    message = problem("--host", server.url)
    assert "no account of Google for the client that KF_PIPELINES_IAP_OAUTH2_CLIENT_ID names" in message
    assert works(server, "--host", server.url, "--token", "given")


def test_credentials_appear_in_no_message(server: KfpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["--token", SECRET, "--cookies", f"a={SECRET}", "--header", f"X-A={SECRET}"]
    server.failures = [(401, "application/json", json.dumps({"message": f"bad token {SECRET}, a={SECRET}"}))]
    message = problem("--host", server.url, *given)
    assert "denies access (401 Unauthorized: bad token" in message
    assert SECRET not in message
    (tmp_path / "token").write_text(f"{SECRET}\n")
    server.failures = [(500, "text/plain", f"cannot parse {SECRET}")]
    message = problem("--host", server.url, "--token-file", str(tmp_path / "token"))
    assert "cannot parse ..." in message
    (tmp_path / "token").unlink()
    assert "does not exist" in problem("--host", server.url, "--token-file", str(tmp_path / "token"))
    for wrong in (["--token", f"{SECRET}\n"], ["--cookies", f"{SECRET}\t"], ["--header", f"X-A={SECRET}é"]):
        message = problem("--host", server.url, *wrong)
        assert f"{wrong[0]}" in message
        assert "HTTP cannot send" in message
        assert SECRET not in message
    message = problem("--host", server.url, "--header", SECRET)
    assert "expected NAME=VALUE" in message
    assert SECRET not in message
    for variable in ("TOKEN", "COOKIES", "HEADERS", "PROXY"):
        monkeypatch.setenv(f"YT8M_KFP_{variable}", f"http://{SECRET}")
    text = runs("--help").output
    assert SECRET not in text
    for variable in ("NAMESPACE", "TOKEN", "TOKEN_FILE", "COOKIES", "HEADERS", "CA", "CERT", "KEY", "PROXY"):
        assert f"YT8M_KFP_{variable}]" in "".join(text.split())
    (tmp_path / "empty").touch()
    monkeypatch.delenv("YT8M_KFP_TOKEN")
    monkeypatch.delenv("YT8M_KFP_HEADERS")
    assert "the file is empty" in problem("--host", server.url, "--token-file", str(tmp_path / "empty"))
    assert "give only one" in problem("--host", server.url, "--token", "a", "--token-file", str(tmp_path / "empty"))


def test_headers_do_not_go_to_the_server_of_a_redirection(server: KfpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        server, "redirect", {"/apis/v2beta1/healthz": server.url.replace("127.0.0.1", "localhost") + "/login"}
    )
    server.failures = [(302, "text/plain", ""), (200, "text/html", "<title>Log in</title>")]
    assert "a web page 'Log in': perhaps a page to log in" in problem(
        "--host", server.url, "--header", f"X-A={SECRET}", "--token", SECRET, "--cookies", SECRET
    )
    (first, second) = server.requests
    assert SECRET in str(first[2])
    assert second[1] == "/login"
    assert SECRET not in str(second[2])
