"""Connections to a cluster, through the command line and real servers: TLS, proxies, credentials, silent hosts."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kfp
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.cluster import connection
from tests.pipelines.cluster.commands import add_run
from tests.pipelines.cluster.kfp_server import KfpServer
from tests.pipelines.cluster.tls import Issued, issue, proxy, tls_in_front

# google-cloud-storage warns once.
pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")
SECRET = "s3cr3t-value"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def runs(*options: str) -> Result:
    """List runs, which needs the cluster's health and one list."""
    return CliRunner().invoke(main, ["runs", *options])


def works(server: KfpServer, *options: str) -> bool:
    server.failures = [(200, "application/json", "{}")] * 2
    result = runs(*options)
    assert result.exit_code == 0, result.output
    return "No runs." in result.output


def problem(*options: str) -> str:
    """Return the message of a command that fails."""
    result = runs(*options)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("ca"), "authority")


@pytest.fixture
def localhost(tmp_path: Path, authority: Issued) -> Issued:
    return issue(tmp_path, "localhost", authority)


def test_a_server_with_a_certificate_of_its_own_authority_needs_that_authority(
    server: KfpServer, authority: Issued, localhost: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_in_front(server.url, localhost) as url:
        assert works(server, "--host", url, "--ca", str(authority.cert))
        monkeypatch.setenv("YT8M_KFP_CA", str(authority.cert))
        assert works(server, "--host", url)
        monkeypatch.delenv("YT8M_KFP_CA")
        server.requests.clear()
        message = problem("--host", url)
        assert f"{url}: no secure connection: its certificate is not signed by a public authority." in message
        assert "--ca FILE.pem" in message
        wrong = issue(tmp_path, "authority")
        message = problem("--host", url, "--ca", str(wrong.cert))
        assert f"its certificate is not signed by an authority in --ca {wrong.cert}." in message
        assert not server.requests


def test_a_self_signed_server_is_its_own_authority(server: KfpServer, tmp_path: Path) -> None:
    alone = issue(tmp_path, "localhost")
    with tls_in_front(server.url, alone) as url:
        assert works(server, "--host", url, "--ca", str(alone.cert))
        assert "is not signed by a public authority" in problem("--host", url)


def test_expired_and_foreign_certificates_have_their_own_sentences(
    server: KfpServer, authority: Issued, tmp_path: Path
) -> None:
    with tls_in_front(server.url, issue(tmp_path, "localhost", authority, days=-1)) as url:
        assert "its certificate has expired" in problem("--host", url, "--ca", str(authority.cert))
    with tls_in_front(server.url, issue(tmp_path, "elsewhere", authority)) as url:
        assert "its certificate is for another name" in problem("--host", url, "--ca", str(authority.cert))


def test_a_server_can_require_a_certificate_of_the_client(
    server: KfpServer, authority: Issued, localhost: Issued, tmp_path: Path
) -> None:
    client = issue(tmp_path, "client", authority)
    foreign = issue(tmp_path, "foreign", issue(tmp_path, "nobody"))
    with tls_in_front(server.url, localhost, clients=authority) as url:
        options = ("--host", url, "--ca", str(authority.cert))
        assert works(server, *options, "--cert", str(client.both))
        assert works(server, *options, "--cert", str(client.cert), "--key", str(client.key))
        server.requests.clear()
        message = problem(*options)
        assert "the server asks for a client certificate. Give --cert FILE.pem" in message
        message = problem(*options, "--cert", str(foreign.both))
        assert f"the server does not accept the client certificate --cert {foreign.both}." in message
        assert not server.requests


def test_files_that_are_no_certificates_are_refused_without_a_request(
    server: KfpServer, authority: Issued, tmp_path: Path
) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    locked = issue(tmp_path, "client", authority, password=b"secret")
    assert f"--ca {text}: expected certificates in PEM format" in problem("--host", server.url, "--ca", str(text))
    assert "'missing.pem' does not exist" in problem("--host", server.url, "--ca", "missing.pem")
    for options in (["--cert", str(text)], ["--cert", str(authority.cert)], ["--cert", str(locked.both)]):
        message = problem("--host", server.url, *options)
        assert f"--cert {options[1]}: expected a certificate in PEM format and its key, without a password" in message
    assert "give the certificate of this key" in problem("--host", server.url, "--key", str(locked.key))
    assert not server.requests


def test_a_server_without_tls_and_one_with_tls_are_told_apart(
    server: KfpServer, authority: Issued, localhost: Issued
) -> None:
    message = problem("--host", server.url.replace("http:", "https:"))
    assert "the server does not speak TLS on this port. Give an address that begins with http://" in message
    with tls_in_front(server.url, localhost) as url:
        message = problem("--host", url.replace("https:", "http:"))
        assert "whether it begins with the right one of http:// and https://" in message
    server.failures = [(400, "text/plain", "Client sent an HTTP request to an HTTPS server.")]
    assert "the server speaks only TLS on this port" in problem("--host", server.url)


def test_a_proxy_passes_requests_on(server: KfpServer, authority: Issued, localhost: Issued) -> None:
    with proxy() as between, tls_in_front(server.url, localhost) as url:
        options = ("--host", url, "--ca", str(authority.cert))
        assert works(server, *options, "--proxy", between.url)
        assert {tuple(line.split()[:2]) for line in between.lines} == {("CONNECT", url.removeprefix("https://"))}
        between.lines.clear()
        assert works(server, "--host", server.url, "--proxy", between.url.removeprefix("http://"))
        assert between.lines[0].startswith(f"GET {server.url}/apis/v2beta1/healthz")


def test_the_standard_variables_choose_a_proxy(
    server: KfpServer, authority: Issued, localhost: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as between, tls_in_front(server.url, localhost) as url:
        options = ("--host", url, "--ca", str(authority.cert))
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        assert works(server, *options)
        assert between.lines
        between.lines.clear()
        monkeypatch.setenv("NO_PROXY", "example.org,localhost")
        assert works(server, *options)
        assert works(server, "--host", server.url)
        assert not between.lines


def test_a_proxy_gets_the_user_and_its_problems_are_told_without_it(
    server: KfpServer, authority: Issued, localhost: Issued
) -> None:
    with proxy() as between, tls_in_front(server.url, localhost) as url:
        options = ["--host", url, "--ca", str(authority.cert)]
        named = between.url.replace("http://", f"http://me:{SECRET}@")
        assert works(server, *options, "--proxy", named)
        assert set(between.credentials) == {"Basic bWU6czNjcjN0LXZhbHVl"}
        between.refusal = "407 Proxy Authentication Required"
        message = problem(*options, "--proxy", named)
        assert f"cannot be reached through the proxy {between.url} (Tunnel connection failed: 407" in message
        assert SECRET not in message
        assert "the proxy denies access (407" in problem("--host", server.url, "--proxy", named)
    assert "cannot be reached through the proxy" in problem(*options, "--proxy", f"http://me:{SECRET}@localhost:9")
    assert "cannot use the proxy socks5://localhost:9" in problem(*options, "--proxy", "socks5://localhost:9")


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


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((403, "application/json", '{"message": "no"}'), "denies access (403 Forbidden: no). The account may not"),
        ((401, "text/plain", ""), "denies access (401 Unauthorized: no further text): it does not know who asks"),
        (
            (404, "text/plain", "page not found"),
            "the API of Kubeflow Pipelines does not answer behind this address (404",
        ),
        (
            (504, "text/plain", "Error occurred while trying to proxy"),
            "the API server is down: `kubectl -n kubeflow get",
        ),
        ((502, "text/html", "<html><title>Bad</title></html>"), "behind this address (502 Bad Gateway: Bad)"),
        ((200, "text/html", "<title>Dex</title>"), "but a web page 'Dex': perhaps a page to log in"),
        (
            (400, "text/html", "<title>400 No required SSL certificate was sent</title>"),
            "asks for a client certificate",
        ),
        ((500, "application/json", '{"error": "database is gone"}'), "refused the request (500 Internal Server Error"),
    ],
)
def test_each_refusal_has_its_sentence(server: KfpServer, answer: tuple[int, str, str], sentence: str) -> None:
    for healthy in (0, 1):
        server.failures = [*[(200, "application/json", "{}")] * healthy, answer]
        assert sentence in problem("--host", server.url)


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        (
            "kubeflow.example",
            "Give https://kubeflow.example or, for a server without TLS such as a port forward, http://",
        ),
        (
            "ftp://kubeflow.example",
            "expected a URL that begins with http:// or https://. Give https://kubeflow.example",
        ),
        ("https://kubeflow.invalid", "cannot be reached: the name kubeflow.invalid is not known here"),
        ("", "--host is missing: give the address of Kubeflow Pipelines, or set KF_PIPELINES_ENDPOINT"),
    ],
)
def test_each_wrong_host_has_its_sentence(host: str, sentence: str) -> None:
    assert sentence in problem("--host", host)


def test_a_port_without_a_server_has_its_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = problem("--host", f"http://127.0.0.1:{port}")
    assert "cannot be reached: nothing accepts connections there (connection refused)" in message
    assert "kubectl -n kubeflow port-forward" in message


@contextmanager
def silent_server(answer_after: float = 60.0) -> Iterator[str]:
    """Run a server that accepts connections and answers, if ever, after some seconds."""
    closing = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while not closing.is_set():
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                if not closing.wait(answer_after):
                    client.recv(65536)
                    client.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                        b"Connection: close\r\n\r\n{}"
                    )
                client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            closing.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_host_that_does_not_answer_is_told_while_it_is_still_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection.NOTICE_SECONDS == 10
    monkeypatch.setattr(connection, "NOTICE_SECONDS", 0.05)
    monkeypatch.setattr(connection, "TIMEOUT", (1, 0.1))
    with silent_server() as url:
        result = runs("--host", url)
    assert result.exit_code == 2
    notice, error = result.stderr.splitlines()
    assert notice == (
        f"{url}: no answer for 0.05 s to GET /apis/v2beta1/healthz. Still trying: up to 4 times 1 s for a connection "
        "and 0.1 s for an answer."
    )
    assert f"{url}: accepts connections, but gave no answer within" in error


def test_a_slow_host_is_told_once_and_its_answer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "NOTICE_SECONDS", 0.1)
    with silent_server(0.2) as url:
        result = runs("--host", url)
    assert result.exit_code == 0
    assert "No runs." in result.stdout
    assert [line.partition(". Still trying")[0].rpartition(" ")[2] for line in result.stderr.splitlines()] == [
        "/apis/v2beta1/healthz",
        "/apis/v2beta1/runs",
    ]


def test_a_host_that_answers_is_not_told(server: KfpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "NOTICE_SECONDS", 0.3)
    server.failures = [(200, "application/json", "{}")] * 2
    result = runs("--host", server.url)
    time.sleep(0.4)
    assert (result.exit_code, result.stderr) == (0, "")
