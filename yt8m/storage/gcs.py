"""Client of Google Cloud Storage."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from yt8m.storage.checksums import Checksum, chunks_of, crc32c
from yt8m.storage.interface import Failure, ListedFile, ObjectClient, ObjectInfo, ObjectPath
from yt8m.storage.ranges import RANGES_AT_ONCE
from yt8m.storage.retry import CONNECT_SECONDS, SILENCE_SECONDS

_TIMEOUT = (CONNECT_SECONDS, SILENCE_SECONDS)
# Threads that may use the client at the same time: those that read ranges, and those of TensorFlow that open shards.
_CONNECTIONS = 4 * RANGES_AT_ONCE


class GcsClient:
    """Client of Google Cloud Storage, or of the emulator at `STORAGE_EMULATOR_HOST`.

    Uses Google's application default credentials. Without credentials, only public buckets can be read.
    """

    access_remedy = (
        "Give this account the role roles/storage.objectUser on the bucket (roles/storage.objectViewer to read only); "
        "without credentials, run `gcloud auth application-default login` or set up Workload Identity."
    )

    def __init__(self) -> None:
        from google.auth.exceptions import DefaultCredentialsError  # noqa: PLC0415 - slow to import
        from google.cloud import storage  # noqa: PLC0415
        from requests.adapters import HTTPAdapter  # type: ignore[import-untyped]  # noqa: PLC0415

        try:
            client = storage.Client(project=os.environ.get("GOOGLE_CLOUD_PROJECT"))
        except DefaultCredentialsError:
            client = storage.Client.create_anonymous_client()
        for scheme in ("https://", "http://"):
            client._http.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
        self._client = client

    def info(self, path: ObjectPath) -> ObjectInfo:
        """Fetch the metadata of an object."""
        blob = self._blob(path)
        blob.reload(timeout=_TIMEOUT, retry=None)
        fingerprint = f"{blob.generation}-{blob.crc32c}"
        return ObjectInfo(blob.size, str(blob.generation), fingerprint, Checksum("crc32c", blob.crc32c))

    def objects(self, bucket: str, prefix: str, limit: int | None) -> list[ListedFile]:
        """List at most `limit` objects whose names begin with a prefix."""
        fields = "items(name,size,updated),nextPageToken"
        blobs = self._client.list_blobs(
            bucket, prefix=prefix, max_results=limit, fields=fields, timeout=_TIMEOUT, retry=None
        )
        return [ListedFile(blob.name, blob.size, blob.updated.timestamp()) for blob in blobs]

    def remove(self, bucket: str, keys: Sequence[str]) -> None:
        """Remove objects one after the other, except those that are gone already."""
        ignore_missing = lambda _: None  # noqa: E731
        self._client.bucket(bucket).delete_blobs(keys, on_error=ignore_missing, timeout=_TIMEOUT, retry=None)

    def read(self, path: ObjectPath, version: str, start: int, size: int) -> bytes:
        """Read bytes of one version of an object, as stored."""
        blob = self._blob(path, generation=int(version))
        data: bytes = blob.download_as_bytes(
            start=start,
            end=start + size - 1,
            raw_download=True,
            checksum=None,  # a range has no checksum; the caller verifies the whole object
            timeout=_TIMEOUT,
            retry=None,
        )
        if len(data) != size:
            raise ConnectionError(f"{len(data)} bytes arrived instead of {size}")
        return data

    def upload(self, path: ObjectPath, file: Path) -> None:
        """Upload a file. The store refuses content that does not match the checksum sent with it."""
        self._blob(path).upload_from_filename(
            file,
            checksum="crc32c",
            crc32c_checksum_value=crc32c(chunks_of(file)),
            timeout=_TIMEOUT,
            retry=None,
        )

    def classify(self, error: Exception) -> Failure:
        """Classify an error that this client raised."""
        from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415
        from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: PLC0415
        from google.cloud.storage.exceptions import DataCorruption  # noqa: PLC0415
        from requests.exceptions import RequestException  # type: ignore[import-untyped]  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        if isinstance(error, GoogleAPICallError):
            # Uploads that were damaged in transit are refused with status 400.
            damaged = error.code == 400 and "crc32c" in str(error).lower()
            return Failure.TRANSIENT if damaged else Failure.of_status(error.code)
        if isinstance(error, (ConnectionError, TimeoutError, RequestException, HTTPError, DataCorruption)):
            return Failure.TRANSIENT
        if isinstance(error, GoogleAuthError):
            # A server that issues credentials may be unreachable for a moment.
            unreachable = any(isinstance(each, TransportError) for each in (error, error.__cause__))
            return Failure.TRANSIENT if unreachable or error.retryable else Failure.DENIED
        return Failure.PERMANENT

    def _blob(self, path: ObjectPath, generation: int | None = None) -> Any:
        return self._client.bucket(path.bucket).blob(path.key, generation=generation)


def gcs_client() -> ObjectClient:
    """Return the client of this process, one per emulator address."""
    return _client_for(os.environ.get("STORAGE_EMULATOR_HOST", ""))


@cache
def _client_for(_emulator: str) -> GcsClient:
    return GcsClient()
