"""The models of a run and the videos that it held out, for `yt8m evaluate`."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipelines.cli.artifacts import RunArtifacts
from pipelines.cli.known_videos import Comparison, compare_with_run, find_missing
from pipelines.cluster.access import ClusterAccess
from pipelines.stages import STAGES
from yt8m.data.vocabulary.names import ClassNames
from yt8m.ensembling.members import Member
from yt8m.errors import ConfigError, DataError, StorageError, suggest
from yt8m.metrics import GAP_TOP_K
from yt8m.records.record import NodeRecord

if TYPE_CHECKING:
    from yt8m.data.partition import Partition

_LOGGER = logging.getLogger("yt8m.stages")

EXPORT = "export"
# Stages that write weights of a model, those of the final float weights first.
_WEIGHTS = ("average", "train", "quantize")


@dataclass(frozen=True)
class Subject:
    """A model to evaluate.

    Attributes:
        model: Folder of the model.
        title: What people read for it.
        names: The run, the model and the node that wrote it, for programs.
        partition: Training and hold-out videos of its run. None if the run is not known.
        gap_top_k: Number of classes per video that count in GAP in its run.
    """

    model: Path
    title: str
    names: Mapping[str, str] = field(default_factory=dict)
    partition: "Partition | None" = None
    gap_top_k: int = GAP_TOP_K

    @classmethod
    def of_folder(cls, model: str) -> Self:
        """Return the model in a folder."""
        return cls(Path(model), model, {"model": model})

    def class_names(self, shards: Sequence[str]) -> ClassNames:
        """Return the names of the classes: those in the exported model, or those beside shards.

        Args:
            shards: URIs of the shards to measure. The names beside those of the run come first.
        """
        from yt8m.export.description import vocabulary_in
        from yt8m.stages.evaluate import spec_of

        classes = spec_of(self.model).num_classes
        if uri := vocabulary_in(self.model):
            return ClassNames.read(uri, classes)
        own = self.partition.holdout_uris if self.partition else []
        return ClassNames.of_shards([*own, *shards], classes)

    def check_shards(self) -> None:
        """Check that the run's hold-out shards are there. Their content is compared when they are read.

        Raises:
            DataError: Some are gone or have another size.
        """
        assert self.partition
        shards, run = self.partition.holdout, self.names["run"]
        try:
            problems = find_missing(shards)
        except StorageError as error:
            raise StorageError(f"{error}\n{run}: its hold-out shards cannot be read. {_OTHER_SHARDS}") from None
        if problems:
            raise DataError(
                f"{run}: {len(problems)} of its {len(shards)} hold-out shards are not those that the run read: "
                f"{'; '.join(problems[:3])}{'; ...' * (len(problems) > 3)}. Put them back. {_OTHER_SHARDS}"
            )

    def compare_with_run(self, measured: "Partition") -> Comparison:
        """Compare videos to measure with those that the run has read, and log what is to be known of them."""
        assert self.partition
        found = compare_with_run(measured, self.partition, self.names["run"])
        for warning in found.warnings:
            _LOGGER.warning("%s", warning)
        return found


_OTHER_SHARDS = "Or name other labeled shards with --input."


def find_in_run(run: str, name: str, access: ClusterAccess, folder: Path) -> Subject:
    """Find a model of a run, and the videos that the run held out.

    Args:
        run: Root of a local run, or id of a run in a cluster.
        name: `export`, the name of a model, or that of a node that writes weights. After `@` the size of a quantized
            model, without which it is the first one of the recipe.
        access: Access to the cluster.
        folder: Folder for copies of what is not on this machine.

    Raises:
        ConfigError: The run has no such model.
        DataError: There is no such run, it has not finished what is needed, or another version made it.
    """
    from yt8m.data.partition import Partition
    from yt8m.stages.evaluate import spec_of

    artifacts = RunArtifacts(run, access)
    shortened, _, size = name.partition("@")
    node, output = _find_node(shortened, artifacts)
    model, record = artifacts.place(node, output, folder), artifacts.record(node)
    if output == STAGES["quantize"].outputs[0]:
        model = _in_size(model, size, record)
    elif size:
        raise ConfigError(
            f"--model: {name}: only quantized models have sizes. Leave out @{size}, or give quantize-NAME@{size}."
        )
    place = artifacts.place("prepare", "partition", folder)
    try:
        partition = Partition.load(place)
        spec_of(model)
    except ConfigError as error:
        raise DataError(
            f"{error}\n{artifacts.title}: another version of yt8m made this run. Run its recipe again in the same root "
            "with this version, or evaluate with the version that made it."
        ) from None
    names = {"run": run, "model": name, "node": node}
    top_k = (record.config if record else {}).get("evaluation", {}).get("gap_top_k", GAP_TOP_K)
    return Subject(model, f"{name} of {run} (node {node})", names, partition, top_k)


def _find_node(name: str, artifacts: RunArtifacts) -> tuple[str, str]:
    """Return the node that wrote the weights of a model, and the name of the artifact."""
    nodes = artifacts.nodes
    if name == EXPORT and EXPORT in nodes:
        return EXPORT, STAGES[EXPORT].outputs[0]
    models = _models(nodes)
    for stage in _WEIGHTS[:2]:
        node = STAGES[stage].node.format(model=name)
        if name in models and node in nodes:
            return node, STAGES[stage].outputs[0]
    for stage in _WEIGHTS:
        if name in {STAGES[stage].node.format(model=model) for model in models} & set(nodes):
            return name, STAGES[stage].outputs[0]
    known = {*models, *({EXPORT} & set(nodes))}
    folder = " To evaluate a folder, leave out --run and give --input." if Path(name).is_dir() else ""
    raise ConfigError(f"--model: {artifacts.title} has no model '{name}'. {suggest(name, known)}{folder}")


def _in_size(member: Path, size: str, record: NodeRecord | None) -> Path:
    """Return the folder of a quantized model in a size; by default the first one that its step wrote."""
    sizes = record.details.get("sizes", ()) if record else sorted(path.parent.name for path in member.glob("*/*"))
    if size and size not in sizes:
        raise ConfigError(f"--model: no size '{size}' in {member}. {suggest(size, sizes)}")
    return Member(member).model(size or next(iter(sizes)))


def _models(nodes: Collection[str]) -> list[str]:
    """Return the names of the models that a run trains."""
    before, _, after = STAGES["train"].node.partition("{model}")
    return [node.removeprefix(before).removesuffix(after) for node in nodes if node.startswith(before)]
