"""Emulators of object stores, each in a separate process, with an HTTP interface."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

# The emulators queue few connections. On Linux, further ones wait for a second.
_QUEUE = "import socketserver; socketserver.TCPServer.request_queue_size = 128; import sys; "
_GCS = f"{_QUEUE}from gcp_storage_emulator.__main__ import main; main(['start', '-q', '--in-memory', *sys.argv[1:]])"
_S3 = f"{_QUEUE}from moto.server import main; main(sys.argv[1:])"
_SECONDS_TO_START = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def gcs_emulator(bucket: str) -> Iterator[int]:
    """Run gcp-storage-emulator with one bucket, and yield its port."""
    port = free_port()
    with _running(_GCS, f"--port={port}", "--host=127.0.0.1", f"--default-bucket={bucket}", port=port):
        yield port


@contextmanager
def s3_emulator() -> Iterator[int]:
    """Run the server of moto, and yield its port."""
    port = free_port()
    with _running(_S3, "-p", str(port), "-H", "127.0.0.1", port=port):
        yield port


@contextmanager
def _running(program: str, *arguments: str, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"the emulator did not start (exit code {process.poll()})") from None
            time.sleep(0.05)
        else:
            return
