"""The records of a run, by model and by stage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from yt8m.report.record import NodeRecord


@dataclass(frozen=True)
class ModelRun:
    """What happened to one model.

    Attributes:
        name: The model's name.
        family: Its family.
        records: Its nodes' records by stage: `train`, `average`, `evaluate`, `quantize`, `evaluate_quantized`.
    """

    name: str
    family: str
    records: dict[str, NodeRecord] = field(default_factory=dict)

    def metric(self, stage: str, key: str) -> float | None:
        """A metric of one of the model's nodes; None if there is no such node or metric."""
        record = self.records.get(stage)
        return record.metrics.get(key) if record else None

    def details(self, stage: str, key: str) -> Any:
        """A part of a node's details; None if there is no such node or part."""
        record = self.records.get(stage)
        return record.details.get(key) if record else None

    @property
    def gap(self) -> float | None:
        """GAP of the model's final float weights."""
        return self.metric("evaluate", "gap")

    @property
    def size_bytes(self) -> float | None:
        """Bytes of the quantized model, as far as known."""
        sizes = (self.metric("quantize", "bytes_after"), self.metric("evaluate_quantized", "bytes"))
        return next((size for size in sizes if size is not None), None)

    @property
    def learn_from(self) -> str:
        """Whose soft targets the model learned from; empty if from none."""
        return self._told("learn_from")

    @property
    def baseline(self) -> str:
        """The model of the same make and training that learned from labels alone; empty if there is none."""
        return self._told("baseline")

    def _told(self, name: str) -> str:
        values = (record.config.get(name) for record in self.records.values())
        return next((str(value) for value in values if value), "")


class Run:
    """The records of a run, by model and by stage.

    Args:
        records: The records of its nodes, one each.
    """

    def __init__(self, records: Sequence[NodeRecord]) -> None:
        self.records = records
        self.models = _group_by_model(self.records)

    def of(self, stage: str) -> list[NodeRecord]:
        """All records of a stage; `evaluate` is that of float models, see `stage_of`."""
        return [record for record in self.records if stage_of(record) == stage]

    def first(self, stage: str) -> NodeRecord | None:
        """The first record of a stage."""
        return next(iter(self.of(stage)), None)

    @property
    def families(self) -> list[str]:
        """The model families, in order of first appearance."""
        return list(dict.fromkeys(model.family for model in self.models.values()))


def stage_of(record: NodeRecord) -> str:
    """The record's stage; the node's name tells `evaluate_quantized` and `evaluate_export` from `evaluate`."""
    if record.node == "evaluate-export":
        return "evaluate_export"
    # A model may itself be called quantized-something.
    if record.node.startswith("evaluate-quantized") and record.node != f"evaluate-{record.name}":
        return "evaluate_quantized"
    return record.stage


def _group_by_model(records: Iterable[NodeRecord]) -> dict[str, ModelRun]:
    models: dict[str, ModelRun] = {}
    for record in records:
        if record.name:
            model = models.setdefault(record.name, ModelRun(record.name, record.family))
            model.records[stage_of(record)] = record
    return models
