"""Inference of Keras models in a TensorFlow graph, with the weights given as tensors instead of variables."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError, DataError
from yt8m.layers.all_layers import all_layers
from yt8m.models import build
from yt8m.models.architecture import ArchitectureConfig

Tensor = Any


def build_without_weights(config: ArchitectureConfig, spec: DataSpec) -> Any:
    """Build a model on dequantized frames without initializing its variables, so that they take no memory.

    Raises:
        ConfigError: Keras uses a backend other than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"KERAS_BACKEND: exporting needs 'tensorflow', received '{keras.backend.backend()}'. Set the variable for "
            "this step only; models trained with another backend can be exported."
        )
    with keras.StatelessScope(initialize_variables=False):
        model = build(config, spec)
    for layer in all_layers(model):
        # With cuDNN kernels the exported graph would run on GPUs only.
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False
    return model


def multiply_blockwise(model: Any, products: Mapping[str, Callable[[Tensor], Tensor]]) -> None:
    """Make dense layers multiply blockwise, so that a kernel is never dequantized as a whole.

    Args:
        model: Model made by `build_without_weights`.
        products: Functions from inputs (N, P) to `inputs @ kernel` (N, Q) for kernels (P, Q), by path of the kernel.
    """
    for layer in all_layers(model):
        if isinstance(layer, keras.layers.Dense) and layer.kernel.path in products:
            layer.call = functools.partial(_call_dense, layer, products[layer.kernel.path])


def _call_dense(layer: Any, product: Callable[[Tensor], Tensor], inputs: Tensor, **_training: bool | None) -> Tensor:
    """Compute what `keras.layers.Dense.call` does, with another product."""
    *outer, width = keras.ops.shape(inputs)
    outputs = keras.ops.reshape(product(keras.ops.reshape(inputs, (-1, width))), (*outer, layer.units))
    if layer.bias is not None:
        outputs = keras.ops.add(outputs, layer.bias)
    return layer.activation(outputs) if layer.activation is not None else outputs


def check_weights(model: Any, shapes: Mapping[str, tuple[int, ...]], source: str) -> None:
    """Check that stored weights belong to a model.

    Args:
        model: The model.
        shapes: Shapes of the stored weights by name.
        source: Origin of the weights, for error messages.

    Raises:
        DataError: A weight is missing, unknown or has another shape.
    """
    expected = {variable.path: tuple(variable.shape) for variable in model.weights}
    for name in sorted(expected.keys() | shapes.keys()):
        if expected.get(name) != shapes.get(name):
            raise DataError(
                f"{source}: weight '{name}': expected shape {expected.get(name, 'none')}, received "
                f"{shapes.get(name, 'none')}. Configuration and weights do not match. Quantize the model again."
            )


class WeightScope(keras.StatelessScope):  # type: ignore[misc]
    """Scope in which the variables of a Keras model are tensors, added to the graph when they are first used.

    Args:
        model: Model made by `build_without_weights`.
        floats: Functions that create the tensor of a variable, by path of the variable.
        one_by_one: Whether to compute each weight only after all operations added to the graph before it. Dequantized
            weights then are not all in memory at the same time.
    """

    def __init__(self, model: Any, floats: Mapping[str, Callable[[], Tensor]], *, one_by_one: bool) -> None:
        super().__init__(initialize_variables=False)
        self._paths = {id(variable): variable.path for variable in model.weights}
        self._floats = floats
        self._one_by_one = one_by_one
        self._graph = tf.compat.v1.get_default_graph()
        self._tensors: dict[str, Tensor] = {}

    def get_current_value(self, variable: Any) -> Tensor:
        """Return the tensor of a variable, in the outermost graph so that loops do not compute it again."""
        path = self._paths[id(variable)]
        if path not in self._tensors:
            before = self._graph.get_operations()[-1:] if self._one_by_one else []
            with self._graph.as_default(), tf.control_dependencies(before):
                self._tensors[path] = self._floats[path]()
        return self._tensors[path]


def run_keras(
    model: Any, inputs: Mapping[str, Tensor], floats: Mapping[str, Callable[[], Tensor]], *, one_by_one: bool
) -> Tensor:
    """Add the inference of a model to the current graph.

    Args:
        model: Model made by `build_without_weights`.
        inputs: `frames` float32 (B, T, D) and `num_frames` int32 (B,).
        floats: Functions that create the weights, as for `WeightScope`.
        one_by_one: Whether weights are computed one at a time, as for `WeightScope`.

    Returns:
        Probabilities float32 (B, C).
    """
    with WeightScope(model, floats, one_by_one=one_by_one):
        return model(dict(inputs), training=False)
