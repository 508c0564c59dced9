"""Stage `train`: one model, on labels or on labels and soft targets."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from yt8m.config import Config
from yt8m.data.partition import Partition
from yt8m.models import ModelConfig, build_from_bytes
from yt8m.models.files import save_model
from yt8m.models.head import start_at
from yt8m.stages.result import StageResult
from yt8m.training.config import TrainingConfig
from yt8m.training.provenance import Provenance


class TrainConfig(Config):
    """What to train, and how.

    Attributes:
        model: The model.
        training: Steps, optimizer, precision, seed.
        label_weight: Lambda of the paper's equation 2, weight of the labels against the soft targets (0.5; section
            3.1). Without soft targets it has no effect.
    """

    model: ModelConfig
    training: TrainingConfig = TrainingConfig()
    label_weight: float = Field(default=0.5, ge=0, le=1)


def train(
    *,
    partition: Path,
    config: TrainConfig,
    output: Path,
    checkpoint_uri: str,
    tensorboard_uri: str = "",
    soft_targets: Path | None = None,
) -> StageResult:
    """Train a model on the training shards; killed and started again, it goes on from its last checkpoint.

    The same configuration, data and backend give the same weights on the same machine, killed or not.

    Args:
        partition: The partition.
        config: Model and training.
        output: The model's folder.
        checkpoint_uri: Folder of this training's checkpoint, which stays there when all is done.
        tensorboard_uri: Folder for TensorBoard's logs; none are written without.
        soft_targets: Manifest of the teachers' predictions, for a student.

    Returns:
        `loss` and `gap` of the last epoch (predictions made in training, GAP to about three decimals), `seconds`,
        `videos_per_second`, `steps`, `parameters`; details: `curve`.

    Raises:
        ConfigError: The batch is larger than the training set, or the loss became infinite.
        DataError: Shards or soft targets cannot be read or do not fit.
        StorageError: A file cannot be read or written, or the checkpoint is damaged.
    """
    from yt8m.training.run import TrainingRun  # noqa: PLC0415 - Keras; recipes need TrainConfig only

    shards = Partition.load(partition)
    run = TrainingRun.of(
        lambda: _build(config, shards),
        shards,
        config.training,
        label_weight=config.label_weight,
        soft_targets=soft_targets,
    )
    record = run.fit(
        checkpoint_uri=checkpoint_uri,
        tensorboard_uri=tensorboard_uri,
        description=f"Training {config.model.architecture}",
        identity={"stage": "train", "model": config.model.model_dump(mode="json")},
    )
    save_model(output, run.network, config.model, shards.spec)
    examples = run.steps.videos
    Provenance(training=config.training, label_weight=config.label_weight, examples=examples).save(output)
    metrics = {
        "loss": record.curve[-1].loss,
        "gap": record.curve[-1].gap,
        "seconds": record.seconds,
        "videos_per_second": examples / record.seconds,
        "steps": float(run.steps.total),
        "parameters": float(run.network.count_params()),
    }
    return StageResult(metrics, {"curve": record.curve_as_json()})


def _build(config: TrainConfig, partition: Partition) -> Any:
    network = build_from_bytes(config.model, partition.spec)
    if config.training.initial_bias == "class_frequencies":
        # Half a video more with and without each class: none is impossible.
        start_at(network, (np.array(partition.class_counts) + 0.5) / (partition.num_training_videos + 1))
    return network
