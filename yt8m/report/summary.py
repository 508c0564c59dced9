"""The summary of a run: the content of `summary.json`, and of the HTML report.

GAP is computed on the hold-out videos with 20 predictions per video. Sizes are in bytes and times in seconds; shares
and weights are fractions of 1. A figure that the run does not have is null, and a table is an empty list. `family` is
the architecture of a model, except in `selections`, where it is a family of the recipe.
"""

from typing import Any, Literal

from pydantic import Field

from yt8m.config import Config
from yt8m.report.artifacts import ModelArtifacts
from yt8m.report.summary_tables import Tables

Role = Literal["teacher", "student"]


class Final(Config):
    """Main results of the run.

    Attributes:
        gap: GAP of the model that `measured_on` names.
        gap_name: Name of GAP with the number of predictions per video that count, `GAP@20` or that of all classes.
        gap_held_out: GAP of the ensemble on the hold-out videos that the search for weights did not use.
        measured_on: Model that `gap` was measured on; `search` or `model` if the run exports nothing.
        map: Mean average precision of the same model.
        hit_at_1: Fraction of videos whose top prediction is correct.
        perr: Precision at equal recall rate.
        accuracy: Fraction of videos whose top prediction is correct, if every video has exactly one label.
        balanced_accuracy: Mean of this fraction over the classes, if every video has exactly one label.
        videos: Number of hold-out videos of these figures.
        size_bytes: Size of the exported model on disk.
        budget_bytes: Maximum size of the exported model.
        budget_share: `size_bytes / budget_bytes`.
        members: Number of models in the ensemble.
        baseline_gap: GAP of predicting each class by its frequency alone.
        best_model: Name of the single model with the highest GAP.
        best_model_gap: GAP of that model.
    """

    gap: float | None = None
    gap_name: str = "GAP"
    gap_held_out: float | None = None
    measured_on: Literal["exported model", "search", "model", "nothing"] = "nothing"
    map: float | None = None
    hit_at_1: float | None = None
    perr: float | None = None
    accuracy: float | None = None
    balanced_accuracy: float | None = None
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

    `role` is `teacher` for models that learned from labels only, `student` for those that learned from soft targets.
    `gap` belongs to the final float weights, `gap_quantized` and `size_bytes` to the quantized model.
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
    """A combination of candidates, equally weighted."""

    members: tuple[str, ...]
    gap: float
    chosen: bool


class Selection(Config):
    """Choice of the teachers of a recipe's family; `combinations` lists all that were scored, best first."""

    family: str
    chosen: tuple[str, ...]
    gap: float | None
    combinations: tuple[Combination, ...]


class SearchMethod(Config):
    """Ensemble found by one search method, with GAP on the videos searched on, on the held-out ones, and on all."""

    method: str
    trials: float | None
    gap_searched: float | None
    gap_held_out: float | None
    gap: float | None
    members: int | None
    size_bytes: float | None
    chosen: bool


class FrontierPoint(Config):
    """Best ensemble of at most this size, with GAP as in `SearchMethod`."""

    size_bytes: float
    gap_searched: float
    gap_held_out: float
    members: tuple[str, ...]


class Data(Config):
    """Data of the run.

    Attributes:
        spec: Features, number of classes and maximum frames per video.
        figures: Metrics of the prepare stage.
        damaged_shards: Shards that could be read only in part, with the reason.
        skipped_records: First records that were skipped, with the reason.
        copies: Shards that were left out, because another one has their content.
    """

    spec: dict[str, Any] = Field(default={})
    figures: dict[str, float] = Field(default={})
    damaged_shards: tuple[str, ...] = ()
    skipped_records: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


class Guard(Config):
    """Reason for the chosen method: searched weights must beat the flat average by more than chance.

    Attributes:
        best_searched: Method with the highest GAP on the videos searched on.
        gain_over_flat: Gain of that method over the flat average on these videos.
        standard_error: Standard error of the gain. Null if it cannot be estimated.
        min_gain_errors: Required gain, in standard errors.
    """

    best_searched: str
    gain_over_flat: float
    standard_error: float | None
    min_gain_errors: float


class Search(Config):
    """The search for members and weights.

    Attributes:
        searched_videos: Number of hold-out videos on which the weights were searched.
        held_out_videos: Number of the other hold-out videos.
        gap_float: GAP of the chosen ensemble before quantization on the held-out videos. Null if not measured.
        methods: Ensemble found by each method.
        guard: Reason for the chosen method.
        random_trials: `min`, `median` and `max` GAP of the random trials on the videos searched on.
        dropped: Candidates that are not members of the ensemble.
        frontier: Best ensembles by size, smallest first.
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
    """A kind of class; `gap` has the mean of each architecture over its float models."""

    kind: str
    gap: dict[str, float]
    gap_exported: float | None
    best_family: str


class Curve(Config):
    """Learning curve of a model; each point has `step` and some of `loss`, `gap`, ... of the train stage."""

    model: str
    family: str
    points: tuple[dict[str, float], ...]


class NodeTime(Config):
    """Duration of a node."""

    node: str
    stage: str
    seconds: float


class Check(Config):
    """Result of a check of the run, as a sentence. There is none where figures for it are missing."""

    passed: bool
    text: str


class RunWarning(Config):
    """What makes a figure doubtful or a model bad; `docs/warnings.md` documents the rules.

    Attributes:
        rule: Number of the rule.
        title: What the rule warns of.
        node: Node whose figures show it.
        text: The figures, in one or two sentences.
        cause: The likely cause.
        setting: The setting to change, with a value to try if there is one.
    """

    rule: int
    title: str
    node: str
    text: str
    cause: str
    setting: str


class Export(Config):
    """Speed of the exported model: seconds to load it, and seconds per call by number of videos."""

    load_seconds: float | None
    seconds_by_batch: dict[int, float]


class Summary(Config):
    """All figures of a run.

    Attributes:
        format: Version of the format, increased when a key changes its meaning.
        final: Main results.
        warnings: What makes a figure doubtful or a model bad, the worst first.
        checks: Checks of the results against expectations.
        tables: The paper's four tables.
        models: All trained models.
        artifacts: Where the models are, for runs that take them.
        selections: Choice of teachers per family.
        search: Search for members and weights. Null if the run has none.
        export: Speed of the exported model. Null if the run exports nothing.
        class_kinds: GAP by kind of class, if the data has kinds.
        curves: Learning curves.
        data: Data of the run. Null if unknown.
        nodes: Durations of the nodes, if known.
        nodes_seconds: Sum of the durations.
    """

    format: Literal[2] = 2
    final: Final
    warnings: tuple[RunWarning, ...] = ()
    checks: tuple[Check, ...] = ()
    tables: Tables
    models: tuple[Model, ...] = ()
    artifacts: tuple[ModelArtifacts, ...] = ()
    selections: tuple[Selection, ...] = ()
    search: Search | None = None
    export: Export | None = None
    class_kinds: tuple[ClassKind, ...] = ()
    curves: tuple[Curve, ...] = ()
    data: Data | None = None
    nodes: tuple[NodeTime, ...] = ()
    nodes_seconds: float | None = None
