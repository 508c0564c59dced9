"""Stage `average`: takes the exponential moving average of the weights over further training (paper, section 4.1)."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from yt8m import storage
from yt8m.bootstrap import difference_error
from yt8m.config import Config
from yt8m.data.partition import Partition
from yt8m.identity import folder_digest
from yt8m.models.files import load_model, read_description, save_model
from yt8m.records.settings import as_details
from yt8m.stages.evaluate import EvaluateConfig, measure
from yt8m.stages.result import StageResult
from yt8m.training.auto.rules import resolve_averaged_steps
from yt8m.training.config import Auto, ResolvedTraining
from yt8m.training.provenance import Provenance
from yt8m.training.steps import Steps


class AveragingConfig(Config):
    """Further training at a lower learning rate, over which weights are averaged exponentially.

    It starts from the kept epoch of the model, and keeps no epoch of its own: the average is one of all its steps.

    Attributes:
        epochs: Number of further passes over the training videos (the paper: about 2).
        averaged_steps: Number `N` of steps over which weights are averaged, with a decay of `1 - 1/N` per step (the
            paper: 2000 to 3000). If the training has far fewer steps, the average stays near the initial weights.
            `auto` is half an epoch, at most 2000.
        learning_rate_divisor: Divisor of the model's learning rate at the end of its kept epoch, with which the further
            training begins (the paper: 5).
        batch_size: Number of hold-out videos per batch, when the average is measured. It changes speed and memory, not
            results.
    """

    epochs: PositiveInt = 2
    averaged_steps: PositiveInt | Auto = "auto"
    learning_rate_divisor: PositiveFloat = 5.0
    batch_size: PositiveInt = 128


class AverageConfig(AveragingConfig):
    """Averaging, and when to keep the average.

    Attributes:
        policy: `always` keeps the average (the paper, for RNN and DBoF). `if_better` keeps it only if its GAP is
            higher than that of the original model, on the part of the hold-out that decides.
        evaluation: How the model is measured on the hold-out videos.
    """

    policy: Literal["always", "if_better"] = "always"
    evaluation: EvaluateConfig = EvaluateConfig()


def average(
    *,
    partition: Path,
    model: Path,
    config: AverageConfig,
    output: Path,
    predictions: Path,
    checkpoint_uri: str,
    tensorboard_uri: str = "",
    soft_targets: Sequence[Path] = (),
) -> StageResult:
    """Continue training at a lower learning rate, and average weights and batch statistics over the steps.

    All other settings (batch size, clipping, label weight, ...) are those of the original training. A killed or
    repeated stage continues from its last checkpoint, as `train` does. The checkpoint holds the average whether it is
    kept or not: both GAPs are computed in every execution, so that the choice is never out of date.

    Args:
        partition: Partition file with the training and hold-out shards.
        model: Folder of the model, as stage `train` wrote it.
        config: Length and learning rate of the training, and which model to keep.
        output: Folder to write the model to: the average, or a copy of the original model.
        predictions: File that receives the predictions of the model that is kept; see `evaluate`.
        checkpoint_uri: Folder of checkpoints. The last one stays after the training.
        tensorboard_uri: Folder of the TensorBoard logs. If empty, no logs are written.
        soft_targets: Manifests of the soft targets, in any number of parts. None for a model trained on labels only.

    Returns:
        Metrics `gap_select_before` and `gap_select_after` on the part of the hold-out that decides, `gap_before` and
        `gap_after` on the part that is reported, `averaging_loss_error` (standard error of their difference), `kept` (1
        for the average), `seconds` of the training, `steps`, `parameters`, and those of the evaluation of the model
        that is kept (`measure`); details `curve`, `settings` and those of the evaluation.

    Raises:
        ConfigError: The loss became infinite.
        DataError: The model, the shards or the soft targets cannot be used.
        StorageError: A file cannot be read or written, or the checkpoint is damaged.
    """
    result = _average(
        Partition.load(partition),
        model,
        config,
        output,
        checkpoint_uri=checkpoint_uri,
        tensorboard_uri=tensorboard_uri,
        soft_targets=soft_targets,
    )
    return measure(result, partition=partition, model=output, config=config.evaluation, predictions=predictions)


def _average(
    shards: Partition,
    model: Path,
    config: AverageConfig,
    output: Path,
    *,
    checkpoint_uri: str,
    tensorboard_uri: str,
    soft_targets: Sequence[Path],
) -> StageResult:
    """Train further and save the model that is kept. Nothing refers to the training afterwards."""
    from yt8m.models.inference import check_spec  # noqa: PLC0415
    from yt8m.training.holdout import holdout_gaps  # noqa: PLC0415 - imports Keras, which recipes do not need
    from yt8m.training.run import TrainingRun  # noqa: PLC0415

    before, description = Provenance.load(model), read_description(model)
    check_spec(model, description.data, shards.spec)
    training = _further_training(before, config)
    per_epoch = Steps.of(shards.num_training_videos, 1, training.batch_size).steps_per_epoch
    averaged = resolve_averaged_steps(config.averaged_steps, per_epoch)
    run = TrainingRun.of(
        lambda: load_model(model).model,
        shards,
        training,
        label_weight=before.label_weight,
        soft_targets=soft_targets,
        averaging_decay=1 - 1 / averaged.value,
    )
    top_k = config.evaluation.gap_top_k
    before_gaps = holdout_gaps(run.network, shards, config.batch_size, "Measuring before averaging", top_k)
    record = run.fit(
        checkpoint_uri=checkpoint_uri,
        tensorboard_uri=tensorboard_uri,
        description=f"Averaging {description.model.architecture}",
        stage="average",
        architecture=description.model.architecture,
        identity={"weights": folder_digest(model)},
    )
    after_gaps = holdout_gaps(run.network, shards, config.batch_size, "Measuring after averaging", top_k)
    kept = config.policy == "always" or after_gaps.select > before_gaps.select
    if kept:
        save_model(output, run.network, description.model, description.data)
        before.model_copy(update={"examples": before.examples + run.steps.videos}).save(output)
    else:
        _copy(model, output)
    metrics = {
        "gap_before": before_gaps.report,
        "gap_after": after_gaps.report,
        "gap_select_before": before_gaps.select,
        "gap_select_after": after_gaps.select,
        "averaging_loss_error": difference_error(before_gaps.keys, after_gaps.keys, before_gaps.label_counts),
        "kept": float(kept),
        "seconds": record.seconds,
        "steps": float(run.steps.total),
        "parameters": float(run.network.count_params()),
    }
    settings = as_details({"averaged_steps": averaged})
    return StageResult(metrics, {"curve": record.curve_as_json(), "settings": settings})


def _further_training(before: Provenance, config: AverageConfig) -> ResolvedTraining:
    changes = {
        "epochs": config.epochs,
        "learning_rate": before.learning_rate / config.learning_rate_divisor,
        "warmup_steps": 0,
        # The average is a model of all epochs, and `policy` decides whether it is kept.
        "keep": "last",
        # Shuffles the videos in another order than the original training.
        "seed": before.training.seed + 1,
    }
    return before.training.model_copy(update=changes)


def _copy(model: Path, output: Path) -> None:
    with storage.publish_directory(output) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
