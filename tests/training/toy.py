"""Network and data small enough to train in a second."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.support.trainings import resolved
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.config import ResolvedTraining
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


def read_epoch(epoch: int, skip: int) -> Any:
    """Return the batches of an epoch: the same videos in an order that depends on the epoch."""
    random = np.random.default_rng(1)
    frames = random.integers(0, 256, (VIDEOS, T, D), np.uint8)
    labels = (frames.mean(axis=1) @ random.normal(size=(D, C)) > 100).astype(np.uint8)
    order = np.random.default_rng(epoch).permutation(VIDEOS)
    inputs = {"frames": frames[order], "num_frames": np.full(VIDEOS, T, np.int32)}
    targets = {"labels": labels[order]}
    return tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(B, drop_remainder=True).skip(skip)


def train(
    folder: str, config: ResolvedTraining = CONFIG, *, digest: str = "d" * 64, averaging_decay: float | None = None
) -> tuple[TrainingModel, TrainingRecord]:
    """Train the toy network from the checkpoint in the folder, if there is one."""
    model = TrainingModel(network(), averaging_decay=averaging_decay)
    steps = Steps.of(VIDEOS, config.epochs, B)
    checkpoint = Checkpoint(folder, digest)
    record = fit(model, read_epoch, steps=steps, config=config, checkpoint=checkpoint, description="toy")
    return model, record


def weights(model: keras.Model) -> list[np.ndarray]:
    """Return all weights as arrays."""
    return [np.asarray(variable) for variable in model.weights]
