"""The ensemble as one TensorFlow module."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf
from numpy.typing import NDArray

from yt8m.data.format import DataSpec
from yt8m.export.inputs import check_and_cut, parse_records
from yt8m.export.keras_graph import build_without_weights, check_weights, multiply_in_parts, run_keras
from yt8m.export.load_time_variable import LoadTimeInitializer, LoadTimeVariable
from yt8m.export.stored_weight import StoredWeight
from yt8m.layers.dequantize import Dequantize
from yt8m.models.architecture import ArchitectureConfig
from yt8m.quantization.quantized_array import QuantizedArray

Tensor = Any
Mode = Literal["load", "compact"]
Initial = tuple[LoadTimeVariable, Callable[[], Tensor]]


@dataclass(frozen=True)
class Member:
    """One model of the ensemble.

    Attributes:
        name: Its name.
        weight: Its share of the mean.
        config: Its configuration.
        weights: Names and arrays of its weights, read one by one.
    """

    name: str
    weight: float
    config: ArchitectureConfig
    weights: Iterator[tuple[str, QuantizedArray | NDArray[Any]]]


class EnsembleModule(tf.Module):  # type: ignore[misc]
    """All members' weights as bytes, and functions from frames to the weighted mean of their probabilities.

    Args:
        members: The members.
        spec: Features and classes, the same for all.
        top_k: Classes that the top-k signatures return.
        mode: `load`: weights become floats once, when the SavedModel is loaded. `compact`: they stay bytes in memory;
            each becomes floats whenever it is used, one after the other, the kernels of dense layers part by part.
        identity: Distinguishes this ensemble's resources from another one's in the same session.
        on_member: Called with the name of every member that was taken in.
    """

    def __init__(
        self,
        members: Sequence[Member],
        spec: DataSpec,
        *,
        top_k: int,
        mode: Mode,
        identity: str,
        on_member: Callable[[str], object] = lambda _name: None,
    ) -> None:
        super().__init__(name="ensemble")
        self._spec = spec
        self._top_k = min(top_k, spec.num_classes)
        # Lists, so that TensorFlow tracks what is in them.
        self.stored: list[StoredWeight] = []
        self.expanded: list[LoadTimeVariable] = []
        initial: list[Initial] = []
        runs = []
        for member in members:
            runs.append(self._add(member, mode, initial))
            on_member(member.name)
        self.initializer = LoadTimeInitializer(initial, f"initializer_{identity}")
        dequantize = Dequantize(name="dequantize")

        def mean(frames: Tensor, num_frames: Tensor) -> Tensor:
            videos = tf.shape(num_frames)[0]
            frames, num_frames = check_and_cut(frames, num_frames, spec)
            inputs = {"frames": dequantize(frames, num_frames), "num_frames": num_frames}
            probabilities = [weight * run(inputs) for weight, run in runs]
            return tf.add_n(probabilities)[:videos]

        dense = [
            tf.TensorSpec([None, None, spec.num_features], tf.uint8, name="frames"),
            tf.TensorSpec([None], tf.int32, name="num_frames"),
        ]
        self._mean = tf.function(mean, input_signature=dense, autograph=False)

    def _add(
        self, member: Member, mode: Mode, initial: list[Initial]
    ) -> tuple[float, Callable[[dict[str, Tensor]], Tensor]]:
        """Take in a member's weights, adds to `initial` those to be expanded; returns its share and its inference."""
        model = build_without_weights(member.config, self._spec)
        floats: dict[str, Callable[[], Tensor]] = {}
        products: dict[str, Callable[[Tensor], Tensor]] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        for path, weight in member.weights:
            stored = StoredWeight(weight)
            self.stored.append(stored)
            floats[path], shapes[path] = stored.floats, stored.shape
            if mode == "load" and not stored.is_plain:
                variable = LoadTimeVariable(stored.shape, f"{member.name}/{path}")
                self.expanded.append(variable)
                initial.append((variable, stored.floats))
                floats[path] = variable.value
            if mode == "compact" and not stored.is_plain and len(stored.shape) == 2:
                products[path] = stored.times
        check_weights(model, shapes, f"member '{member.name}'")
        multiply_in_parts(model, products)

        def run(inputs: dict[str, Tensor]) -> Tensor:
            return run_keras(model, inputs, floats, one_by_one=mode == "compact")

        return member.weight, run

    def signatures(self) -> dict[str, Any]:
        """The SavedModel's signatures; see the model card for their inputs and outputs."""
        records = [tf.TensorSpec([None], tf.string, name="records")]

        def top(probabilities: Tensor) -> dict[str, Tensor]:
            scores, classes = tf.math.top_k(probabilities, self._top_k)
            return {"classes": classes, "scores": scores}

        def full(probabilities: Tensor) -> dict[str, Tensor]:
            return {"probabilities": probabilities}

        def on_dense(output: Callable[[Tensor], dict[str, Tensor]]) -> Any:
            def signature(frames: Tensor, num_frames: Tensor) -> dict[str, Tensor]:
                return output(self._mean(frames, num_frames))

            return tf.function(signature, input_signature=self._mean.input_signature, autograph=False)

        def on_records(output: Callable[[Tensor], dict[str, Tensor]]) -> Any:
            def signature(records: Tensor) -> dict[str, Tensor]:
                return output(self._mean(*parse_records(records, self._spec)))

            return tf.function(signature, input_signature=records, autograph=False)

        return {
            "serving_default": on_dense(top),
            "serialized": on_records(top),
            "probabilities": on_dense(full),
            "serialized_probabilities": on_records(full),
        }
