"""The final ensemble: its members and their weights."""

import math
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from yt8m.storage.config_file import ConfigFile


class EnsembleWeights(ConfigFile):
    """The outcome of `search_weights`: what `export` builds.

    Attributes:
        members: Weight of every member by name; the weights sum to 1, dropped members are absent.
        size_bytes: Bytes of the members' quantized model folders together.
        budget_bytes: Bytes that the exported model may have.
        method: The search that found the weights.
        gap: GAP on the whole hold-out.
        gap_search: GAP on the part of the hold-out on which the weights were searched.
        gap_report: GAP on the other part, which the search never saw; the figure to quote.
        gap_report_float: The same of the members before quantization, with the same weights; None if not measured.
    """

    members: dict[str, PositiveFloat] = Field(min_length=1)
    size_bytes: NonNegativeInt
    budget_bytes: PositiveInt
    method: Literal["flat", "random", "ours"]
    gap: float
    gap_search: float
    gap_report: float
    gap_report_float: float | None = None

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> Self:
        total = math.fsum(self.members.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the members' weights must sum to 1; they sum to {total:.6g}")
        return self
