"""The records of a run, grouped by model and by stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yt8m.records.record import NodeRecord


@dataclass(frozen=True)
class ModelRun:
    """Records of one model.

    Attributes:
        name: Name of the model.
        family: Architecture of the model.
        learn_from: Family or group of the recipe whose soft targets the model learned from; empty if none.
        baseline: Model with equal configuration and training that learned from labels alone; empty if there is none.
        records: Records of the model's nodes by stage: `train`, `average` and `quantize`.
    """

    name: str
    family: str
    learn_from: str = ""
    baseline: str = ""
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
    def final(self) -> str:
        """Stage that wrote the model's final float weights, and measured them."""
        return "average" if "average" in self.records else "train"

    @property
    def gap(self) -> float | None:
        """GAP of the model's final float weights."""
        return self.metric(self.final, "gap")

    @property
    def gap_select(self) -> float | None:
        """GAP of the same weights on the videos that decide."""
        return self.metric(self.final, "gap_select")


class Run:
    """The records of a run, grouped by model and by stage.

    Args:
        records: Records of the nodes, one per node.
        students: Models that learned from soft targets, each with `learn_from` and `baseline` as in `ModelRun`.
    """

    def __init__(self, records: Sequence[NodeRecord], students: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.records = records
        self.models: dict[str, ModelRun] = {}
        for record in records:
            if record.name:
                learned = (students or {}).get(record.name, {})
                teachers, baseline = learned.get("learn_from", ""), learned.get("baseline", "")
                new = ModelRun(record.name, record.family, teachers, baseline)
                model = self.models.setdefault(record.name, new)
                model.records[record.stage] = record

    def of(self, stage: str) -> list[NodeRecord]:
        """Return all records of a stage."""
        return [record for record in self.records if record.stage == stage]

    def first(self, stage: str) -> NodeRecord | None:
        """Return the first record of a stage; None if there is none."""
        return next(iter(self.of(stage)), None)

    @property
    def families(self) -> list[str]:
        """Architectures of the models in order of first appearance."""
        return list(dict.fromkeys(model.family for model in self.models.values()))
