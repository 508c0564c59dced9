"""Files in an object store."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from yt8m.errors import StorageError
from yt8m.storage.cache import CorruptTransferError, shard_cache
from yt8m.storage.glob_match import fixed_prefix, matches
from yt8m.storage.objects import ChangedObjectError, MissingObjectError, ObjectClient, ObjectInfo, Place
from yt8m.storage.ranges import download
from yt8m.storage.retry import retried
from yt8m.storage.store import FileStat

Result = TypeVar("Result")

# How often an object is read that arrives damaged or changes meanwhile; failed requests are repeated within each.
TRANSFERS = 4


class RemoteStore:
    """An object store.

    Args:
        make_client: The client; called when it is first needed, as the libraries are slow to import.
    """

    remote = True

    def __init__(self, make_client: Callable[[], ObjectClient]) -> None:
        self._make_client = make_client

    def list_uris(self, pattern: str) -> list[str]:
        """The objects that match a glob (`**` for folders in folders), sorted."""
        place = Place.parse(pattern)
        keys = self._keys(place, fixed_prefix(place.key), None)
        found = sorted(key for key in keys if matches(key, place.key) and not key.endswith("/"))
        return [str(Place(place.scheme, place.bucket, key)) for key in found]

    def exists(self, uri: str) -> bool:
        """Whether there is such an object, or any below this name."""
        place = Place.parse(uri)
        try:
            self._info(place)
        except MissingObjectError:
            folder = f"{place.key.rstrip('/')}/" if place.key else ""
            try:
                return bool(self._keys(place, folder, 1))
            except MissingObjectError:  # no such bucket
                return False
        return True

    def stat(self, uri: str) -> FileStat:
        """Size and fingerprint of an object."""
        info = self._info(Place.parse(uri))
        return FileStat(info.size, info.fingerprint)

    def read_bytes(self, uri: str) -> bytes:
        """An object's whole content, verified; nothing is kept of it."""
        place = Place.parse(uri)

        def read(info: ObjectInfo) -> bytes:
            content = bytearray(info.size)

            def write(start: int, data: bytes) -> None:
                content[start : start + len(data)] = data

            download(self._make_client(), place, info, write)
            whole = bytes(content)
            if info.checksum.of([whole]) != info.checksum.value:
                raise CorruptTransferError(f"{place}: what arrived does not have {info.checksum}.")
            return whole

        return self._transfer(place, read)

    def stage_in(self, uri: str) -> Path:
        """A verified copy in the cache."""
        place = Place.parse(uri)

        def stage(info: ObjectInfo) -> Path:
            def fill(descriptor: int) -> None:
                def write(start: int, data: bytes) -> None:
                    os.pwrite(descriptor, data, start)

                download(self._make_client(), place, info, write)

            return shard_cache().get(uri, info, fill)

        return self._transfer(place, stage)

    @contextmanager
    def publish_file(self, uri: str) -> Iterator[Path]:
        """Yield a local file that becomes the object at the end; the store shows an object when it is complete."""
        place = Place.parse(uri)
        if not place.key or place.key.endswith("/"):
            raise StorageError(f"{uri}: names no object. Write {place.scheme}://{place.bucket}/NAME.")
        with tempfile.TemporaryDirectory(prefix="yt8m-") as folder:
            path = Path(folder) / place.key.rpartition("/")[2][-100:]
            path.touch()
            yield path
            client = self._make_client()
            retried("writing", place, client, partial(client.upload, place, path))

    def _info(self, place: Place) -> ObjectInfo:
        if not place.key:
            raise MissingObjectError(f"{place}: there is no such object. Name one in the bucket.")
        client = self._make_client()
        return retried("reading", place, client, partial(client.info, place))

    def _keys(self, place: Place, prefix: str, limit: int | None) -> list[str]:
        client = self._make_client()
        return retried("listing", place, client, partial(client.keys, place.bucket, prefix, limit))

    def _transfer(self, place: Place, read: Callable[[ObjectInfo], Result]) -> Result:
        """Read an object whose information is up to date, again if it arrives damaged or changes meanwhile."""
        problem: StorageError | None = None
        for _ in range(TRANSFERS):
            info = self._info(place)
            try:
                return read(info)
            except (CorruptTransferError, ChangedObjectError, MissingObjectError) as error:
                problem = error
        raise StorageError(
            f"{problem} Reading was tried {TRANSFERS} times. Check the network, or write the object anew."
        ) from None
