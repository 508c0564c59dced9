"""What a step reads: local paths of its artifacts, artifacts of other runs, records; and digests of their content."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from yt8m import storage
from yt8m.errors import DataError
from yt8m.identity import digest, file_digest, folder_digest
from yt8m.records.record import NodeRecord, read_records
from yt8m.storage.local import local_path
from yt8m.yaml_files import parse_line

# The most numbered inputs of one kind that a component has.
MOST_NUMBERED = 32


class Inputs:
    """The inputs of one step, with a digest of each.

    Args:
        arguments: The component's `locals()`.
        outputs: Names of the artifacts that the component writes.

    Attributes:
        digests: Digest of the content of everything that was read so far; see `NodeRecord.inputs`.
    """

    def __init__(self, arguments: Mapping[str, Any], outputs: Mapping[str, Path]) -> None:
        self._arguments = dict(arguments)
        artifacts = {key: each for key, each in arguments.items() if hasattr(each, "uri") and key not in outputs}
        self.digests = {name: _digest_of(Path(artifact.path)) for name, artifact in artifacts.items()}

    def records(self, *, addresses: bool = False) -> list[NodeRecord]:
        """Read the records of the nodes in the component's parameter `records`.

        Args:
            addresses: Whether the result depends on the addresses of the nodes' artifacts.

        Raises:
            DataError: Another run on this root, with other data, has replaced some of the records.
        """
        works = parse_line(self._arguments["records"], self._arguments["node"])
        records = read_records(self._arguments["root"], works)
        partitions = {record.node: record.inputs["partition"] for record in records if "partition" in record.inputs}
        if len(set(partitions.values())) > 1:
            last = max(records, key=lambda record: (record.node in partitions, record.ended)).node
            others = [node for node, read in partitions.items() if read != partitions[last]]
            raise DataError(
                f"{self._arguments['root']}: {last} read other data than {', '.join(others)}. Another run on this "
                "root, on changed data, has replaced records of this one. Submit or run the recipe again."
            )
        for record in records:
            self.digests[f"records.{record.node}"] = record.digest_with_addresses if addresses else record.digest
        return records

    def numbered(self, prefix: str) -> list[Path]:
        """Collect the local paths of numbered input artifacts in order; see `fan_in`."""
        given = (self._arguments.get(f"{prefix}_{number}") for number in range(1, MOST_NUMBERED + 1))
        return [Path(artifact.path) for artifact in given if artifact is not None]

    def fan_in(self, prefix: str) -> dict[str, Path]:
        """Collect the local paths of numbered input artifacts and of imported ones, by name.

        The component's parameter `names` has the names of the artifacts in their order, with spaces between them;
        `imported` has the URIs of further artifacts from other runs.

        Args:
            prefix: Prefix of the parameters: `<prefix>_1`, `<prefix>_2`, ...
        """
        imported = parse_line(self._arguments.get("imported") or "{}", "imported")
        fetched = {name: self.imported(name, uri) for name, uri in imported.items()}
        return dict(zip(self._arguments["names"].split(), self.numbered(prefix), strict=True)) | fetched

    def imported(self, name: str, uri: str) -> Path:
        """Return the local path of an artifact of another run.

        Args:
            name: Name of the artifact, for its digest.
            uri: URI of the file or folder.

        Raises:
            DataError: It does not exist.
        """
        path = _fetch(name, uri)
        self.digests[f"imported.{name}"] = _digest_of(path)
        return path

    def add_data(self, patterns: Iterable[str]) -> None:
        """Look at the files that the step reads by their addresses, given as glob patterns."""
        uris = {uri for pattern in patterns for uri in storage.list_uris(pattern)}
        if uris:
            self.digests["data"] = digest(files=storage.fingerprints(uris))

    def add_content(self, name: str, uri: str) -> None:
        """Look at the content of a file that the step reads by its address; do nothing if the address is empty."""
        if uri:
            self.digests[name] = hashlib.sha256(storage.read_bytes(uri)).hexdigest()


def _digest_of(path: Path) -> str:
    """Return the digest of a file or folder, and an empty string for an artifact without a file."""
    if path.is_dir():
        return folder_digest(path)
    return file_digest(path) if path.exists() else ""


def _fetch(name: str, uri: str) -> Path:
    """Return the local path of a model's file or folder in another run.

    What is in an object store is copied to a temporary folder, which stays until the step's container or process ends.
    """
    if not storage.exists(uri):
        raise DataError(
            f"imported: {name}: {uri} does not exist. Run the other recipe again, or take {name} out of this one."
        )
    if not storage.is_remote(uri):
        return local_path(uri)
    target = Path(tempfile.mkdtemp(), "imported")
    for file in storage.list_uris(f"{uri}/**") or [uri]:
        path = target / file.removeprefix(uri).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(storage.stage_in(file), path)
    return target
