"""The records of a run, grouped by model and by stage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from yt8m.report.record import NodeRecord


@dataclass(frozen=True)
class ModelRun:
    """Records of one model.

    Attributes:
        name: Name of the model.
        family: Architecture of the model.
        records: Records of the model's nodes by stage: `train`, `average`, `evaluate`, `quantize` and
            `evaluate_quantized`.
    """

    name: str
    family: str
    records: dict[str, NodeRecord] = field(default_factory=dict)

    def metric(self, stage: str, key: str) -> float | None:
        """Return a metric of one of the model's nodes; None if there is no such node or metric."""
        record = self.records.get(stage)
        return record.metrics.get(key) if record else None

    def details(self, stage: str, key: str) -> Any:
        """Return an entry of a node's details; None if there is no such node or entry."""
        record = self.records.get(stage)
        return record.details.get(key) if record else None

    @property
    def gap(self) -> float | None:
        """GAP of the model's final float weights."""
        return self.metric("evaluate", "gap")

    @property
    def size_bytes(self) -> float | None:
        """Bytes of the quantized model, if known."""
        sizes = (self.metric("quantize", "bytes_after"), self.metric("evaluate_quantized", "bytes"))
        return next((size for size in sizes if size is not None), None)

    @property
    def learn_from(self) -> str:
        """Family or group of the recipe whose soft targets the model learned from; empty if none."""
        return self._from_config("learn_from")

    @property
    def baseline(self) -> str:
        """Model with equal configuration and training that learned from labels alone; empty if there is none."""
        return self._from_config("baseline")

    def _from_config(self, name: str) -> str:
        values = (record.config.get(name) for record in self.records.values())
        return next((str(value) for value in values if value), "")


class Run:
    """The records of a run, grouped by model and by stage.

    Args:
        records: Records of the nodes, one per node.
    """

    def __init__(self, records: Sequence[NodeRecord]) -> None:
        self.records = records
        self.models = _group_by_model(self.records)

    def of(self, stage: str) -> list[NodeRecord]:
        """Return all records of a stage, as named by `stage_of`: `evaluate` has float models only."""
        return [record for record in self.records if stage_of(record) == stage]

    def first(self, stage: str) -> NodeRecord | None:
        """Return the first record of a stage; None if there is none."""
        return next(iter(self.of(stage)), None)

    @property
    def families(self) -> list[str]:
        """Architectures of the models in order of first appearance."""
        return list(dict.fromkeys(model.family for model in self.models.values()))


def stage_of(record: NodeRecord) -> str:
    """Return the record's stage, with `evaluate_quantized` and `evaluate_export` recognized by the node's name."""
    if record.node == "evaluate-export":
        return "evaluate_export"
    # The name of a model may itself begin with "quantized".
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
