"""HTTP proxy that injects the faults of networks and of overloaded stores."""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

FAULTS = ("status 429", "status 503", "reset", "reset after", "cut", "flip", "flip sent")
# Faults after the store has answered. Other faults of writing requests occur before the store receives them.
_AFTERWARDS = ("reset after", "cut", "flip")
_READING = ("GET", "HEAD")


@dataclass
class Plan:
    """Plan of the requests that fail.

    Attributes:
        fault: One of `FAULTS`. `flip` changes a bit of the answer, `flip sent` a bit of the request, and `reset after`
            forwards the request but drops the answer.
        times: Number of matching requests that fail.
        matching: Predicate over method, path with query, and size in bytes: that of the request's body for faults
            before the answer, otherwise that of the larger of both bodies.
        done: Number of requests that have failed.
    """

    fault: str
    times: int
    matching: Callable[[str, str, int], bool] = lambda *_: True
    done: int = 0
    lock: Lock = field(default_factory=Lock)

    def applies(self, method: str, path: str, size: int) -> bool:
        if not self.matching(method, path, size):
            return False
        with self.lock:
            if self.done >= self.times:
                return False
            self.done += 1
            return True


class FaultProxy:
    """Proxy for a server on this machine. Its `plan` says which requests fail.

    Args:
        target_port: Port of the server.
        port: Port of the proxy. 0 means any free port.
    """

    def __init__(self, target_port: int, port: int = 0) -> None:
        self.plan: Plan | None = None
        self.requests: list[tuple[str, str]] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.handle(self, target_port)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """Ignore clients that closed their connection."""

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, request: BaseHTTPRequestHandler, target_port: int) -> None:
        method, path = request.command, request.path
        sent = _read_body(request)
        self.requests.append((method, path))
        plan, size = self.plan, len(sent)
        early = plan and method not in _READING and plan.fault not in _AFTERWARDS
        if plan and early and plan.applies(method, path, size):
            if plan.fault != "flip sent":
                return _fail(request, plan.fault)
            sent = flip_bit(sent)
        status, headers, answer = _forward(request, sent, target_port)
        if plan and not early and plan.applies(method, path, max(size, len(answer))):
            if plan.fault == "flip":
                answer = flip_bit(answer)
            elif plan.fault == "cut":
                return _answer(request, status, headers, answer, cut=True)
            else:
                return _fail(request, plan.fault)
        return _answer(request, status, headers, answer)


def flip_bit(data: bytes) -> bytes:
    """Change one bit in the middle."""
    changed = bytearray(data)
    if changed:
        changed[len(changed) // 2] ^= 1
    return bytes(changed)


def _read_body(request: BaseHTTPRequestHandler) -> bytes:
    if "chunked" in request.headers.get("Transfer-Encoding", ""):
        body = b""
        while size := int(request.rfile.readline().split(b";")[0], 16):
            body += request.rfile.read(size)
            request.rfile.readline()
        request.rfile.readline()
        return body
    # An `Expect: 100-continue` was answered by http.server.
    return request.rfile.read(int(request.headers.get("Content-Length", 0)))


def _forward(
    request: BaseHTTPRequestHandler, body: bytes, target_port: int
) -> tuple[int, list[tuple[str, str]], bytes]:
    skipped = {"transfer-encoding", "content-length", "connection", "expect"}
    headers = {name: value for name, value in request.headers.items() if name.lower() not in skipped}
    connection = HTTPConnection("127.0.0.1", target_port, timeout=30)
    try:
        connection.request(request.command, request.path, body, headers | {"Content-Length": str(len(body))})
        response = connection.getresponse()
        answer = response.read()
        return response.status, response.getheaders(), answer
    finally:
        connection.close()


def _fail(request: BaseHTTPRequestHandler, fault: str) -> None:
    if fault.startswith("status"):
        _answer(request, int(fault.removeprefix("status ")), [], b"too much")
    else:
        _reset(request)


def _answer(
    request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: bool = False
) -> None:
    request.send_response(status)
    length = {name.lower(): value for name, value in headers}.get("content-length") if not body else None
    for name, value in headers:
        if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
            request.send_header(name, value)
    request.send_header("Content-Length", length or str(len(body)))  # an answer to HEAD gives a size without a body
    request.end_headers()
    request.wfile.write(body[: len(body) // 2] if cut else body)
    if cut:
        request.close_connection = True


def _reset(request: BaseHTTPRequestHandler) -> None:
    """Close the connection with RST instead of an answer."""
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()
    request.close_connection = True
