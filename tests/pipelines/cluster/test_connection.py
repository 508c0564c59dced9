"""Connections to a cluster, through the command line and real servers: TLS, proxies, refusals, silent hosts."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.cluster import connection
from tests.pipelines.cluster.commands import SECRET, problem, runs, works
from tests.pipelines.cluster.kfp_server import KfpServer
from tests.pipelines.cluster.tls import Issued, issue, proxy, tls_in_front

pytestmark = [
    # google-cloud-storage warns once.
    pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning"),
    pytest.mark.usefixtures("no_proxy_settings"),
]


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
