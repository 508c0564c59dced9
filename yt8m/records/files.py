"""Files of a node's work, as its record lists them: whether they are all there, and copies of them."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
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


def drawn(stage: str) -> frozenset[str]:
    """Return the artifacts of a stage that are drawn from its record, so that no copy is needed."""
    return frozenset({"metrics"} if stage == "report" else {"metrics", "page"})


def missing_files(record: NodeRecord) -> list[str]:
    """Return the URIs of a record's files that are missing or have another size. Their content is not read.

    Raises:
        DataError: The record is incomplete.
        StorageError: A store cannot be reached or denies access.
    """
    return find_files(record)[1]


def find_files(record: NodeRecord, root: str = "") -> tuple[Mapping[str, str], list[str]]:
    """Find artifacts whose files are all there, among those of the last execution and the earlier ones.

    Args:
        record: The record.
        root: URI of the root in which the record lies. If it is another one than that of the execution, because the
            folder was moved or copied, the files are also looked for in the same places below it.

    Returns:
        URI of each artifact, and the URIs of missing files: none, or those of the last execution.

    Raises:
        DataError: The record is incomplete.
        StorageError: A store cannot be reached or denies access.
    """
    missing = _missing(record, record.artifacts)
    if missing:
        places = [record.artifacts, *record.copies]
        for artifacts in (*record.copies, *_moved(places, str(record.parameters.get("root", "")), root)):
            if not _missing(record, artifacts):
                return artifacts, []
    return record.artifacts, missing


def _moved(places: Iterable[Mapping[str, str]], before: str, now: str) -> Iterator[Mapping[str, str]]:
    """Yield artifacts with their URIs below another root. Nothing if the root is the same."""
    old, new = before.rstrip("/") + "/", now.rstrip("/") + "/"
    if before and now and old != new:
        for artifacts in places:
            yield {name: new + uri.removeprefix(old) if uri.startswith(old) else uri for name, uri in artifacts.items()}


def _missing(record: NodeRecord, artifacts: Mapping[str, str]) -> list[str]:
    listed = {name: files for name, files in record.files.items() if name not in drawn(record.stage)}
    files = {_uri(artifacts, name, file): file.bytes for name, each in listed.items() for file in each}

    def is_missing(uri: str) -> bool:
        return not storage.exists(uri) or storage.stat(uri).size != files[uri]

    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        return [uri for uri, missing in zip(files, pool.map(is_missing, files), strict=True) if missing]


def copy_files(record: NodeRecord, artifacts: Mapping[str, str], outputs: Mapping[str, Path]) -> int:
    """Copy the files of a record's artifacts and verify the copies. Either all copies stay or none.

    Args:
        record: The record.
        artifacts: URI of each artifact, by name; see `find_files`.
        outputs: File or folder to make of each artifact, by name. What is in these places is removed first.

    Returns:
        Number of files.

    Raises:
        DataError: A file has another content than when it was written.
        StorageError: A file is missing or cannot be read or written.
    """
    copied = 0
    _remove(outputs)
    try:
        for name, output in outputs.items():
            for file in record.files.get(name, ()):
                _copy(_uri(artifacts, name, file), file, output / file.path)
                copied += 1
    except BaseException:
        _remove(outputs)
        raise
    return copied


def _remove(outputs: Mapping[str, Path]) -> None:
    for output in outputs.values():
        if output.is_dir():
            shutil.rmtree(output)
        else:
            output.unlink(missing_ok=True)


def _copy(uri: str, file: StoredFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(storage.stage_in(uri), target)
    if file_digest(target) != file.sha256:
        raise DataError(f"{uri}: damaged. Expected content with SHA-256 {file.sha256[:12]}, received other content.")


def _uri(artifacts: Mapping[str, str], name: str, file: StoredFile) -> str:
    if not name:
        return file.path
    if name not in artifacts:
        raise DataError(f"the record lists files of {name}, but does not say where they are")
    return storage.join(artifacts[name], file.path) if file.path else artifacts[name]


def _describe(path: Path, name: str) -> StoredFile:
    return StoredFile(path=name, bytes=path.stat().st_size, sha256=file_digest(path))
