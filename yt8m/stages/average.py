"""Stage `average`: exponential moving average of a model's weights over further training (paper, section 4.1)."""

import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveFloat, PositiveInt

from yt8m import storage
from yt8m.config import Config
from yt8m.data.partition import Partition
from yt8m.models.files import load_model, read_description, save_model
from yt8m.stages.result import StageResult
from yt8m.training.provenance import Provenance


class AveragingConfig(Config):
    """How weights are averaged.

    Attributes:
        epochs: Further passes over the training videos (about 2; their code).
        averaged_steps: N; the average's decay per step is 1 - 1/N (2,000 to 3,000; their code). Far fewer steps of
            training than N leave the average near where the training began.
        learning_rate_divisor: The learning rate the model ended with is divided by this (5; their code).
        batch_size: Hold-out videos predicted at a time.
    """

    epochs: PositiveInt = 2
    averaged_steps: PositiveInt = 2000
    learning_rate_divisor: PositiveFloat = 5.0
    batch_size: PositiveInt = 128


class AverageConfig(AveragingConfig):
    """How weights are averaged, and when the average is kept.

    Attributes:
        policy: `always` keeps the average (the paper for RNN and DBoF), `if_better` only where its GAP on the hold-out
            is higher than that of the model before.
    """

    policy: Literal["always", "if_better"] = "always"


def average(
    *,
    partition: Path,
    model: Path,
    config: AverageConfig,
    output: Path,
    checkpoint_uri: str,
    tensorboard_uri: str = "",
    soft_targets: Path | None = None,
) -> StageResult:
    """Train a model on at a lower rate and averages weights and batch statistics over its steps.

    All else (batch size, clipping, label weight, ...) is as in the model's own training. Killed and started again, it
    goes on from its last checkpoint.

    Args:
        partition: The partition.
        model: Folder of the model, as a training step wrote it.
        config: How long, how slowly, and which model to keep.
        output: Folder of the model that is kept: the averaged one or a copy of the one before.
        checkpoint_uri: Folder of this training's checkpoint.
        tensorboard_uri: Folder for TensorBoard's logs; none are written without.
        soft_targets: Manifest of the teachers' predictions, for a student.

    Returns:
        `gap_before` and `gap_after` on the hold-out, `kept` (1: the average), `seconds`, `steps`; details: `curve`.

    Raises:
        ConfigError: The loss became infinite.
        DataError: The model, shards or soft targets cannot be used.
        StorageError: A file cannot be read or written, or the checkpoint is damaged.
    """
    from yt8m.training.digest import files_digest  # noqa: PLC0415 - Keras; recipes need AverageConfig only
    from yt8m.training.inference import holdout_gap  # noqa: PLC0415
    from yt8m.training.run import TrainingRun  # noqa: PLC0415

    shards, before, description = Partition.load(partition), Provenance.load(model), read_description(model)
    run = TrainingRun.of(
        lambda: load_model(model).model,
        shards,
        _further_training(before, config),
        label_weight=before.label_weight,
        soft_targets=soft_targets,
        averaging_decay=1 - 1 / config.averaged_steps,
    )
    gap_before = holdout_gap(run.network, shards, config.batch_size, "GAP before averaging")
    record = run.fit(
        checkpoint_uri=checkpoint_uri,
        tensorboard_uri=tensorboard_uri,
        description=f"Averaging {description.model.architecture}",
        identity={"stage": "average", "weights": files_digest(model)},
    )
    gap_after = holdout_gap(run.network, shards, config.batch_size, "GAP after averaging")
    kept = config.policy == "always" or gap_after > gap_before
    if kept:
        save_model(output, run.network, description.model, description.data)
        before.model_copy(update={"examples": before.examples + run.steps.videos}).save(output)
    else:
        _copy(model, output)
    metrics = {
        "gap_before": gap_before,
        "gap_after": gap_after,
        "kept": float(kept),
        "seconds": record.seconds,
        "steps": float(run.steps.total),
    }
    return StageResult(metrics, {"curve": record.curve_as_json()})


def _further_training(before: Provenance, config: AverageConfig) -> Any:
    changes = {
        "epochs": config.epochs,
        "learning_rate": before.learning_rate / config.learning_rate_divisor,
        # Another order of the videos than in the first epochs.
        "seed": before.training.seed + 1,
    }
    return before.training.model_copy(update=changes)


def _copy(model: Path, output: Path) -> None:
    with storage.publish_directory(output) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
