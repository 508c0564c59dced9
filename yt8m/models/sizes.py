"""Sizes of models, without allocating their weights."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod

from yt8m.data.format import DataSpec
from yt8m.models import ModelConfig, build
from yt8m.quantization.methods import THRESHOLD_ELEMENTS, quantized_bytes

FLOAT_BYTES = 4


@dataclass(frozen=True)
class ModelSize:
    """Names and shapes of the weights of a model.

    Attributes:
        weights: Name and shape of every weight, including batch statistics, in the order of the model.
    """

    weights: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def parameters(self) -> int:
        """Number of elements in all weights."""
        return sum(prod(shape) for _, shape in self.weights)

    @property
    def float_bytes(self) -> int:
        """Size of all weights as float32, in bytes."""
        return self.parameters * FLOAT_BYTES

    def quantized_bytes(self, bits: int = 8, threshold_elements: int = THRESHOLD_ELEMENTS) -> int:
        """Compute the size of all weights in bytes when large ones are quantized and the others are float32.

        With the defaults these are the sizes in table 4 of the paper, which are truncated to whole megabytes.

        Args:
            bits: Number of bits of a quantized weight.
            threshold_elements: Largest number of elements of a weight that is not quantized.
        """
        return sum(
            quantized_bytes(shape, bits) if prod(shape) > threshold_elements else prod(shape) * FLOAT_BYTES
            for _, shape in self.weights
        )


def measure(config: ModelConfig, spec: DataSpec) -> ModelSize:
    """Measure a model without allocating its weights.

    The model is built inside a stateless scope, in which Keras defers the initialization of variables. Nothing is
    computed, because layers report the shapes of their outputs. Keras keeps the list of deferred variables per thread,
    so the model is built in a separate thread. Measuring a model of a gigabyte takes a few hundredths of a second.

    Args:
        config: Configuration of the model.
        spec: Features and classes of the data.

    Returns:
        Names and shapes of the model's weights.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_measure, config, spec).result()


def _measure(config: ModelConfig, spec: DataSpec) -> ModelSize:
    import keras

    with keras.StatelessScope(initialize_variables=False):
        model = build(config, spec)
    return ModelSize(tuple((variable.path, tuple(variable.shape)) for variable in model.weights))
