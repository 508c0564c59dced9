"""Certificates, a TLS server and a proxy for tests of connections."""

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Issued(NamedTuple):
    """A certificate and its key, in files."""

    certificate: x509.Certificate
    secret: ec.EllipticCurvePrivateKey
    cert: Path
    key: Path
    both: Path


def issue(folder: Path, name: str, by: Issued | None = None, *, days: int = 1, password: bytes = b"") -> Issued:
    """Make a certificate for this machine's address, signed by itself if by no other."""
    secret = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    address = x509.DNSName("localhost" if name == "localhost" else f"{name}.example")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(by.secret if by else secret, hashes.SHA256())
    )
    paths = [folder / f"{name}-{certificate.serial_number}{end}" for end in (".crt", ".key", ".pem")]
    cover = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    texts = [
        certificate.public_bytes(serialization.Encoding.PEM),
        secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cover),
    ]
    for path, text in zip(paths, [*texts, b"".join(texts)], strict=True):
        path.write_bytes(text)
    return Issued(certificate, secret, *paths)


@contextmanager
def tls_in_front(url: str, server: Issued, clients: Issued | None = None) -> Iterator[str]:
    """Run a TLS server that passes everything on to a server without TLS, and return its address.

    Args:
        url: Address of the other server.
        server: Certificate of the TLS server.
        clients: Authority whose certificates clients must have.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.cert)
    target = urlsplit(url)

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            inner = context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
            try:
                inner.do_handshake()
            except OSError:
                # The client must be able to read why.
                with socket.socket(fileno=inner.detach()) as refused:
                    refused.shutdown(socket.SHUT_WR)
                    _read_all(refused)
                return
            with inner, socket.create_connection((target.hostname, target.port)) as outer:
                _pass_on(inner, outer)

    with _serving(Handler) as port:
        yield f"https://localhost:{port}"


@dataclass
class Proxy:
    """A proxy.

    Attributes:
        url: Address of the proxy.
        lines: First line of each request.
        credentials: Value of the header Proxy-Authorization of each request.
        refusal: Status line to answer with instead.
    """

    url: str = ""
    lines: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    refusal: str = ""


@contextmanager
def proxy() -> Iterator[Proxy]:
    """Run a proxy, which sends all requests to ports of this machine."""
    state = Proxy()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.rfile.read(1)
            line, *headers = head.decode().splitlines()
            state.lines.append(line)
            state.credentials += [each.partition(": ")[2] for each in headers if each.lower().startswith("proxy-auth")]
            if state.refusal:
                self.wfile.write(f"HTTP/1.1 {state.refusal}\r\nContent-Length: 0\r\n\r\n".encode())
                return
            method, url, _ = line.split()
            target = urlsplit(url if "://" in url else f"//{url}")
            with socket.create_connection(("localhost", target.port)) as outer:
                if method == "CONNECT":
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    outer.sendall(head.replace(url.encode(), url.partition(target.netloc)[2].encode(), 1))
                _pass_on(self.request, outer)

    with _serving(Handler) as port:
        state.url = f"http://localhost:{port}"
        yield state


@contextmanager
def _serving(handler: type[StreamRequestHandler]) -> Iterator[int]:
    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _pass_on(first: socket.socket, second: socket.socket) -> None:
    """Send what each of two sockets receives to the other, until one of them is closed."""
    other = threading.Thread(target=_copy, args=(second, first), daemon=True)
    other.start()
    _copy(first, second)
    other.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _read_all(source: socket.socket) -> None:
    try:
        while source.recv(65536):
            pass
    except OSError:
        pass
