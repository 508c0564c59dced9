"""How large a model is, without making its weights."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod

from yt8m.data.format import DataSpec
from yt8m.models import ModelConfig, build
from yt8m.quantization.methods import THRESHOLD_ELEMENTS, Method, quantized_bytes

FLOAT_BYTES = 4


@dataclass(frozen=True)
class ModelSize:
    """Weights of a model.

    Attributes:
        weights: Name and shape of every weight, batch-norm statistics included, in the model's order.
    """

    weights: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def parameters(self) -> int:
        """Number of elements of all weights."""
        return sum(prod(shape) for _, shape in self.weights)

    @property
    def float_bytes(self) -> int:
        """Bytes of all weights as float32."""
        return self.parameters * FLOAT_BYTES

    def quantized_bytes(self, method: Method = "uniform", threshold_elements: int = THRESHOLD_ELEMENTS) -> int:
        """Bytes with every variable over the threshold quantized, the others as float32.

        By default these are the sizes of the paper's table 4, which drops what follows the decimal point.

        Args:
            method: How they are quantized.
            threshold_elements: Elements that a variable may have and stay as it is.
        """
        return sum(
            quantized_bytes(shape, method) if prod(shape) > threshold_elements else prod(shape) * FLOAT_BYTES
            for _, shape in self.weights
        )


def measure(config: ModelConfig, spec: DataSpec) -> ModelSize:
    """List a model's weights.

    The model is built as for training, yet inside a stateless scope, where Keras defers making the variables' values;
    they are never made; nor is anything computed, as layers tell the shapes of their outputs. Keras keeps the list of
    deferred variables per thread, hence a thread of its own.

    Args:
        config: The model's configuration.
        spec: Features and classes of the data.

    Returns:
        Its size; a model of a gigabyte takes some hundredths of a second and no memory to speak of.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_measure, config, spec).result()


def _measure(config: ModelConfig, spec: DataSpec) -> ModelSize:
    import keras

    with keras.StatelessScope(initialize_variables=False):
        model = build(config, spec)
    return ModelSize(tuple((variable.path, tuple(variable.shape)) for variable in model.weights))
