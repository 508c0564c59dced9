"""Network and data small enough to train in a second."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.support.trainings import resolved
from yt8m.metrics import StreamingMetrics
from yt8m.models.inference import Predictor, keras_predictor
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.config import ResolvedTraining
from yt8m.training.epoch_end.holdout_sample import SampleFigures
from yt8m.training.holdout import PredictedBatch, summed_crossentropy
from yt8m.training.loop import fit
from yt8m.training.steps import Steps, TrainingRecord
from yt8m.training.training_model import TrainingModel

B, T, D, C, VIDEOS = 8, 3, 4, 6, 35
CONFIG = resolved(epochs=3, batch_size=B, learning_rate=0.01, decay_examples=40, seed=5)
STEPS = Steps.of(VIDEOS, CONFIG.epochs, B)


def network() -> keras.Model:
    """Build a network: mean of frames, batch normalization, a hidden layer, dropout and a penalized dense layer."""
    keras.utils.set_random_seed(CONFIG.seed)
    frames = keras.Input((T, D), dtype="uint8", name="frames")
    num_frames = keras.Input((), dtype="int32", name="num_frames")
    summed = keras.ops.sum(keras.layers.Rescaling(1 / 128, offset=-1)(frames), axis=1)
    x = summed / keras.ops.expand_dims(keras.ops.cast(num_frames, "float32"), -1)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dense(8, activation="relu", name="hidden")(x)
    x = keras.layers.Dropout(0.2, seed=3, name="dropout")(x)
    x = keras.layers.Dense(C, activation="sigmoid", kernel_regularizer=keras.regularizers.L2(0.01), name="out")(x)
    return keras.Model({"frames": frames, "num_frames": num_frames}, x)


def videos(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frames, numbers of frames and labels of some videos; the labels depend on the frames."""
    random = np.random.default_rng(seed)
    frames = random.integers(0, 256, (VIDEOS, T, D), np.uint8)
    rule = np.random.default_rng(1).normal(size=(D, C))
    labels = (frames.mean(axis=1) - 127.5) @ rule > 20
    return frames, np.full(VIDEOS, T, np.int32), labels.astype(np.uint8)


def holdout() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return other videos than those of the training."""
    return videos(2)


def read_epoch(epoch: int, skip: int) -> Any:
    """Return the batches of an epoch: the same videos in an order that depends on the epoch."""
    frames, num_frames, labels = videos(1)
    order = np.random.default_rng(epoch).permutation(VIDEOS)
    inputs = {"frames": frames[order], "num_frames": num_frames}
    targets = {"labels": labels[order]}
    return tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(B, drop_remainder=True).skip(skip)


class Sample:
    """All hold-out videos."""

    part = "hold-out"

    def measure(self, predictor: Predictor, *, exclusive: bool) -> SampleFigures:
        """Predict the videos, and compute GAP and loss."""
        frames, num_frames, labels = holdout()
        probabilities = predictor(frames, num_frames)
        metrics = StreamingMetrics(C)
        metrics.update(probabilities, labels)
        batch = PredictedBatch(np.arange(VIDEOS), labels, probabilities, np.zeros(VIDEOS, np.bool_))
        return SampleFigures(metrics.result()["gap"], summed_crossentropy(batch, exclusive=exclusive) / VIDEOS)


def predictor(model: keras.Model) -> Predictor:
    """Wrap a network as a predictor."""
    return keras_predictor(model)


def train(
    folder: str,
    config: ResolvedTraining = CONFIG,
    *,
    digest: str = "d" * 64,
    averaging_decay: float | None = None,
    sample: Any = None,
) -> tuple[TrainingModel, TrainingRecord]:
    """Train the toy network from the checkpoint in the folder, if there is one."""
    model = TrainingModel(network(), averaging_decay=averaging_decay)
    record = fit(
        model,
        read_epoch,
        steps=Steps.of(VIDEOS, config.epochs, B),
        config=config,
        checkpoint=Checkpoint(folder, digest),
        description="toy",
        sample=sample,
    )
    return model, record


def weights(model: keras.Model) -> list[np.ndarray]:
    """Return all weights as arrays."""
    return [np.asarray(variable) for variable in model.weights]
