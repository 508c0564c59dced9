"""The run's figures for programs: `summary.json`, and all the HTML report shows.

GAPs are on the hold-out videos at 20 predictions per video; sizes are bytes, times seconds, shares and weights
fractions of 1. A figure the run does not have is null; a table it does not have is an empty list.
"""

from typing import Any, Literal

from pydantic import Field

from yt8m.config import Config
from yt8m.report.summary_tables import Tables

Role = Literal["teacher", "student"]


class Final(Config):
    """What came out of the run.

    Attributes:
        gap: GAP of the exported model.
        gap_held_out: The ensemble's GAP on the hold-out videos that took no part in the search for its weights.
        measured_on: What `gap` is of; `search` and `model` where the run exports nothing.
        map: Mean average precision, `hit_at_1` and `perr` beside it.
        hit_at_1: Share of videos whose best prediction is right.
        perr: Precision at equal recall rate.
        videos: Hold-out videos the figures are of.
        size_bytes: The exported model on disk.
        budget_bytes: What it may have.
        budget_share: `size_bytes / budget_bytes`.
        members: Models in the ensemble.
        baseline_gap: GAP of predicting every class by its frequency alone.
        best_model: The single model with the highest GAP.
        best_model_gap: Its GAP.
    """

    gap: float | None = None
    gap_held_out: float | None = None
    measured_on: Literal["exported model", "search", "model", "nothing"] = "nothing"
    map: float | None = None
    hit_at_1: float | None = None
    perr: float | None = None
    videos: float | None = None
    size_bytes: float | None = None
    budget_bytes: float | None = None
    budget_share: float | None = None
    members: int | None = None
    baseline_gap: float | None = None
    best_model: str = ""
    best_model_gap: float | None = None


class Model(Config):
    """One trained model.

    `role` is `teacher` for models that learned from labels, `student` for those that learned from soft targets. `gap`
    is of the final float weights; `gap_quantized` and `size_bytes` are in 8 bits.
    """

    model: str
    family: str
    role: Role
    gap: float | None
    map: float | None
    hit_at_1: float | None
    perr: float | None
    loss: float | None
    gap_quantized: float | None
    size_bytes: float | None
    train_seconds: float | None


class Combination(Config):
    """Some candidates, equally weighted."""

    members: tuple[str, ...]
    gap: float
    chosen: bool


class Selection(Config):
    """One family's choice of teachers; `combinations` are all that were scored, best first."""

    family: str
    chosen: tuple[str, ...]
    gap: float | None
    combinations: tuple[Combination, ...]


class SearchMethod(Config):
    """An ensemble by one method; GAP on the videos it was searched on, on the held-out ones and on all."""

    method: str
    trials: float | None
    gap_searched: float | None
    gap_held_out: float | None
    gap: float | None
    members: int | None
    size_bytes: float | None
    chosen: bool


class FrontierPoint(Config):
    """The best ensemble within so many bytes; GAP as in `SearchMethod`."""

    size_bytes: float
    gap_searched: float
    gap_held_out: float
    members: tuple[str, ...]


class Data(Config):
    """What the run learned from and was measured on.

    Attributes:
        spec: Features, number of classes and most frames of a video.
        figures: The prepare stage's figures.
        damaged_shards: Shards that could be read in part only, with the reason.
        skipped_records: The first records that were no usable videos, with the reason.
    """

    spec: dict[str, Any] = Field(default={})
    figures: dict[str, float] = Field(default={})
    damaged_shards: tuple[str, ...] = ()
    skipped_records: tuple[str, ...] = ()


class Guard(Config):
    """Why the method was taken: searched weights must beat the flat average by more than chance.

    Attributes:
        best_searched: The method with the highest GAP on the videos searched on.
        gain_over_flat: Its gain there.
        standard_error: Of that gain; null if it cannot be told.
        min_gain_errors: Standard errors that the gain must reach.
    """

    best_searched: str
    gain_over_flat: float
    standard_error: float | None
    min_gain_errors: float


class Search(Config):
    """The search for members and weights.

    Attributes:
        searched_videos: Hold-out videos the weights were searched on.
        held_out_videos: The other hold-out videos.
        gap_float: GAP of the chosen members before quantization on the held-out videos; null if not measured.
        methods: What each method found.
        guard: Why the chosen method was taken.
        random_trials: `min`, `median` and `max` of the random trials' GAP on the videos they were searched on.
        dropped: Models that are no members.
        frontier: The best ensembles by size, smallest first.
    """

    searched_videos: float | None
    held_out_videos: float | None
    gap_float: float | None
    methods: tuple[SearchMethod, ...]
    guard: Guard | None
    random_trials: dict[str, float]
    dropped: tuple[str, ...]
    frontier: tuple[FrontierPoint, ...]


class ClassKind(Config):
    """One kind of class; `gap` per family is the mean over its float models."""

    kind: str
    gap: dict[str, float]
    gap_exported: float | None
    best_family: str


class Curve(Config):
    """A model's training; every point has `step` and some of `loss`, `gap`, ..., as the train stage wrote them."""

    model: str
    family: str
    points: tuple[dict[str, float], ...]


class NodeTime(Config):
    """How long a node ran."""

    node: str
    stage: str
    seconds: float


class Check(Config):
    """Whether something expected of the run holds, in a sentence."""

    passed: bool
    text: str


class Export(Config):
    """Speed of the exported model: seconds to load it, and for a call by the number of videos in it."""

    load_seconds: float | None
    seconds_by_batch: dict[int, float]


class Summary(Config):
    """All figures of a run.

    Attributes:
        format: Version of this form; it grows when a key changes its meaning.
        final: What came out.
        checks: What is expected of a run, and whether it holds.
        tables: The paper's four tables.
        models: Every trained model.
        selections: Choice of teachers per family.
        search: The ensemble's search, if there was one.
        export: Speed of the exported model, where it was measured.
        class_kinds: GAP by kind of class, where the data has kinds.
        curves: Learning curves.
        data: The videos; null if the records do not tell.
        nodes: Times of the nodes, where known.
        nodes_seconds: Their sum.
    """

    format: Literal[1] = 1
    final: Final
    checks: tuple[Check, ...] = ()
    tables: Tables
    models: tuple[Model, ...] = ()
    selections: tuple[Selection, ...] = ()
    search: Search | None = None
    export: Export | None = None
    class_kinds: tuple[ClassKind, ...] = ()
    curves: tuple[Curve, ...] = ()
    data: Data | None = None
    nodes: tuple[NodeTime, ...] = ()
    nodes_seconds: float | None = None
