"""The summary of a run: the content of `summary.json`, and of the HTML report.

GAP counts as many predictions per video as `gap_name` says, on the report videos if the name does not say otherwise:
`gap_select` on the select videos, `training_gap` on training videos, `test_gap` on test videos. `parts` has their
numbers. Sizes are in bytes and times in seconds; shares and weights are fractions of 1. A figure that the run does not
have is null, and a table is an empty list. `family` is the architecture of a model, except in `selections`, where it is
a family of the recipe.
"""

from typing import Any, Literal

from pydantic import Field

from yt8m.config import Config
from yt8m.report.artifacts import ModelArtifacts
from yt8m.report.parts import Parts
from yt8m.report.summary_search import Search, Selection
from yt8m.report.summary_tables import Tables

Role = Literal["teacher", "student"]


class Final(Config):
    """Main results of the run.

    Attributes:
        gap: GAP of the model that `measured_on` names.
        gap_name: Name of GAP with the number of predictions per video that count, `GAP@20` or that of all classes.
        part: Part of the hold-out of these figures: `report`, or `hold-out` if decisions were made on the same videos.
        videos: Number of videos of these figures.
        gap_low: Lower end of the 95% bootstrap interval of `gap`.
        gap_high: Upper end of the interval.
        gap_error: Standard error of `gap`.
        gain_error: Standard error of `gap - baseline_gap`.
        beats_baseline: Whether `gap` is above `baseline_gap` by two standard errors, on the report and on the select
            videos; by three, if the hold-out is not divided. Null if it was not compared.
        unseen: Whether no video of the hold-out has the id of a training video. Null if that is not known, as after a
            warm start with the weights of another run.
        measured_on: Model that `gap` was measured on; `search` or `model` if the run exports nothing.
        map: Mean average precision of the same model.
        hit_at_1: Fraction of videos whose top prediction is correct.
        perr: Precision at equal recall rate.
        accuracy: Share of videos whose top prediction is their only label. Null if videos have several labels.
        balanced_accuracy: Mean of the accuracies of the classes. Null if videos have several labels.
        gap_select: GAP of the same model on the select videos, on which everything was decided.
        test_gap: GAP of the exported model on the test videos, on which nothing was decided.
        test_gap_low: Lower end of the 95% bootstrap interval of `test_gap`.
        test_gap_high: Upper end of the interval.
        test_videos: Number of test videos.
        size_bytes: Size of the exported model on disk.
        budget_bytes: Maximum size of the exported model.
        budget_share: `size_bytes / budget_bytes`.
        members: Number of models in the ensemble.
        baseline_gap: GAP of predicting each class by its frequency alone, on the same videos as `gap`.
        best_model: Name of the single model with the highest GAP on the select videos.
        best_model_gap: GAP of that model, on the same videos as `gap`.
        best_member_error: Standard error of the difference in GAP between the ensemble and its best member.
    """

    gap: float | None = None
    gap_name: str = "GAP"
    part: str = ""
    videos: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    gap_error: float | None = None
    gain_error: float | None = None
    beats_baseline: bool | None = None
    unseen: bool | None = None
    measured_on: Literal["exported model", "search", "model", "nothing"] = "nothing"
    map: float | None = None
    hit_at_1: float | None = None
    perr: float | None = None
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    gap_select: float | None = None
    test_gap: float | None = None
    test_gap_low: float | None = None
    test_gap_high: float | None = None
    test_videos: float | None = None
    size_bytes: float | None = None
    budget_bytes: float | None = None
    budget_share: float | None = None
    members: int | None = None
    baseline_gap: float | None = None
    best_model: str = ""
    best_model_gap: float | None = None
    best_member_error: float | None = None


class Model(Config):
    """One trained model.

    Attributes:
        model: Name of the model.
        family: Architecture of the model.
        role: `teacher` for models that learned from labels only, `student` for those that learned from soft targets.
        gap: GAP of the final float weights on the report videos, as the figures down to `loss`.
        gap_low: Lower end of the 95% bootstrap interval of `gap`.
        gap_high: Upper end of the interval.
        map: Mean average precision.
        hit_at_1: Fraction of videos whose top prediction is correct.
        perr: Precision at equal recall rate.
        loss: Cross entropy, summed over classes.
        gap_select: GAP of the same weights on the select videos.
        training_gap: GAP on the training videos, collected during the epoch whose weights were kept.
        gap_quantized: GAP of the quantized model on the report videos.
        size_bytes: Size of the quantized model.
        kept_epoch: Epoch whose weights were kept, counted from 1.
        epochs_done: Number of epochs that were trained.
        train_seconds: Duration of the training.
    """

    model: str
    family: str
    role: Role
    gap: float | None
    gap_low: float | None
    gap_high: float | None
    map: float | None
    hit_at_1: float | None
    perr: float | None
    loss: float | None
    gap_select: float | None
    training_gap: float | None
    gap_quantized: float | None
    size_bytes: float | None
    kept_epoch: float | None
    epochs_done: float | None
    train_seconds: float | None


class Data(Config):
    """Data of the run.

    Attributes:
        spec: Features, number of classes and maximum frames per video.
        figures: Metrics of the prepare stage.
        report_share: Share of the hold-out videos on which figures are computed, as in the recipe. 0: all of them.
        seed: Seed of the division of the hold-out.
        holdout_shards: Number of hold-out shards, as in the recipe.
        patterns: Patterns of the shards, as in the recipe. Empty if they were generated.
        generated: How the videos were generated. Null if they were not.
        damaged_shards: Shards that could be read only in part, with the reason.
        skipped_records: First records that were skipped, with the reason.
        copies: Shards that were left out, because another one has their content.
    """

    spec: dict[str, Any] = Field(default={})
    figures: dict[str, float] = Field(default={})
    report_share: float | None = None
    seed: int | None = None
    holdout_shards: int | None = None
    patterns: tuple[str, ...] = ()
    generated: dict[str, Any] | None = None
    damaged_shards: tuple[str, ...] = ()
    skipped_records: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


class ClassKind(Config):
    """A kind of class; `gap` has the mean of each architecture over its float models, on the report videos.

    `best_family` is the architecture with the highest of these figures. Nothing is decided by it.
    """

    kind: str
    gap: dict[str, float]
    gap_exported: float | None
    best_family: str


class Curve(Config):
    """Learning curve of a model.

    Each point has `step` and some of the figures of the train stage: `loss` and `gap` on training videos, and
    `holdout_loss` and `holdout_gap` on a sample of the select videos, which are null within epochs. `weighted` says
    whether classes or videos have weights in the loss in training; the loss on the hold-out has none.
    """

    model: str
    family: str
    points: tuple[dict[str, float | None], ...]
    weighted: bool = False


class SettingRow(Config):
    """A setting as steps resolved it.

    Attributes:
        stage: Stage of the steps.
        key: Key of the setting, as in the recipe.
        value: Its value.
        reason: Where the value comes from.
        automatic: Whether it was set by the amount of data, as the recipe leaves it out or says `auto`.
        nodes: Steps with this value.
    """

    stage: str
    key: str
    value: Any
    reason: str
    automatic: bool
    nodes: tuple[str, ...]


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
        parts: Videos on which figures were computed.
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
        settings: Settings of the steps, with reasons.
        data: Data of the run. Null if unknown.
        nodes: Durations of the nodes, if known.
        nodes_seconds: Sum of the durations.
    """

    format: Literal[3] = 3
    final: Final
    parts: Parts = Parts()
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
    settings: tuple[SettingRow, ...] = ()
    data: Data | None = None
    nodes: tuple[NodeTime, ...] = ()
    nodes_seconds: float | None = None
