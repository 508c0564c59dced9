"""Which store holds which URIs."""

from pathlib import Path

from yt8m.errors import StorageError, suggest
from yt8m.storage.gcs import gcs_client
from yt8m.storage.local import LocalStore
from yt8m.storage.remote import RemoteStore
from yt8m.storage.s3 import s3_client
from yt8m.storage.store import Store

_LOCAL = LocalStore()

# URI scheme -> store; paths without a scheme are local.
STORES: dict[str, Store] = {"file": _LOCAL, "gs": RemoteStore(gcs_client), "s3": RemoteStore(s3_client)}


def store_of(uri: str | Path) -> Store:
    """The store that holds a URI.

    Raises:
        StorageError: Its scheme is unknown.
    """
    scheme, separator, _ = str(uri).partition("://")
    if not separator:
        return _LOCAL
    if scheme not in STORES:
        raise StorageError(f"{uri}: unknown kind of storage '{scheme}'. {suggest(scheme, STORES)}")
    return STORES[scheme]
