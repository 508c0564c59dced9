"""Stage `train`: trains one model on labels, with or without soft targets, and measures it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from yt8m.config import Config
from yt8m.data.partition import Partition
from yt8m.errors import ConfigError
from yt8m.identity import folder_digest
from yt8m.models import ModelConfig, build_from_bytes
from yt8m.models.files import save_model
from yt8m.models.head import set_initial_predictions
from yt8m.records.settings import as_details
from yt8m.stages.evaluate import EvaluateConfig, measure
from yt8m.stages.result import StageResult
from yt8m.training.auto.counts import DataCounts
from yt8m.training.auto.rules import resolve_training
from yt8m.training.config import ResolvedTraining, TrainingConfig
from yt8m.training.provenance import Provenance, SeenVideos, check_seen


class TrainConfig(Config):
    """Model and training.

    Attributes:
        model: Architecture of the model and its hyperparameters.
        training: Steps, optimizer, precision and seed.
        label_weight: Weight of the labels against the soft targets, lambda of the paper's equation 2 (0.5; section
            3.1). It has no effect without soft targets.
        evaluation: How the model is measured on the hold-out videos.
    """

    model: ModelConfig
    training: TrainingConfig = TrainingConfig()
    label_weight: float = Field(default=0.5, ge=0, le=1)
    evaluation: EvaluateConfig = EvaluateConfig()


def train(
    *,
    partition: Path,
    config: TrainConfig,
    output: Path,
    predictions: Path,
    checkpoint_uri: str,
    tensorboard_uri: str = "",
    soft_targets: Sequence[Path] = (),
    start: Path | None = None,
) -> StageResult:
    """Train a model on the training shards, and predict the hold-out videos with the saved model.

    A killed training continues from its last checkpoint. If everything that decides the weights is as in a finished
    training, the stage takes the weights from its checkpoint and only measures them again. On the same machine, the
    same configuration, data and backend give the same weights, even after an interruption.

    Args:
        partition: Partition file with the training shards.
        config: Model and training.
        output: Folder to write the model to.
        predictions: File that receives the predictions; see `evaluate`.
        checkpoint_uri: Folder of checkpoints. The last one stays after the training.
        tensorboard_uri: Folder of the TensorBoard logs. If empty, no logs are written.
        soft_targets: Manifests of the soft targets, in any number of parts. None for a model trained on labels only.
        start: Folder of a trained model with whose weights the training starts. None for random weights.

    Returns:
        Metrics `kept_epoch` (the epoch whose weights are the model, counted from 1) and `epochs_done`, `training_loss`
        and `training_gap` of the kept epoch (from predictions during training, GAP to about three decimals), `seconds`
        and `videos_per_second` of the training, `steps` (those done), `parameters`, and those of the evaluation
        (`measure`); details `curve`, `settings`, `batch_normalizations` (their number), `gap_by_kind` and, after a
        warm start, `start` (`yt8m.models.warm_start.WarmStart`).

    Raises:
        ConfigError: The batch is larger than the training set, the head is `softmax` and not every video has exactly
            one label, or the loss became infinite.
        DataError: Shards or soft targets cannot be read or do not belong together, or the model to start with learned
            from hold-out videos, or was chosen by some that figures are reported on.
        StorageError: A file cannot be read or written, or the checkpoint is damaged.
    """
    shards = Partition.load(partition)
    _check_head(config, shards)
    before = check_seen(str(start), shards, starts=True) if start else ()
    result = _train(
        shards,
        config,
        output,
        checkpoint_uri=checkpoint_uri,
        tensorboard_uri=tensorboard_uri,
        soft_targets=soft_targets,
        start=start,
        seen=(SeenVideos.of(shards), *before),
    )
    return measure(result, partition=partition, model=output, config=config.evaluation, predictions=predictions)


def _train(
    shards: Partition,
    config: TrainConfig,
    output: Path,
    *,
    checkpoint_uri: str,
    tensorboard_uri: str,
    soft_targets: Sequence[Path],
    start: Path | None,
    seen: tuple[SeenVideos, ...],
) -> StageResult:
    """Train and save the model. Nothing refers to the training afterwards."""
    from yt8m.training.epoch_end.batch_statistics import batch_normalizations  # noqa: PLC0415 - imports Keras
    from yt8m.training.run import TrainingRun  # noqa: PLC0415 - imports Keras, which recipes do not need

    training, settings = resolve_training(config.training, DataCounts.of(shards), is_warm=start is not None)
    details: dict[str, Any] = {"settings": as_details(settings)}
    run = TrainingRun.of(
        lambda: _build(config.model, training, shards, start, details),
        shards,
        training,
        label_weight=config.label_weight,
        soft_targets=soft_targets,
        gap_top_k=config.evaluation.gap_top_k,
    )
    record = run.fit(
        checkpoint_uri=checkpoint_uri,
        tensorboard_uri=tensorboard_uri,
        description=f"Training {config.model.architecture}",
        stage="train",
        architecture=config.model.architecture,
        identity={"model": config.model.model_dump(mode="json"), **({"start": folder_digest(start)} if start else {})},
    )
    save_model(output, run.network, config.model, shards.spec)
    examples = record.kept_epoch * run.steps.videos_per_epoch
    Provenance(training=training, label_weight=config.label_weight, examples=examples, seen=seen).save(output)
    metrics = {
        "kept_epoch": float(record.kept_epoch),
        "epochs_done": float(record.epoch),
        "training_loss": record.kept_point.loss,
        "training_gap": record.kept_point.gap,
        "seconds": record.seconds,
        "videos_per_second": record.epoch * run.steps.videos_per_epoch / record.seconds,
        "steps": float(record.epoch * run.steps.steps_per_epoch),
        "parameters": float(run.network.count_params()),
    }
    details |= {"batch_normalizations": len(batch_normalizations(run.network)), "curve": record.curve_as_json()}
    return StageResult(metrics, details)


def _check_head(config: TrainConfig, partition: Partition) -> None:
    """Check that the head fits the labels of the videos."""
    if config.model.head.kind == "softmax" and not partition.single_label:
        raise ConfigError(
            "model.head.kind: softmax needs videos with exactly one label each. Received: videos with "
            f"{partition.fewest_labels} to {partition.most_labels} labels. Set kind: logistic or kind: moe, or leave "
            "out the videos without a label and those with several."
        )


def _build(
    model: ModelConfig, training: ResolvedTraining, partition: Partition, start: Path | None, details: dict[str, Any]
) -> Any:
    """Build the network with its initial weights, and add to the details what was taken from another model."""
    network = build_from_bytes(model, partition.spec)
    if training.initial_bias == "class_frequencies":
        # Half a video with and one without each class are added, so that no probability is 0 or 1.
        set_initial_predictions(network, (np.array(partition.class_counts) + 0.5) / (partition.num_training_videos + 1))
    if start:
        from yt8m.models.warm_start import start_with  # noqa: PLC0415 - imports Keras

        details["start"] = start_with(network, start, partition.spec)._asdict()
    return network
