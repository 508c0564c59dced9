"""Files under a root that no run needs any more.

Steps write to folders of their own: `records/NODE/WORK.json`, `checkpoints/NODE/...`, and generated shards to
`data/KEY/...`. The record of a finished work lists the files that the work keeps. All other files under a root are left
alone.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

from pipelines.kubeflow.spec import SpecGraph
from pipelines.runs.state import FINISHED, NodeState
from yt8m import storage
from yt8m.errors import DataError
from yt8m.records.record import record_uri
from yt8m.storage import ListedFile

RECORDS_FOLDER = "records"
DATA_FOLDER = "data"
# Folders of a root in the order in which they are emptied: without its record, nothing refers to a file any more.
KINDS: Mapping[str, str] = {
    RECORDS_FOLDER: "records",
    "soft-targets": "soft targets",
    "checkpoints": "checkpoints",
    "tensorboard": "TensorBoard logs",
    DATA_FOLDER: "generated shards",
}
# Start of the paths of TensorBoard's logs.
_LOGS = "tensorboard/"
# Number of records to read in parallel.
_READS_AT_ONCE = 8
# States in which a node has its results, even if they are not those of its present inputs.
_WITH_RESULTS = FINISHED | {"stale"}


@dataclass(frozen=True)
class Needs:
    """What runs need under their root.

    Attributes:
        works: Node and name of each work. Its record stays, with what the record lists.
        unfinished: Names of nodes of which everything stays, because they continue with it.
        data: Keys of the generated shards.
    """

    works: frozenset[tuple[str, str]] = frozenset()
    unfinished: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()

    @classmethod
    def of_run(cls, graph: SpecGraph, states: Mapping[str, NodeState], *, ended: bool) -> Self:
        """Return what a run needs.

        Args:
            graph: The run's pipeline.
            states: State of each node by name. Unknown states count as unfinished.
            ended: Whether the run has ended, so that nodes that still wait have left nothing.
        """
        works = {(name, graph.work(name)) for name in graph.nodes}
        read = {item for name in graph.nodes for item in graph.records(name).items()}
        idle = _WITH_RESULTS | ({"waiting"} if ended else set())
        unfinished = {name for name in graph.nodes if name not in states or states[name].state not in idle}
        data = {graph.constant(name, parameter) for name in graph.nodes for parameter in ("key", "data_key")}
        return cls(frozenset(works | read), frozenset(unfinished), frozenset(data))

    def __or__(self, other: Self) -> Self:
        return type(self)(self.works | other.works, self.unfinished | other.unfinished, self.data | other.data)


@dataclass(frozen=True)
class Pruning:
    """The result of a look at the files under a root.

    Attributes:
        superfluous: Files that no run needs, by kind.
        recent: Files that no known run needs, but that changed a short time ago.
        kept: Files that runs need.
        artifacts: URIs of the artifacts whose files needed records list.
    """

    superfluous: Mapping[str, tuple[ListedFile, ...]]
    recent: tuple[ListedFile, ...]
    kept: tuple[ListedFile, ...]
    artifacts: frozenset[str]


def look_through(root: str, needs: Needs, changed_before: float) -> Pruning:
    """Look through the files under a root for those that no run needs; see `find_superfluous`.

    Raises:
        DataError: There are no records, so this is not the root of a run.
        StorageError: The store cannot be read.
    """
    files = [file for folder in KINDS for file in storage.list_files(storage.join(root, folder))]
    names = {relative_to(root, file.uri) for file in files}
    if not any(name and name.startswith(f"{RECORDS_FOLDER}/") for name in names):
        raise DataError(
            f"{root}: not the root of a run, because {RECORDS_FOLDER}/ is missing. Give the folder of a `yt8m run`, or "
            "the --root of a `yt8m submit`."
        )
    uris = {work: record_uri(root, *work) for work in needs.works}
    there = {work: uri for work, uri in uris.items() if relative_to(root, uri) in names}
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        records = dict(zip(there, pool.map(_read_record, there.values()), strict=True))
    return find_superfluous(root, files, needs, records, changed_before)


def find_superfluous(
    root: str,
    files: Iterable[ListedFile],
    needs: Needs,
    records: Mapping[tuple[str, str], Mapping[str, Any]],
    changed_before: float,
) -> Pruning:
    """Find the files that no run needs.

    Args:
        root: URI of the root.
        files: All files below the folders `KINDS` of the root.
        needs: What the runs need.
        records: Content of the records of the needed works that exist, by node and work.
        changed_before: Time in seconds since 1970. Files that changed later stay.
    """
    whole, kept_paths = _kept_paths(root, needs, records)
    superfluous: dict[str, list[ListedFile]] = {kind: [] for kind in KINDS.values()}
    recent, kept = [], []
    for file in files:
        folder, _, path = (relative_to(root, file.uri) or "").partition("/")
        if folder not in KINDS or "/" not in path:
            continue
        owner, _, rest = path.partition("/")
        if folder == RECORDS_FOLDER:
            is_needed = (owner, rest.removesuffix(".json")) in needs.works
        elif folder == DATA_FOLDER:
            is_needed = owner in needs.data or _lies_in(f"{folder}/{path}", kept_paths)
        else:
            is_needed = owner in whole or _lies_in(f"{folder}/{path}", kept_paths)
        if is_needed:
            kept.append(file)
        elif file.changed >= changed_before:
            recent.append(file)
        else:
            superfluous[KINDS[folder]].append(file)
    artifacts = frozenset(uri for record in records.values() for uri in _artifacts(record))
    kinds = {kind: tuple(found) for kind, found in superfluous.items()}
    return Pruning(kinds, tuple(recent), tuple(kept), artifacts)


def relative_to(root: str, uri: str) -> str | None:
    """Return the path of a URI relative to a root, or None if it lies elsewhere."""
    start = f"{normal_uri(root)}/"
    uri = normal_uri(uri)
    return uri.removeprefix(start) if uri.startswith(start) else None


def normal_uri(uri: str) -> str:
    """Return a URI in one spelling: Kubeflow writes `minio` for its own store, which speaks S3's protocol."""
    scheme, separator, rest = uri.rstrip("/").partition("://")
    return f"s3://{rest}" if separator and scheme == "minio" else scheme + separator + rest


def _lies_in(path: str, folders: Collection[str]) -> bool:
    """Return whether a path, or one of the folders that it lies in, is among these."""
    parts = path.split("/")
    return any("/".join(parts[:count]) in folders for count in range(1, len(parts) + 1))


def _kept_paths(
    root: str, needs: Needs, records: Mapping[tuple[str, str], Mapping[str, Any]]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the nodes of which everything stays, and the files and folders that needed records list."""
    whole, paths = set(needs.unfinished), set()
    for node, work in needs.works:
        # Records of earlier versions do not list what the work keeps, and those of a moved root list other places.
        listed = records.get((node, work), {}).get("kept")
        relative = [relative_to(root, uri) for uri in listed or ()]
        if listed is None or None in relative:
            whole.add(node)
        # A training that was interrupted has several files of logs, of which its record lists the last.
        paths |= {path.rpartition("/")[0] if path.startswith(_LOGS) else path for path in relative if path}
    return frozenset(whole), frozenset(paths)


def _artifacts(record: Mapping[str, Any]) -> Iterator[str]:
    """Iterate over the URIs of the artifacts whose files a record lists."""
    return (uri for name, uri in record.get("artifacts", {}).items() if name in record.get("files", {}))


def _read_record(uri: str) -> dict[str, Any]:
    """Return the content of a record, or nothing if it is damaged."""
    try:
        record = json.loads(storage.read_text(uri))
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
