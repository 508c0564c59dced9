"""Single training steps. As a program, it runs them on saved models with the backend set by KERAS_BACKEND."""

import sys
from pathlib import Path

import keras
import numpy as np

from yt8m.models.files import load_model
from yt8m.training.training_model import TrainingModel


def trainer(network, optimizer):
    """Compile a training model around a network."""
    model = TrainingModel(network)
    # XLA compilation takes longer than everything else here, but JAX needs it.
    model.compile(optimizer=optimizer, jit_compile=keras.backend.backend() == "jax")
    return model


def train_once(model, videos):
    """Train one step and return its loss."""
    labels = np.eye(len(videos["num_frames"]), 7, dtype=np.uint8)
    return model.train_on_batch(videos, {"labels": labels}, return_dict=True)["loss"]


def predict_and_descend(folder, videos):
    """Return the predictions of a saved model, the loss of one step of gradient descent, and the weights after it."""
    network = load_model(folder).model
    predictions = network.predict_on_batch(videos)
    loss = train_once(trainer(network, keras.optimizers.SGD(1.0)), videos)
    weights = {weight.path: keras.ops.convert_to_numpy(weight) for weight in network.weights}
    return {"predictions": predictions, "loss": np.asarray(loss), **weights}


if __name__ == "__main__":
    given = dict(np.load(sys.argv[1]))
    for saved in map(Path, sys.argv[2:]):
        np.savez(saved / "results.npz", **predict_and_descend(saved, given))
