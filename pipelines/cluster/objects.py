"""Objects in the stores of runs in a cluster, read through the server of Kubeflow's user interface or directly."""

import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
from kfp_server_api import ApiException  # type: ignore[import-untyped]

from pipelines.cluster.client import Cluster
from pipelines.cluster.connection import is_page
from yt8m import storage
from yt8m.errors import ClusterError, StorageError
from yt8m.progress import progress
from yt8m.storage.interface import MissingObjectError, ObjectPath

# Names of stores in the addresses of the interface's server, by scheme. `s3://` may also be Kubeflow's own store.
_SOURCES: Mapping[str, Sequence[str]] = {"minio": ("minio",), "s3": ("minio", "s3"), "gs": ("gcs",)}
_MEGABYTE = 1 << 20
# Transfers from this size on show their progress.
_LARGE_BYTES = 20 * _MEGABYTE
# Parts of the server's answers for objects that do not exist.
_MISSING = ("No objects found", "NoSuchKey", "key does not exist")
# Header of the server's answers with a folder, which it packs.
_FOLDER_HEADER = "content-disposition"


class OtherServerError(StorageError):
    """The host is not the server of the user interface, which alone has logs and artifacts."""


class Objects:
    """Objects in the stores of a cluster's runs.

    Args:
        cluster: The cluster, whose user interface can read the stores.
        namespace: Namespace of the runs.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def pod_log(self, pod: str, run_id: str) -> str:
        """Return the log of a pod that still exists.

        Raises:
            StorageError: The interface's server does not have it.
        """
        query = {"podname": pod, "podnamespace": self._namespace, "runid": run_id}
        with self._open("/k8s/pod/logs", query) as response:
            if is_page(response):
                raise self._other_server()
            return str(response.data.decode(errors="replace"))

    def read(self, uri: str) -> bytes:
        """Read a small object, through the interface's server if that has it.

        Raises:
            StorageError: It cannot be read. The message has the reason of each way.
            MissingObjectError: There is no such object.
        """
        problems: list[StorageError] = []
        for source, path in _ways(uri):
            query = {"source": source, "namespace": self._namespace, "bucket": path.bucket, "key": path.key}
            try:
                with self._open("/artifacts/get", query) as response:
                    content: bytes = response.data
                    # The server marks texts from Google's store as pages, and answers an empty one if it has none.
                    if is_page(response) and (source != "gcs" or content.lstrip().startswith(b"<")):
                        raise self._other_server()
                    if content or source != "gcs":
                        return content
                    raise MissingObjectError(f"{self._cluster.access.host} finds no such object")
            except StorageError as error:
                problems.append(error)
        try:
            return storage.read_bytes(uri)
        except StorageError as error:
            raise _together(uri, [*problems, error]) from None

    def download(self, uri: str, target: Path, total_bytes: int = 0) -> None:
        """Copy an object or a folder of objects.

        The store is read directly if this machine can do that: the interface's server changes texts from Google's
        store, and it packs folders without saying what is in them.

        Args:
            uri: URI of the object or folder.
            target: File or folder to write, which does not exist.
            total_bytes: Number of bytes to expect, for the display of progress; 0 if it is not known.

        Raises:
            StorageError: It cannot be read. The message has the reason of each way.
            MissingObjectError: There is no such object.
        """
        try:
            _copy(uri, target)
            return
        except StorageError as error:
            problems = [error]
        for source, path in _ways(uri):
            _remove(target)
            try:
                if source == "gcs":
                    raise StorageError("the user interface gives no exact copies of objects in Google's store")
                address = f"/artifacts/{source}/{quote(path.bucket)}/{quote(path.key)}"
                with self._open(address, {"namespace": self._namespace}) as response:
                    if is_page(response):
                        raise self._other_server()
                    _save(response, target, total_bytes)
                return
            except StorageError as error:
                problems.append(error)
        _remove(target)
        raise _together(uri, problems) from None

    @contextmanager
    def _open(self, path: str, query: Mapping[str, str]) -> Iterator[Any]:
        """Request something from the interface's server, and turn its refusals into errors of storage."""
        host = self._cluster.access.host
        try:
            response = self._cluster.get(path, query, absent=())
        except ClusterError as error:
            cause = error.__cause__
            if not isinstance(cause, ApiException) or not cause.status:
                raise
            body = cause.body.decode(errors="replace") if isinstance(cause.body, bytes) else str(cause.body or "")
            text = " ".join(body.split())[:300] or cause.reason
            is_missing = any(sign in text for sign in _MISSING)
            if cause.status == 404 and not is_missing:
                raise self._other_server() from None
            kind = MissingObjectError if is_missing else StorageError
            raise kind(f"{host} answers {cause.status}: {text}") from None
        assert response is not None, "no status code means that there is nothing"
        try:
            yield response
        except (urllib3.exceptions.HTTPError, tarfile.TarError, EOFError, zlib.error) as error:
            raise StorageError(f"{host}: the transfer broke off ({' '.join(str(error).split())})") from error
        finally:
            response.close()

    def _other_server(self) -> OtherServerError:
        return OtherServerError(f"{self._cluster.access.host} is not the address of the user interface")


def _ways(uri: str) -> list[tuple[str, ObjectPath]]:
    """Return the stores in which the interface's server can look for an object, and its name there."""
    scheme, separator, _ = uri.partition("://")
    return [(source, ObjectPath.parse(uri)) for source in _SOURCES.get(scheme, ()) if separator]


def _copy(uri: str, target: Path) -> None:
    """Copy an object, or the objects of a folder, from the store."""
    folder = f"{uri.rstrip('/')}/"
    files = [file for file in storage.list_files(uri) if not file.uri.endswith("/")]
    if not files:
        shutil.copyfile(storage.stage_in(uri), target)
        return
    with _shown(sum(file.size for file in files)) as advance:
        ahead = storage.ReadAhead([file.uri for file in files])
        for file in files:
            path = target / file.uri.removeprefix(folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ahead.stage_in(file.uri), path)
            advance(file.size)


def _save(response: urllib3.BaseHTTPResponse, target: Path, total_bytes: int) -> None:
    """Write the answer of the interface's server: the content of an object, or a packed folder."""
    if _FOLDER_HEADER in response.headers:
        with tarfile.open(fileobj=response, mode="r|gz") as archive:
            archive.extractall(target, filter="data")
        return
    with _shown(total_bytes) as advance, target.open("wb") as file:
        for chunk in response.stream(_MEGABYTE):
            file.write(chunk)
            advance(len(chunk))


@contextmanager
def _shown(total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of a large transfer, of which the yielded function is told the bytes that arrived."""
    if total_bytes < _LARGE_BYTES:
        yield lambda _: None
        return
    arrived = 0
    with progress("Fetching", -(-total_bytes // _MEGABYTE), "MB") as advance:

        def add(amount: int) -> None:
            nonlocal arrived
            before, arrived = arrived // _MEGABYTE, arrived + amount
            advance(arrived // _MEGABYTE - before + (arrived == total_bytes and arrived % _MEGABYTE > 0))

        yield add


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _together(uri: str, problems: Sequence[StorageError]) -> StorageError:
    """Return one error for all ways in which an object was not found."""
    kind = MissingObjectError if any(isinstance(each, MissingObjectError) for each in problems) else StorageError
    reasons = [str(problem).removeprefix(f"{uri}: ").rstrip(".") for problem in problems]
    return kind(f"{uri}: {'; '.join(dict.fromkeys(reasons))}.")
