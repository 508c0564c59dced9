"""Warm start: a training begins with the weights of a trained model instead of random ones."""

from pathlib import Path
from typing import Any, NamedTuple

from yt8m.data.format import DataSpec
from yt8m.errors import DataError
from yt8m.models.files import WEIGHTS_FILE, read_description
from yt8m.quantization.files import iterate_floats

# Beginnings of the names of the weights that depend on the classes.
HEAD = ("head/", "label_gate/")


class WarmStart(NamedTuple):
    """What was taken from a trained model.

    Attributes:
        weights: Number of weight arrays that were taken.
        head: Whether the head is among them. Otherwise it starts anew.
    """

    weights: int
    head: bool


def start_with(network: Any, folder: Path, spec: DataSpec) -> WarmStart:
    """Assign the weights of a trained model to a network.

    The head is taken as a whole or not at all: only if all its weights have the same names and shapes in both. A model
    for other classes, or with another head, so keeps what it has learned of frames.

    Args:
        network: Network from `build_from_bytes`.
        folder: Folder of the trained model. Quantized weights are dequantized.
        spec: Features and classes of the videos to train on.

    Raises:
        DataError: There is no model, it was made for other features or ranges, or other weights than those of the head
            have other names or shapes.
    """
    found = read_description(folder).data
    if difference := found.model_copy(update={"num_classes": spec.num_classes}).difference(spec):
        raise DataError(
            f"{folder}: a training cannot start from this model, which was made for other videos ({difference}: the "
            "model's and those of the data). Take a model of the same features, or leave start_from out."
        )
    source = folder / WEIGHTS_FILE
    if not source.is_file():
        raise DataError(f"{source}: missing. Give a folder written by a training or quantization step.")
    given = dict(iterate_floats(source))
    variables = {variable.path: variable for variable in network.weights}
    differing = [
        name
        for name in variables.keys() | given.keys()
        if name not in variables or name not in given or tuple(variables[name].shape) != given[name].shape
    ]
    if others := sorted(name for name in differing if not name.startswith(HEAD)):
        shapes = [tuple(each[others[0]].shape) if others[0] in each else "nothing" for each in (given, variables)]
        raise DataError(
            f"{folder}: a training cannot start from this model, because {len(others)} of its weights do not fit, for "
            f"instance {others[0]}: expected {shapes[1]}, received {shapes[0]}. Take a model of the same architecture "
            "and sizes, or leave start_from out."
        )
    taken = [name for name in variables if not differing or not name.startswith(HEAD)]
    for name in taken:
        variables[name].assign(given[name])
    return WarmStart(len(taken), head=not differing)
