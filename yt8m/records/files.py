"""Files of a node's work, as its record lists them: whether they are all there, and copies of them."""

import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from yt8m import storage
from yt8m.errors import DataError
from yt8m.identity import file_digest
from yt8m.records.record import NodeRecord, StoredFile

# Number of files to look at in parallel. Object stores take some hundredths of a second for each.
_LOOKS_AT_ONCE = 16


def list_files(path: Path) -> tuple[StoredFile, ...]:
    """List a file, or all files of a folder, with sizes and checksums. The list is empty if there is nothing."""
    if path.is_file():
        return (_describe(path, ""),)
    files = sorted(each for each in path.rglob("*") if each.is_file())
    return tuple(_describe(each, each.relative_to(path).as_posix()) for each in files)


def list_kept(uris: Iterable[str]) -> tuple[StoredFile, ...]:
    """List files under the root with their sizes, and with their URIs as paths."""
    found = sorted(uris)
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        sizes = pool.map(lambda uri: storage.stat(uri).size, found)
        return tuple(StoredFile(path=uri, bytes=size) for uri, size in zip(found, sizes, strict=True))


def missing_files(record: NodeRecord) -> list[str]:
    """Return the URIs of a record's files that are missing or have another size. Their content is not read.

    Raises:
        StorageError: A store cannot be reached or denies access.
    """
    files = {_uri(record, name, file): file.bytes for name, listed in record.files.items() for file in listed}

    def is_missing(uri: str) -> bool:
        return not storage.exists(uri) or storage.stat(uri).size != files[uri]

    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        return [uri for uri, missing in zip(files, pool.map(is_missing, files), strict=True) if missing]


def copy_files(record: NodeRecord, outputs: Mapping[str, Path]) -> int:
    """Copy the files of a record's artifacts and verify the copies. Either all copies stay or none.

    Args:
        record: The record.
        outputs: File or folder to make of each artifact, by name. There is nothing in these places yet.

    Returns:
        Number of files.

    Raises:
        DataError: A file has another content than when it was written.
        StorageError: A file is missing or cannot be read or written.
    """
    copied = 0
    try:
        for name, output in outputs.items():
            for file in record.files.get(name, ()):
                _copy(_uri(record, name, file), file, output / file.path)
                copied += 1
    except BaseException:
        for output in outputs.values():
            if output.is_dir():
                shutil.rmtree(output)
            else:
                output.unlink(missing_ok=True)
        raise
    return copied


def _copy(uri: str, file: StoredFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(storage.stage_in(uri), target)
    if file_digest(target) != file.sha256:
        raise DataError(f"{uri}: damaged. Expected content with SHA-256 {file.sha256[:12]}, received other content.")


def _uri(record: NodeRecord, name: str, file: StoredFile) -> str:
    if not name:
        return file.path
    return storage.join(record.artifacts[name], file.path) if file.path else record.artifacts[name]


def _describe(path: Path, name: str) -> StoredFile:
    return StoredFile(path=name, bytes=path.stat().st_size, sha256=file_digest(path))
