"""Artifacts of a run in a cluster, copied to this machine."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.cluster.objects import Objects
from pipelines.cluster.outputs import EXECUTOR_LOGS, output_uris
from pipelines.cluster.run import ClusterRun
from pipelines.runs.state import FINISHED
from yt8m.errors import DataError, StorageError
from yt8m.identity import file_digest
from yt8m.records.record import NodeRecord, StoredFile, record_uri
from yt8m.storage.interface import MissingObjectError


class StepArtifacts:
    """Output artifacts of one step of a run.

    Args:
        run: The run.
        node: Name of the step.

    Attributes:
        record: The step's record; None if there is none, or if it cannot be read.

    Raises:
        DataError: The step has no artifacts.
    """

    def __init__(self, run: ClusterRun, node: str) -> None:
        self._node = run.graph[node].name
        workflow = run.workflow
        namespace = workflow.namespace if workflow and workflow.namespace else run.cluster.namespace(run.run)
        self._objects = Objects(run.cluster, namespace)
        self.record, problem = self._read_record(run)
        step = run.steps().get(node)
        if workflow and step and step.pods:
            uris = output_uris(workflow.node(step.pods[-1]))
        elif self.record and (step is None or step.state in FINISHED):
            uris = self.record.artifacts
        else:  # a record would be one of an earlier run
            uris = {}
        component = run.spec["components"][run.graph[node].component]
        names = component.get("outputDefinitions", {}).get("artifacts", {})
        # URI of each artifact by name.
        self.uris = {name: uris[name] for name in sorted(names) if name in uris and name != EXECUTOR_LOGS}
        if not self.uris:
            state = f"it is {step.state}" if step else "whether it was executed is not known"
            raise DataError(f"{node}: has no artifacts in this run; {state}. {problem}".rstrip())

    def fetch(self, name: str, target: Path) -> bool:
        """Copy an artifact to a file or folder that does not exist, and verify it by the step's record.

        Returns:
            Whether the record has checksums, as those of earlier versions have none.

        Raises:
            MissingObjectError: The step did not write it.
            StorageError: It cannot be read, or has not the content that the step wrote.
        """
        uri, files = self.uris[name], self._files(name)
        self._objects.download(uri, target, sum(file.bytes for file in files))
        _verify(uri, target, files)
        return bool(files)

    def _files(self, name: str) -> Sequence[StoredFile]:
        """Return the files of an artifact, if the record is that of this execution and lists them."""
        if self.record is None or self.record.artifacts.get(name) != self.uris[name]:
            return ()
        return self.record.files.get(name, ())

    def _read_record(self, run: ClusterRun) -> tuple[NodeRecord | None, str]:
        """Return the step's record, or why it cannot be read."""
        if not run.root:
            return None, "The run has no parameter `root`, under which its records are."
        uri = record_uri(run.root, self._node, run.graph.work(self._node))
        try:
            return NodeRecord.parse_json(self._objects.read(uri).decode(), uri), ""
        except MissingObjectError:
            return None, f"There is no record {uri}."
        except StorageError as error:
            return None, f"Its record cannot be read: {error}"


def _verify(uri: str, target: Path, files: Iterable[StoredFile]) -> None:
    """Compare what was copied with the list of files in the step's record."""
    for file in files:
        path = target / file.path if file.path else target
        if not path.is_file():
            raise StorageError(f"{uri}: {file.path or 'the file'} is missing, which the step wrote. {_REMEDY}")
        found = path.stat().st_size
        if found != file.bytes:
            raise StorageError(f"{uri}: {file.path} has {found} bytes instead of {file.bytes}. {_REMEDY}")
        if file.sha256 and file_digest(path) != file.sha256:
            raise StorageError(f"{uri}: {file.path} has not the checksum {file.sha256} of its record. {_REMEDY}")


_REMEDY = "Fetch it again; if it stays so, the object was changed: execute the node again with `yt8m rerun`."
