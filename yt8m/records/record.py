"""Records: the JSON file in which each node of a run stores what it did and its figures.

A record lies under the run's root, named after its node and its work. The report reads nothing else:

    {"node": "train-dbof1", "stage": "train", "name": "dbof1", "family": "dbof",
     "config": {"model": {"architecture": "dbof", "num_clusters": 4096}, "training": {"epochs": 10}},
     "metrics": {"gap": 0.8311, "map": 0.41, "hit_at_1": 0.9, "training_loss": 12.3, "steps": 12000},
     "details": {"curve": [{"step": 1200, "loss": 14.2}], "gap_by_kind": {"order": 0.4}}, "seconds": 612.5,
     "artifacts": {"partition": "gs://.../partition", "model": "gs://.../model"},
     "inputs": {"partition": "9f86d081884c7d65..."}, "ended": 1764200000.5,
     "files": {"model": [{"path": "weights.safetensors", "bytes": 123456, "sha256": "60303ae22b998861..."}]}}
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import Field, FiniteFloat

from yt8m import storage
from yt8m.config import Config
from yt8m.errors import ConfigError, DataError, StorageError
from yt8m.identity import digest, unmarked

# Number of records to read in parallel. Object stores take some hundredths of a second for each.
_READS_AT_ONCE = 8
# Fields that do not count when a step reads the record: they say where and when the work was done, not what came out.
_VOLATILE = {"artifacts", "copies", "files", "inputs", "kept", "ended"}
_VOLATILE_PARAMETERS = {"root", "key", "data_version", "records", "named_files"}


class StoredFile(Config):
    """A file that a node wrote.

    Attributes:
        path: Path relative to the artifact. Empty if the artifact is one file.
        bytes: Size in bytes.
        sha256: SHA-256 of the content, in hexadecimal. Empty for a file under the root, which is never copied.
    """

    path: str
    bytes: int
    sha256: str = ""


class NodeRecord(Config):
    """Identity, configuration and figures of a node.

    Attributes:
        node: Name of the node, unique in the run, for instance `quantize-netvlad1`.
        stage: Name of a function in `yt8m.stages`, for instance `quantize`.
        name: Model that the node works on. Empty if there is none or several.
        family: Architecture of that model. For `select_teachers` and `soft_targets`, the recipe's family or group of
            teachers.
        config: Configuration of the stage.
        metrics: Figures of the stage by name. Stages that make a model have those of `yt8m.stages.evaluate`, too.
        details: Tables and curves, in the stage's format.
        seconds: Duration of the node in seconds, if measured.
        parameters: Parameters of the component.
        artifacts: URI of each artifact that the component read or wrote, by parameter.
        files: Files of each artifact that the component wrote, by parameter. Under the empty name, with URIs as paths:
            files under the root that the artifacts refer to.
        inputs: Digest of the content of everything that the component read: artifacts by parameter, artifacts of other
            runs as `imported.NAME`, records as `records.NODE`, files from outside the run as `data`.
        copies: URIs of the written artifacts in earlier executions of the same work, the last one first. Their files
            are the same.
        kept: URIs of files and folders under the root that belong to the work: checkpoints, logs of TensorBoard, soft
            targets, generated shards.
        ended: End of the execution in seconds since 1970. A step that takes over this work keeps it, and `seconds`.
    """

    node: str
    stage: str
    name: str = ""
    family: str = ""
    config: dict[str, Any] = Field(default={})
    metrics: dict[str, FiniteFloat] = Field(default={})
    details: dict[str, Any] = Field(default={})
    seconds: FiniteFloat | None = None
    parameters: dict[str, Any] = Field(default={})
    artifacts: dict[str, str] = Field(default={})
    files: dict[str, tuple[StoredFile, ...]] = Field(default={})
    inputs: dict[str, str] = Field(default={})
    copies: tuple[dict[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    ended: FiniteFloat = 0.0

    @property
    def digest(self) -> str:
        """SHA-256 of what came out: the same work with the same figures gives the same digest."""
        parameters = {key: each for key, each in self.parameters.items() if key not in _VOLATILE_PARAMETERS}
        return digest(record=self.model_dump(mode="json", exclude=_VOLATILE | {"parameters"}), parameters=parameters)

    @property
    def digest_with_addresses(self) -> str:
        """SHA-256 of what came out and of the addresses of the artifacts, which the report lists."""
        return digest(record=self.digest, artifacts=self.artifacts)


def read_digest(path: Path) -> str:
    """Return the digest of a local record, addresses included; empty if there is none, that of the text if it is none.

    Args:
        path: The file.
    """
    if not path.is_file():
        return ""
    text = path.read_bytes()
    try:
        return NodeRecord.parse_json(text.decode(), str(path)).digest_with_addresses
    except (ConfigError, UnicodeDecodeError):
        return hashlib.sha256(text).hexdigest()


def record_uri(root: str, node: str, work: str) -> str:
    """Return the URI of a node's record.

    Args:
        root: URI of the run's root.
        node: Name of the node.
        work: Name of the work; see `yt8m.identity.work_name`.
    """
    return storage.join(root, "records", node, f"{work}.json")


def records_of_work(root: str, node: str, key: str, attempt: str) -> list[str]:
    """List the URIs of a node's records of the same work on any data, the last one first.

    Args:
        root: URI of the run's root.
        node: Name of the node.
        key: Key of the work, whose mark does not count.
        attempt: Mark of a deliberate repetition.
    """
    folder = storage.join(root, "records", node)
    wanted = (unmarked(key), attempt)

    def is_wanted(uri: str) -> bool:
        given, _, mark = uri.rpartition("/")[2].removesuffix(".json").partition("-")
        return (unmarked(given), mark) == wanted

    found = [file for file in storage.list_files(folder) if is_wanted(file.uri)]
    return [file.uri for file in sorted(found, key=lambda file: file.changed, reverse=True)]


def read_records(root: str, works: Mapping[str, str]) -> list[NodeRecord]:
    """Read the records of some nodes, and no others that lie under the root.

    Args:
        root: URI of the run's root.
        works: Name of the work of each node, by name of the node; see `yt8m.identity.work_name`.

    Returns:
        One record per node, in the order of `works`.

    Raises:
        DataError: A record is missing, is not valid, or is one of another node. The message names the node.
        StorageError: The store cannot be reached. The message names the node.
    """
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return list(pool.map(lambda item: _read_record(root, *item), works.items()))


def _read_record(root: str, node: str, work: str) -> NodeRecord:
    uri = record_uri(root, node, work)
    # Only with the nodes that read it: a node that was done leaves another record when it is executed again.
    remedy = f"Execute node {node} again: `yt8m rerun RUN {node} --downstream`."
    try:
        is_there = storage.exists(uri)
    except StorageError as error:
        raise StorageError(f"{error}\n{uri}: the record of node {node} cannot be read.") from None
    if not is_there:
        raise DataError(f"{uri}: the record of node {node} is missing. {remedy}")
    try:
        record = NodeRecord.parse_json(storage.read_text(uri), uri)
    except (ConfigError, StorageError) as error:
        raise DataError(f"{error}\n{uri}: the record of node {node} cannot be read. {remedy}") from None
    if record.node != node:
        raise DataError(f"{uri}: expected the record of node {node}, received that of node {record.node!r}. {remedy}")
    return record
