"""The stores by URI scheme."""

from pathlib import Path

from yt8m.errors import StorageError, suggest
from yt8m.storage.gcs import gcs_client
from yt8m.storage.interface import Store
from yt8m.storage.local import LocalStore
from yt8m.storage.remote import RemoteStore
from yt8m.storage.s3 import minio_client, s3_client

_LOCAL = LocalStore()

# Paths without a scheme are local. Kubeflow writes `minio` for its own store, which speaks S3's protocol.
STORES: dict[str, Store] = {
    "file": _LOCAL,
    "gs": RemoteStore(gcs_client),
    "s3": RemoteStore(s3_client),
    "minio": RemoteStore(minio_client),
}


def store_of(uri: str | Path) -> Store:
    """Return the store that a URI belongs to.

    Raises:
        StorageError: The scheme of the URI is unknown.
    """
    scheme, separator, _ = str(uri).partition("://")
    if not separator:
        return _LOCAL
    if scheme not in STORES:
        raise StorageError(f"{uri}: unknown kind of storage '{scheme}'. {suggest(scheme, STORES)}")
    return STORES[scheme]
