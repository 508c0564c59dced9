"""Google Cloud Storage."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from yt8m.storage.checksums import Checksum, chunks_of, crc32c
from yt8m.storage.objects import ObjectClient, ObjectInfo, Place, Trouble
from yt8m.storage.ranges import RANGES_AT_ONCE
from yt8m.storage.retry import CONNECT_SECONDS, SILENCE_SECONDS

_TIMEOUT = (CONNECT_SECONDS, SILENCE_SECONDS)
# Threads that may talk to the store at the same time: ranges, and shards that TensorFlow asks for.
_CONNECTIONS = 4 * RANGES_AT_ONCE


class GcsClient:
    """Objects in Google Cloud Storage, or in the emulator that `STORAGE_EMULATOR_HOST` names.

    Credentials are Google's application default credentials; without any, only public buckets can be read.
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

    def info(self, place: Place) -> ObjectInfo:
        """What the store says about an object."""
        blob = self._blob(place)
        blob.reload(timeout=_TIMEOUT, retry=None)
        fingerprint = f"{blob.generation}-{blob.crc32c}"
        return ObjectInfo(blob.size, str(blob.generation), fingerprint, Checksum("crc32c", blob.crc32c))

    def keys(self, bucket: str, prefix: str, limit: int | None) -> list[str]:
        """Names of the objects, `limit` at most, whose names begin with a prefix."""
        fields = "items(name),nextPageToken"
        blobs = self._client.list_blobs(
            bucket, prefix=prefix, max_results=limit, fields=fields, timeout=_TIMEOUT, retry=None
        )
        return [blob.name for blob in blobs]

    def read(self, place: Place, version: str, start: int, size: int) -> bytes:
        """Bytes of a version of an object, as stored."""
        blob = self._blob(place, generation=int(version))
        data: bytes = blob.download_as_bytes(
            start=start,
            end=start + size - 1,
            raw_download=True,
            checksum=None,  # a range has none; the whole file's is compared
            timeout=_TIMEOUT,
            retry=None,
        )
        if len(data) != size:
            raise ConnectionError(f"{len(data)} bytes came where {size} were asked for")
        return data

    def upload(self, place: Place, path: Path) -> None:
        """Make a file an object; the store refuses content that does not match the checksum sent with it."""
        self._blob(place).upload_from_filename(
            path,
            checksum="crc32c",
            crc32c_checksum_value=crc32c(chunks_of(path)),
            timeout=_TIMEOUT,
            retry=None,
        )

    def trouble(self, error: Exception) -> Trouble:
        """What an error means."""
        from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415
        from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: PLC0415
        from google.cloud.storage.exceptions import DataCorruption  # noqa: PLC0415
        from requests.exceptions import RequestException  # type: ignore[import-untyped]  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        if isinstance(error, GoogleAPICallError):
            # Content that was damaged on its way is refused with status 400.
            damaged = error.code == 400 and "crc32c" in str(error).lower()
            return Trouble.TRANSIENT if damaged else Trouble.of_status(error.code)
        if isinstance(error, (ConnectionError, TimeoutError, RequestException, HTTPError, DataCorruption)):
            return Trouble.TRANSIENT
        if isinstance(error, GoogleAuthError):
            # Where credentials come from a server, they tell so of its connection.
            unreachable = any(isinstance(each, TransportError) for each in (error, error.__cause__))
            return Trouble.TRANSIENT if unreachable or error.retryable else Trouble.DENIED
        return Trouble.LASTING

    def _blob(self, place: Place, generation: int | None = None) -> Any:
        return self._client.bucket(place.bucket).blob(place.key, generation=generation)


def gcs_client() -> ObjectClient:
    """The process's client; another one where the emulator is another."""
    return _client_for(os.environ.get("STORAGE_EMULATOR_HOST", ""))


@cache
def _client_for(_emulator: str) -> GcsClient:
    return GcsClient()
