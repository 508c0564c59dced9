"""The ensemble as one TensorFlow SavedModel."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf
from numpy.typing import NDArray

from yt8m.data.format import DataSpec
from yt8m.export.description import NUM_FRAMES, ExportDescription, float_inputs
from yt8m.export.inputs import check_and_truncate, parse_records, quantize_features
from yt8m.export.keras_graph import build_without_weights, check_weights, multiply_blockwise, run_keras
from yt8m.export.weight_variables import DequantizedVariable, DequantizeOnLoad, QuantizedVariable
from yt8m.layers.dequantize import Dequantize
from yt8m.models.architecture import ArchitectureConfig
from yt8m.models.files import WEIGHTS_FILE, read_description
from yt8m.progress import progress
from yt8m.quantization.files import iterate_quantized
from yt8m.quantization.quantized_columns import Quantized

Tensor = Any
Mode = Literal["load", "compact"]
Initial = tuple[DequantizedVariable, QuantizedVariable]


@dataclass(frozen=True)
class Member:
    """One model of the ensemble.

    Attributes:
        name: Name of the model.
        weight: Weight of the model in the mean.
        config: Configuration of the model.
        weights: Names and arrays of the model's weights, read one at a time.
    """

    name: str
    weight: float
    config: ArchitectureConfig
    weights: Iterator[tuple[str, Quantized | NDArray[Any]]]


def write_saved_model(directory: Path, models: Mapping[str, Path], description: ExportDescription) -> None:
    """Write the SavedModel of an ensemble, and its description.

    Args:
        directory: An empty folder.
        models: Quantized model folder by name. Models that the description lacks are ignored.
        description: Members, data and mode of the export.
    """
    with progress("export", total=len(description.members) + 1, unit="models") as advance:
        members = []
        for name, described in description.members.items():
            config = read_description(models[name]).model
            weights = iterate_quantized(models[name] / WEIGHTS_FILE)
            members.append(Member(name, described.weight, config, weights))
        module = EnsembleModule(
            members,
            description.data,
            top_k=description.top_k,
            mode=description.mode,
            identity=description.identity,
            on_member=lambda name: advance(note=name),
        )
        tf.saved_model.save(module, str(directory), signatures=module.signatures())
        description.save(directory)
        advance(note="written")


class EnsembleModule(tf.Module):  # type: ignore[misc]
    """The quantized weights of all members, and the functions that compute the weighted mean of their probabilities.

    Args:
        members: Members of the ensemble.
        spec: Features and classes, the same for all members.
        top_k: Number of classes that the top-k signatures return.
        mode: `load` dequantizes the weights once, when the SavedModel is loaded. `compact` keeps them quantized in
            memory and dequantizes one weight at a time in every call, kernels of dense layers block by block.
        identity: Unique name of the ensemble, so that several can be used in one session.
        on_member: Called with the name of each member after it was added.
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
        # TensorFlow tracks the items of lists.
        self.stored: list[QuantizedVariable] = []
        self.expanded: list[DequantizedVariable] = []
        initial: list[Initial] = []
        runs = []
        for member in members:
            runs.append(self._add(member, mode, initial))
            on_member(member.name)
        self.initializer = DequantizeOnLoad(initial, f"initializer_{identity}")
        dequantize = Dequantize(spec, name="dequantize")

        def mean(frames: Tensor, num_frames: Tensor) -> Tensor:
            videos = tf.shape(num_frames)[0]
            frames, num_frames = check_and_truncate(frames, num_frames, spec)
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
        """Add a member's weights; return the member's weight in the mean and its inference function.

        Weights to dequantize on load are appended to `initial`.
        """
        model = build_without_weights(member.config, self._spec)
        floats: dict[str, Callable[[], Tensor]] = {}
        products: dict[str, Callable[[Tensor], Tensor]] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        for path, weight in member.weights:
            stored = QuantizedVariable(weight)
            self.stored.append(stored)
            floats[path], shapes[path] = stored.dequantize, stored.shape
            if mode == "load" and not stored.is_plain:
                variable = DequantizedVariable(stored.shape, f"{member.name}/{path}")
                self.expanded.append(variable)
                initial.append((variable, stored))
                floats[path] = variable.value
            if mode == "compact" and not stored.is_plain and len(stored.shape) == 2:
                products[path] = stored.matmul
        check_weights(model, shapes, f"member '{member.name}'")
        multiply_blockwise(model, products)

        def run(inputs: dict[str, Tensor]) -> Tensor:
            return run_keras(model, inputs, floats, one_by_one=mode == "compact")

        return member.weight, run

    def signatures(self) -> dict[str, Any]:
        """Return the signatures of the SavedModel; the model card documents their inputs and outputs."""
        names = float_inputs(self._spec.features)
        records = [tf.TensorSpec([None], tf.string, name="records")]
        floats = [
            tf.TensorSpec([None, None, self._spec.features[feature]], tf.float32, name=name)
            for feature, name in names.items()
        ]
        floats.append(tf.TensorSpec([None], tf.int32, name=NUM_FRAMES))

        def mean_of_records(records: Tensor) -> Tensor:
            return self._mean(*parse_records(records, self._spec))

        def mean_of_floats(*inputs: Tensor) -> Tensor:
            *values, num_frames = inputs
            features = dict(zip(names, values, strict=True))
            return self._mean(*quantize_features(features, num_frames, self._spec))

        def top(probabilities: Tensor) -> dict[str, Tensor]:
            scores, classes = tf.math.top_k(probabilities, self._top_k)
            return {"classes": classes, "scores": scores}

        def full(probabilities: Tensor) -> dict[str, Tensor]:
            return {"probabilities": probabilities}

        def signature(output: Callable[[Tensor], dict[str, Tensor]], mean: Any) -> Any:
            # Traced while saving: a function that is traced before has all members once more.
            return tf.function(
                lambda *inputs: output(mean(*inputs)), input_signature=mean.input_signature, autograph=False
            )

        # Functions of their own, so that the graph has what they do once for all signatures.
        on_dense = self._mean
        on_records = tf.function(mean_of_records, input_signature=records, autograph=False)
        on_floats = tf.function(mean_of_floats, input_signature=floats, autograph=False)
        return {
            "serving_default": signature(top, on_dense),
            "serialized": signature(top, on_records),
            "floats": signature(top, on_floats),
            "probabilities": signature(full, on_dense),
            "serialized_probabilities": signature(full, on_records),
            "floats_probabilities": signature(full, on_floats),
        }
