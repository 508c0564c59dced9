"""Stage `evaluate`: computes metrics and predictions of a model on the hold-out videos."""

import gc
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import PositiveInt

from yt8m.config import Config
from yt8m.data.description import DatasetDescription
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.export.description import ExportDescription, is_exported
from yt8m.metrics import GAP_TOP_K, StreamingMetrics
from yt8m.models.files import WEIGHTS_FILE, read_description
from yt8m.predictions import DEFAULT_TOP_K, PredictionsBuilder
from yt8m.stages.result import StageResult
from yt8m.training.baseline import compare_with_baseline

if TYPE_CHECKING:
    from yt8m.training.holdout import PredictedBatch

_LOGGER = logging.getLogger("yt8m.stages")

# Figures that stages have of their own work as well.
_SPEED = ("seconds", "videos_per_second")


class EvaluateConfig(Config):
    """How models are measured on the hold-out videos.

    Attributes:
        batch_size: Number of videos per batch. It changes speed and memory, not results.
        top_k: Number of classes per video whose probabilities are kept as predictions, from which teachers are selected
            and the weights of the ensemble searched. At least `gap_top_k`.
        gap_top_k: Number `k` of the most likely classes per video that count in GAP, which figures call GAP@k (the
            paper: 20). Where there are fewer classes, all of them count: GAP@5 with 5 classes. Teachers, weights and
            averages are decided by the same GAP, and so are the epochs of a training.
    """

    batch_size: PositiveInt = 128
    top_k: PositiveInt = DEFAULT_TOP_K
    gap_top_k: PositiveInt = GAP_TOP_K


def evaluate(
    *,
    partition: Path,
    model: Path,
    config: EvaluateConfig,
    predictions: Path | None,
    observe: "Callable[[PredictedBatch], None] | None" = None,
) -> StageResult:
    """Evaluate a model on the hold-out videos and store its predictions.

    Figures are of the part *report* of the hold-out, or of the whole hold-out if it is not divided. The names of those
    of the part *select* say so.

    Args:
        partition: File of the partition.
        model: Folder of a trained model, a quantized model or an exported SavedModel.
        config: Batch size and number of predictions to store.
        predictions: File that receives the predictions (`yt8m.predictions.Predictions`). None stores nothing.
        observe: Receives every batch of predictions, those of all classes.

    Returns:
        Metrics `gap`, `gap_top_k` (the number of predictions per video that count in it), `map`, `hit_at_1`, `perr`,
        `loss` (cross entropy summed over classes, without regularization), `videos`, `accuracy` and
        `balanced_accuracy` if every video has exactly one label; `baseline_gap` (GAP of predicting each class by its
        frequency in training); `gap_low` and `gap_high` (95% interval of `gap`), `gap_error` and `gain_error`
        (standard errors of `gap`, and of `gap` minus `baseline_gap`; see `yt8m.bootstrap`); `gap_select` and
        `select_videos` (GAP and number of the videos that decide), with `baseline_gap_select` and `gain_error_select`
        if they are others; `bytes` (of the weight file or the whole SavedModel); `seconds` and `videos_per_second` (of
        the model alone on all videos, without reading, compilation and metrics). Details `part`, the part of the
        hold-out (`report` or `hold-out`); and `gap_by_kind`, the GAP among the classes of each kind, if the data has
        kinds.

    Raises:
        DataError: There is no model, it was made for other data, or shards cannot be read.
    """
    from yt8m.training.holdout import BothParts, predict_holdout  # noqa: PLC0415 - recipes need the config only

    shards = Partition.load(partition)
    timed = _TimedPredictor(_load_predictor(model, shards.spec))
    timed.warm_up(config.batch_size, shards.spec)
    divided = shards.division.part == "report"
    scores = BothParts(shards, exclusive=_has_exclusive_classes(model), top_k=config.gap_top_k)
    kinds = {
        kind: (classes, StreamingMetrics(len(classes), config.gap_top_k))
        for kind, classes in _class_kinds(shards).items()
    }
    builder = PredictionsBuilder(shards.spec.num_classes, config.top_k)
    for batch in predict_holdout(timed, shards, config.batch_size, "Evaluating"):
        scores.update(batch)
        if observe:
            observe(batch)
        builder.append(batch.ids, batch.probabilities, batch.labels, batch.report)
        reported = batch.rows(batch.report) if divided else batch
        for classes, metrics in kinds.values():
            metrics.update(reported.probabilities[:, classes], reported.labels[:, classes])
    found = builder.build()
    unlabeled = int((np.diff(found.label_ptr) == 0).sum())
    # Of the hold-out of a run, prepare says it.
    if unlabeled and not shards.training:
        _LOGGER.warning(
            "%s of %s videos have no labels. They are measured as videos of no class, so that every prediction for "
            "them counts as wrong. Give labeled shards only for the metrics of labeled videos.",
            f"{unlabeled:,}", f"{found.num_videos:,}",
        )  # fmt: skip
    if predictions:
        found.save(predictions)
    decided = scores.select.metrics.result()
    on_select: dict[str, float] = {}
    if divided:
        rows = found.rows(found.rows_select)
        compared = compare_with_baseline(scores.select.metrics.keys, shards, rows, config.gap_top_k)
        on_select = {f"{name}_select": compared[name] for name in ("baseline_gap", "gain_error")}
    figures = {
        **scores.report.result(),
        "gap_top_k": float(min(config.gap_top_k, shards.spec.num_classes)),
        **(scores.report.metrics.accuracy() if shards.single_label else {}),
        **compare_with_baseline(scores.report.metrics.keys, shards, found.rows(found.rows_report), config.gap_top_k),
        "gap_select": decided["gap"],
        "select_videos": decided["videos"],
        **on_select,
        "bytes": float(_size_bytes(model)),
        "seconds": timed.seconds,
        "videos_per_second": found.num_videos / max(timed.seconds, 1e-9),
    }
    by_kind = {kind: metrics.result()["gap"] for kind, (_, metrics) in kinds.items()}
    details = {"part": shards.division.part} | ({"gap_by_kind": by_kind} if by_kind else {})
    return StageResult(figures, details)


def measure(
    result: StageResult, *, partition: Path, model: Path, config: EvaluateConfig, predictions: Path
) -> StageResult:
    """Evaluate the model that a stage has saved, and add the evaluation to the stage's result; see `evaluate`."""
    # Keras models refer to themselves: without this, the optimizer's state of a training would stay in memory.
    gc.collect()
    evaluated = evaluate(partition=partition, model=model, config=config, predictions=predictions)
    return with_evaluation(result, evaluated)


def with_evaluation(result: StageResult, evaluated: StageResult) -> StageResult:
    """Add a model's evaluation to the result of the stage that made the model.

    Args:
        result: Result of the stage. Its figures of the same name are replaced.
        evaluated: Result of `evaluate`. `seconds` and `videos_per_second` become `evaluation_seconds` and
            `evaluation_videos_per_second`.
    """
    renamed = {f"evaluation_{name}" if name in _SPEED else name: value for name, value in evaluated.metrics.items()}
    return StageResult({**result.metrics, **renamed}, {**result.details, **evaluated.details})


class _TimedPredictor:
    """Predictor that measures the total time of its calls."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self.seconds = 0.0

    def warm_up(self, batch_size: int, spec: DataSpec) -> None:
        """Predict one batch without measuring it, since the first call compiles the model."""
        frames = np.zeros((batch_size, spec.max_frames, spec.num_features), np.uint8)
        self._predictor(frames, np.ones(batch_size, np.int32))

    def __call__(self, frames: npt.NDArray[np.uint8], num_frames: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        start = time.monotonic()
        probabilities: npt.NDArray[np.float32] = self._predictor(frames, num_frames)
        self.seconds += time.monotonic() - start
        return probabilities


def _load_predictor(model: Path, spec: DataSpec) -> Any:
    from yt8m.models.inference import check_spec, load_predictor  # noqa: PLC0415 - Keras

    if not is_exported(model):
        return load_predictor(model, spec)
    from yt8m.export.exported_model import ExportedModel  # noqa: PLC0415 - TensorFlow

    exported = ExportedModel(model)
    check_spec(model, exported.spec, spec)
    return exported.probabilities


def spec_of(model: Path) -> DataSpec:
    """Read the features, classes and length of the videos that a trained, quantized or exported model expects."""
    return ExportDescription.load(model).data if is_exported(model) else read_description(model).data


def _has_exclusive_classes(model: Path) -> bool:
    if is_exported(model):
        return ExportDescription.load(model).scores == "distribution"
    return read_description(model).model.head.kind == "softmax"


def _size_bytes(model: Path) -> int:
    files = model.rglob("*") if is_exported(model) else [model / WEIGHTS_FILE]
    return sum(path.stat().st_size for path in files if path.is_file())


def _class_kinds(partition: Partition) -> Mapping[str, npt.NDArray[np.int64]]:
    """Read the classes of each kind from the description of the data set; empty if it has none."""
    description = DatasetDescription.of_shard(partition.holdout_uris[0])
    if not description or description.data.num_classes != partition.spec.num_classes:
        return {}
    return {kind: np.array(classes, np.int64) for kind, classes in description.class_kinds.items() if classes}
