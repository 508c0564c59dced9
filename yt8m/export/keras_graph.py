"""Keras models run on weights that are tensors of a graph, without variables of their own."""

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
    """Build a model on dequantized frames whose variables are never given values, so they take no memory.

    Raises:
        ConfigError: Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"KERAS_BACKEND: exporting needs 'tensorflow', received '{keras.backend.backend()}'. Models trained on "
            "another backend are exported as they are; set the variable for this step only."
        )
    with keras.StatelessScope(initialize_variables=False):
        model = build(config, spec)
    for layer in all_layers(model):
        # Kernels of cuDNN, where this machine has them, would tie the exported graph to GPUs.
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False
    return model


def multiply_in_parts(model: Any, products: Mapping[str, Callable[[Tensor], Tensor]]) -> None:
    """Let dense layers multiply without ever having their whole kernel as floats.

    Args:
        model: Of `build_without_weights`.
        products: From inputs (N, P) to inputs times kernel (N, Q), by the path of the kernel, for kernels (P, Q).
    """
    for layer in all_layers(model):
        if isinstance(layer, keras.layers.Dense) and layer.kernel.path in products:
            layer.call = functools.partial(_call_dense, layer, products[layer.kernel.path])


def _call_dense(layer: Any, product: Callable[[Tensor], Tensor], inputs: Tensor, **_training: bool | None) -> Tensor:
    """As `keras.layers.Dense.call`."""
    *outer, width = keras.ops.shape(inputs)
    outputs = keras.ops.reshape(product(keras.ops.reshape(inputs, (-1, width))), (*outer, layer.units))
    if layer.bias is not None:
        outputs = keras.ops.add(outputs, layer.bias)
    return layer.activation(outputs) if layer.activation is not None else outputs


def check_weights(model: Any, shapes: Mapping[str, tuple[int, ...]], source: str) -> None:
    """Check that stored weights are those of a model.

    Args:
        model: The model.
        shapes: Shapes of the stored weights by name.
        source: Where they come from, for errors.

    Raises:
        DataError: A weight is missing, unknown or has another shape.
    """
    expected = {variable.path: tuple(variable.shape) for variable in model.weights}
    for name in sorted(expected.keys() | shapes.keys()):
        if expected.get(name) != shapes.get(name):
            raise DataError(
                f"{source}: weight '{name}': expected shape {expected.get(name, 'none')}, received "
                f"{shapes.get(name, 'none')}. Its configuration and weights do not belong together; quantize it again."
            )


class WeightScope(keras.StatelessScope):  # type: ignore[misc]
    """A scope in which a Keras model's variables are tensors that come into the graph when they are first used.

    Args:
        model: The model.
        floats: Makes the tensor of a variable, by the variable's path.
        one_by_one: Whether a weight may only be computed after all that was put into the graph before it. Expanded
            weights then do not lie in memory all at the same time.
    """

    def __init__(self, model: Any, floats: Mapping[str, Callable[[], Tensor]], *, one_by_one: bool) -> None:
        super().__init__(initialize_variables=False)
        self._paths = {id(variable): variable.path for variable in model.weights}
        self._floats = floats
        self._one_by_one = one_by_one
        self._graph = tf.compat.v1.get_default_graph()
        self._tensors: dict[str, Tensor] = {}

    def get_current_value(self, variable: Any) -> Tensor:
        """The tensor that stands for a variable, always in the outermost graph: loops must not compute it anew."""
        path = self._paths[id(variable)]
        if path not in self._tensors:
            before = self._graph.get_operations()[-1:] if self._one_by_one else []
            with self._graph.as_default(), tf.control_dependencies(before):
                self._tensors[path] = self._floats[path]()
        return self._tensors[path]


def run_keras(
    model: Any, inputs: Mapping[str, Tensor], floats: Mapping[str, Callable[[], Tensor]], *, one_by_one: bool
) -> Tensor:
    """Put a model's inference into the graph that is being built.

    Args:
        model: Of `build_without_weights`.
        inputs: `frames` float32 (B, T, D) and `num_frames` int32 (B,).
        floats: See `WeightScope`.
        one_by_one: See `WeightScope`.

    Returns:
        Probabilities float32 (B, C).
    """
    with WeightScope(model, floats, one_by_one=one_by_one):
        return model(dict(inputs), training=False)
