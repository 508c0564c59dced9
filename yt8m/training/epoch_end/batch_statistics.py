"""Means and variances of batch normalization, measured on training videos."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from yt8m.layers.all_layers import all_layers
from yt8m.training.steps import STATISTICS_VIDEOS


def batch_normalizations(network: Any) -> list[Any]:
    """List the batch normalizations of a network, including those inside layers."""
    return [layer for layer in all_layers(network) if isinstance(layer, keras.layers.BatchNormalization)]


class BatchStatistics:
    """Measures the moving means and variances of all batch normalizations of a network on training videos.

    As in training, each layer sees inputs that the layers before it have normalized by the batch. The mean is the mean
    over all batches; the variance is the mean of their variances plus the variance of their means.

    Args:
        network: Built network, not trained yet. The momentum of its layers becomes 0, so that after each batch they
            hold its mean and its variance.
        read: Function that returns batches of inputs, `{"frames", "num_frames"}`, with their targets. It must always
            return the same ones.
        batch_size: Videos per batch.
    """

    def __init__(self, network: Any, read: Callable[[], Any], batch_size: int) -> None:
        self._network = network
        self._read = read
        self._layers = batch_normalizations(network)
        for layer in self._layers:
            layer.momentum = 0.0
        self._batches = math.ceil(STATISTICS_VIDEOS / batch_size)
        self._in_training_mode = _InTrainingMode(network)

    def measure(self) -> None:
        """Set the statistics of all layers. Other states of the network, such as random seeds, stay as they are."""
        if not self._layers:
            return
        state = read_state(self._network)
        found = self._moments()
        write_state(self._network, state)
        for layer, (means, variances) in zip(self._layers, found, strict=True):
            layer.moving_mean.assign(np.mean(means, axis=0))
            layer.moving_variance.assign(np.mean(variances, axis=0) + np.var(means, axis=0))

    def _moments(self) -> list[tuple[list[npt.NDArray[np.float64]], list[npt.NDArray[np.float64]]]]:
        """Return the means and the variances of all batches, by layer."""
        found: list[tuple[list[Any], list[Any]]] = [([], []) for _ in self._layers]
        for inputs, _ in self._read().take(self._batches).as_numpy_iterator():
            self._in_training_mode.predict_on_batch(inputs)
            for layer, (means, variances) in zip(self._layers, found, strict=True):
                means.append(np.asarray(layer.moving_mean).astype(np.float64))
                variances.append(np.asarray(layer.moving_variance).astype(np.float64))
        return found


def read_state(network: Any) -> list[npt.NDArray[Any]]:
    """Copy everything that a pass through a network changes: batch statistics and the states of random numbers."""
    return [np.asarray(variable).copy() for variable in network.non_trainable_variables]


def write_state(network: Any, state: list[npt.NDArray[Any]]) -> None:
    """Restore what `read_state` has returned."""
    for variable, value in zip(network.non_trainable_variables, state, strict=True):
        variable.assign(value)


class _InTrainingMode(keras.Model):
    """A network that normalizes by the batch, and moves its statistics, whenever it predicts.

    Args:
        network: Built network.

    Call arguments:
        inputs: Inputs of the network.
    """

    def __init__(self, network: Any) -> None:
        super().__init__(name="in_training_mode", dtype="float32")
        self.network = network

    def call(self, inputs: Any) -> Any:
        """Return the network's probabilities `(B, C)`."""
        return self.network(inputs, training=True)
