"""The part `tables` of a run's summary: the paper's tables 1 to 4; units as in `yt8m.report.summary`."""

from typing import Any

from yt8m.config import Config


class AveragedModel(Config):
    """Averaging of one model's weights; `kept` says whether the averaged weights were used."""

    model: str
    gap_before: float | None
    gap_after: float | None
    gap_change: float | None
    kept: bool | None


class AveragingRow(Config):
    """Table 1: one family; `gap_change` is the mean over its models, `paper_gap_change` the paper's."""

    family: str
    gap_change: float | None
    paper_gap_change: float | None
    models: tuple[AveragedModel, ...]


class QuantizationRow(Config):
    """Table 2: one model before (float) and after (8 bits).

    Attributes:
        model: Its name.
        family: Its family.
        gap_before: GAP of the float model.
        gap_after: GAP of the quantized model.
        gap_change: The difference.
        seconds_before: Time the float model takes for all hold-out videos, without reading them.
        seconds_after: The same for the quantized model.
        bytes_before: Size of the float model.
        bytes_after: Size of the quantized model.
        size_ratio: `bytes_after / bytes_before`.
        largest_error: Largest difference of a weight from its float value.
        variables: The quantize stage's table of variables, as that stage wrote it.
    """

    model: str
    family: str
    gap_before: float | None
    gap_after: float | None
    gap_change: float | None
    seconds_before: float | None
    seconds_after: float | None
    bytes_before: float | None
    bytes_after: float | None
    size_ratio: float | None
    largest_error: float | None
    variables: tuple[dict[str, Any], ...] = ()


class DistillationRow(Config):
    """Table 3: one student.

    Attributes:
        model: Its name.
        family: Its family.
        learn_from: Whose predictions it learned from: a family's or a group of teachers.
        gap_distilled: The student's GAP.
        baseline: The model of the same make and training that learned from labels alone; empty if there is none.
        gap_undistilled: Its GAP.
        gain: The difference.
        family_gain: Mean gain of the family's students.
        paper_family_gain: The paper's.
    """

    model: str
    family: str
    learn_from: str
    gap_distilled: float | None
    baseline: str
    gap_undistilled: float | None
    gain: float | None
    family_gain: float | None
    paper_family_gain: float | None


class EnsembleRow(Config):
    """Table 4: one member; `size_share` is of all members' bytes, `weight` of the sum of weights."""

    model: str
    family: str
    gap: float | None
    size_bytes: float | None
    size_share: float | None
    weight: float


class EnsembleFamily(Config):
    """Table 4 by family: sums over its members, and the paper's."""

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
