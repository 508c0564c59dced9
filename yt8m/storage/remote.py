"""Object stores as stores of files: glob patterns, verified reading, and uploads."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from yt8m.errors import StorageError
from yt8m.storage.cache import CorruptTransferError, cache_folder, is_transient, shard_cache
from yt8m.storage.interface import (
    ChangedObjectError,
    FileStat,
    ListedFile,
    MissingObjectError,
    ObjectClient,
    ObjectInfo,
    ObjectPath,
)
from yt8m.storage.names import tail_of
from yt8m.storage.patterns import WILDCARDS, count_names, why_no_match
from yt8m.storage.ranges import download
from yt8m.storage.retry import retried

Result = TypeVar("Result")

# Attempts to read an object that arrives damaged or is rewritten during the transfer. Failed requests are retried
# within each attempt.
TRANSFERS = 4
# Seconds before the second attempt after an error of the volume with the cache. They double with each attempt.
WAIT_SECONDS = 0.5

_LOGGER = logging.getLogger("yt8m.storage")
# Number of objects that a thread removes before an error of one ends the others, and of threads that remove.
_REMOVED_TOGETHER = 100
_REMOVALS_AT_ONCE = 8


class RemoteStore:
    """An object store.

    Args:
        make_client: Function that returns the client. Called on first use, because the libraries are slow to import.
    """

    remote = True

    def __init__(self, make_client: Callable[[], ObjectClient]) -> None:
        self._make_client = make_client

    def list_uris(self, pattern: str) -> list[str]:
        """List the objects that match a glob pattern (`**` for any number of folders), sorted."""
        path = ObjectPath.parse(pattern)
        parts = path.key.split("/")
        names = count_names(parts, lambda number: self._is_name(path, "/".join(parts[:number]), number == len(parts)))
        literal, patterns = parts[:names], parts[names:]
        prefix = "/".join([*literal, _fixed_prefix("/".join(patterns))] if patterns else literal)
        keys = (found.uri for found in self._objects(path, prefix, None))
        matching = sorted(key for key in keys if _matches(key, literal, patterns) and not key.endswith("/"))
        return [str(ObjectPath(path.scheme, path.bucket, key)) for key in matching]

    def explain(self, pattern: str, found: Sequence[str], noun: str, ending: str) -> str:
        """Explain why a pattern names no objects; empty if it names some."""
        if found:
            return ""
        if self.exists(pattern):
            return f"'{pattern}' is a folder. Give its {noun}s: '{pattern.rstrip('/')}/*{ending}'."
        return why_no_match(pattern, noun, self.list_uris)

    def identity(self, uri: str) -> str:
        """Return the URI itself, since an object has one name."""
        return uri

    def list_files(self, folder: str) -> list[ListedFile]:
        """List all objects below a folder, sorted."""
        path = ObjectPath.parse(folder.rstrip("/"))
        objects = self._objects(path, f"{path.key}/" if path.key else "", None)
        found = [replace(each, uri=str(ObjectPath(path.scheme, path.bucket, each.uri))) for each in objects]
        return sorted(found, key=lambda each: each.uri)

    def remove(self, uris: Iterable[str]) -> None:
        """Remove objects, many by one request, except those that are gone already."""
        paths = sorted(map(ObjectPath.parse, uris), key=str)
        buckets = [list(group) for _, group in groupby(paths, key=lambda path: path.bucket)]
        parts = [
            group[start : start + _REMOVED_TOGETHER]
            for group in buckets
            for start in range(0, len(group), _REMOVED_TOGETHER)
        ]
        with ThreadPoolExecutor(_REMOVALS_AT_ONCE) as pool:
            list(pool.map(self._remove, parts))

    def exists(self, uri: str) -> bool:
        """Return whether there is an object of this name, or one in a folder of this name."""
        path = ObjectPath.parse(uri)
        try:
            self._info(path)
        except MissingObjectError:
            folder = f"{path.key.rstrip('/')}/" if path.key else ""
            try:
                return bool(self._objects(path, folder, 1))
            except MissingObjectError:  # the bucket does not exist
                return False
        return True

    def stat(self, uri: str) -> FileStat:
        """Return size and fingerprint of an object."""
        info = self._info(ObjectPath.parse(uri))
        return FileStat(info.size, info.fingerprint)

    def read_bytes(self, uri: str) -> bytes:
        """Read a whole object and verify its checksum, without the cache."""
        path = ObjectPath.parse(uri)

        def read(info: ObjectInfo) -> bytes:
            content = bytearray(info.size)

            def write(start: int, data: bytes) -> None:
                content[start : start + len(data)] = data

            download(self._make_client(), path, info, write)
            whole = bytes(content)
            if info.checksum.of([whole]) != info.checksum.value:
                raise CorruptTransferError(f"{path}: the content that arrived does not have {info.checksum}.")
            return whole

        return self._transfer(path, read)

    def stage_in(self, uri: str) -> Path:
        """Return a verified copy in the cache."""
        path = ObjectPath.parse(uri)

        def stage(info: ObjectInfo) -> Path:
            def fill(descriptor: int) -> None:
                def write(start: int, data: bytes) -> None:
                    os.pwrite(descriptor, data, start)

                download(self._make_client(), path, info, write)

            return shard_cache().get(uri, info, fill)

        return self._transfer(path, stage)

    @contextmanager
    def publish_file(self, uri: str) -> Iterator[Path]:
        """Yield a local file that is uploaded at the end. The store shows an object only when it is complete."""
        path = ObjectPath.parse(uri)
        if not path.key or path.key.endswith("/"):
            raise StorageError(f"{uri}: the object's name is missing. Write {path.scheme}://{path.bucket}/NAME.")
        client = self._make_client()
        with tempfile.TemporaryDirectory(prefix="yt8m-") as folder:
            file = Path(folder) / tail_of(path.key)
            file.touch()
            yield file
            retried("writing", path, client, partial(client.upload, path, file))

    def _info(self, path: ObjectPath) -> ObjectInfo:
        if not path.key:
            raise MissingObjectError(f"{path}: there is no such object. Give the name of an object in the bucket.")
        client = self._make_client()
        return retried("reading", path, client, partial(client.info, path))

    def _objects(self, path: ObjectPath, prefix: str, limit: int | None) -> list[ListedFile]:
        client = self._make_client()
        return retried("listing", path, client, partial(client.objects, path.bucket, prefix, limit))

    def _is_name(self, path: ObjectPath, key: str, is_object: bool) -> bool:
        """Return whether there is an object of this name, or a folder of this name with objects."""
        # A store lists names in order: an object comes before those that only begin with its name.
        return any(
            not is_object or found.uri == key for found in self._objects(path, key if is_object else f"{key}/", 1)
        )

    def _remove(self, paths: Sequence[ObjectPath]) -> None:
        client = self._make_client()
        keys = [path.key for path in paths]
        retried("removing", paths[0], client, partial(client.remove, paths[0].bucket, keys))

    def _transfer(self, path: ObjectPath, read: Callable[[ObjectInfo], Result]) -> Result:
        """Read an object with fresh metadata, and again if it arrives damaged or is rewritten during the transfer.

        A volume on which processes share the cache may fail for a moment; this, too, is tried again.
        """
        problem: StorageError | None = None
        for attempt in range(TRANSFERS):
            if attempt:
                _LOGGER.warning("%s Attempt %d of %d to read it failed, reading again.", problem, attempt, TRANSFERS)
            info = self._info(path)
            try:
                return read(info)
            except (CorruptTransferError, ChangedObjectError, MissingObjectError) as error:
                problem = error
            except OSError as error:
                if not is_transient(error):
                    raise
                problem = StorageError(f"{path}: its copy in {cache_folder()} failed ({error.strerror}).")
                time.sleep(WAIT_SECONDS * 2**attempt)
        raise StorageError(
            f"{problem} Reading was tried {TRANSFERS} times. Check the network, or write the object again."
        ) from None


def _fixed_prefix(pattern: str) -> str:
    """Return the part of a glob pattern before its first wildcard."""
    ends = [pattern.find(wildcard) for wildcard in WILDCARDS if wildcard in pattern]
    return pattern[: min(ends)] if ends else pattern


def _matches(key: str, names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Match an object's name against names, then patterns by the rules of `glob` (`**` for any number of folders)."""
    parts = key.split("/")
    return parts[: len(names)] == list(names) and _match_parts(parts[len(names) :], patterns)


def _match_parts(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return _match_parts(parts, patterns[1:]) or (bool(parts) and _match_parts(parts[1:], patterns))
    return bool(parts) and _match_part(parts[0], patterns[0]) and _match_parts(parts[1:], patterns[1:])


def _match_part(part: str, pattern: str) -> bool:
    hidden = part.startswith(".") and not pattern.startswith(".")
    return not hidden and fnmatchcase(part, pattern)
