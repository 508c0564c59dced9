"""The `tables` of a run's summary: the paper's tables 1 to 4. For units see `yt8m.report.summary`.

Every `family` here is the architecture of a model.
"""

from typing import Any

from yt8m.config import Config


class AveragedModel(Config):
    """Weight averaging of one model, with GAP on the report videos.

    `kept` tells whether the averaged weights were used. GAP on the select videos, `gap_select_before` and
    `gap_select_after`, decides that if the recipe keeps only better averages.
    """

    model: str
    gap_select_before: float | None
    gap_select_after: float | None
    gap_before: float | None
    gap_after: float | None
    gap_change: float | None
    kept: bool | None


class AveragingRow(Config):
    """An architecture in table 1; `gap_change` is the mean over its models, `paper_gap_change` the paper's figure."""

    family: str
    gap_change: float | None
    paper_gap_change: float | None
    models: tuple[AveragedModel, ...]


class QuantizationRow(Config):
    """A model in table 2, before (float) and after quantization.

    Attributes:
        model: Name of the model.
        family: Architecture of the model.
        gap_before: GAP of the float model.
        gap_after: GAP of the quantized model.
        gap_change: `gap_after - gap_before`.
        gap_change_error: Standard error of this difference. Null in records of earlier versions.
        seconds_before: Seconds of inference of the float model on all hold-out videos, without reading them.
        seconds_after: Seconds of inference of the quantized model on the same videos.
        bytes_before: Size of the float model.
        bytes_after: Size of the quantized model.
        size_ratio: `bytes_after / bytes_before`.
        bits: Mean number of bits of a quantized weight.
        largest_error: Largest absolute error of a weight.
        sizes: Bytes of the model in each size in which it is offered, the first of which the other figures are of.
        variables: Table of variables, as written by the quantize stage; of the size `auto` if that is offered.
        choice: How the bits of `auto` were chosen (`yt8m.bit_allocation.choose.Choice`). Null if they were given.
    """

    model: str
    family: str
    gap_before: float | None
    gap_after: float | None
    gap_change: float | None
    gap_change_error: float | None = None
    seconds_before: float | None
    seconds_after: float | None
    bytes_before: float | None
    bytes_after: float | None
    size_ratio: float | None
    bits: float | None
    largest_error: float | None
    sizes: dict[str, int]
    variables: tuple[dict[str, Any], ...] = ()
    choice: dict[str, Any] | None = None


class DistillationRow(Config):
    """A student in table 3.

    Attributes:
        model: Name of the student.
        family: Architecture of the student.
        learn_from: Family or group of the recipe whose teachers' predictions the student learned from.
        gap_distilled: GAP of the student.
        gap_error: Standard error of that GAP.
        baseline: Model with the same configuration and training that learned from labels alone. Empty if none.
        gap_undistilled: GAP of the baseline.
        gain: `gap_distilled - gap_undistilled`.
        family_gain: Mean gain of all students of this architecture.
        paper_family_gain: Mean gain of this architecture in the paper.
    """

    model: str
    family: str
    learn_from: str
    gap_distilled: float | None
    gap_error: float | None
    baseline: str
    gap_undistilled: float | None
    gain: float | None
    family_gain: float | None
    paper_family_gain: float | None


class EnsembleRow(Config):
    """A member in table 4; `size_share` is its fraction of all members' bytes, and all weights sum to 1.

    `size` is the size in which it was quantized: a number of bits, or `auto`. Empty if it is not known.
    """

    model: str
    family: str
    size: str = ""
    gap: float | None
    size_bytes: float | None
    size_share: float | None
    weight: float


class EnsembleFamily(Config):
    """An architecture in table 4: sums over its members, and the paper's figures."""

    family: str
    members: int
    size_share: float | None
    weight: float
    paper_members: int | None
    paper_size_share: float | None
    paper_weight: float | None


class Tables(Config):
    """The paper's tables 1 to 4 for this run."""

    averaging: tuple[AveragingRow, ...] = ()
    quantization: tuple[QuantizationRow, ...] = ()
    distillation: tuple[DistillationRow, ...] = ()
    ensemble: tuple[EnsembleRow, ...] = ()
    ensemble_families: tuple[EnsembleFamily, ...] = ()
