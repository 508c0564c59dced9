"""Models on disk: a folder with `config.json` and `weights.safetensors`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from yt8m import storage
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.errors import DataError, suggest
from yt8m.models import ModelConfig, build_from_bytes
from yt8m.quantization.files import iterate_quantized, read_floats, write_quantized
from yt8m.quantization.quantized_array import QuantizedArray

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"


class ModelDescription(Config):
    """What `config.json` holds.

    Attributes:
        format: Version of the folder's layout.
        model: The model's configuration.
        data: Features and classes of the data it was trained on.
    """

    format: Literal[1] = 1
    model: ModelConfig
    data: DataSpec


@dataclass(frozen=True)
class LoadedModel:
    """A model read from disk.

    Attributes:
        model: The Keras model, from bytes (see `build_from_bytes`).
        config: Its configuration.
        spec: Features and classes of the data it was trained on.
    """

    model: Any
    config: ModelConfig
    spec: DataSpec


def save_model(directory: str | Path, model: Any, config: ModelConfig, spec: DataSpec) -> None:
    """Write a model; the folder appears whole or not at all.

    Args:
        directory: The folder; an existing one is replaced.
        model: The Keras model, of `build` or `build_from_bytes`.
        config: Its configuration.
        spec: Features and classes of its data.
    """
    import keras

    weights = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}
    save_weights(directory, weights, config, spec)


def save_weights(
    directory: str | Path,
    weights: Mapping[str, NDArray[Any] | QuantizedArray],
    config: ModelConfig,
    spec: DataSpec,
) -> None:
    """Like `save_model`, from weights by name, some of them perhaps quantized."""
    description = ModelDescription(model=config, data=spec)
    with storage.publish_directory(Path(directory)) as folder:
        (folder / CONFIG_FILE).write_text(description.model_dump_json(indent=2) + "\n", encoding="utf-8")
        write_quantized(folder / WEIGHTS_FILE, weights)


def read_description(directory: str | Path) -> ModelDescription:
    """Read a model folder's configuration, without its weights.

    Raises:
        DataError: There is no model in the folder.
        ConfigError: Its configuration cannot be used.
    """
    path = Path(directory) / CONFIG_FILE
    if not path.is_file():
        raise DataError(f"{directory}: no model here ({CONFIG_FILE} is missing). Give a folder a training step wrote.")
    return ModelDescription.parse_json(storage.read_text(path), str(path))


def read_weights(directory: str | Path) -> dict[str, NDArray[np.float32]]:
    """Read a model folder's weights by name, as floats whether they are quantized or not.

    Raises:
        DataError: The file is missing or damaged.
    """
    return read_floats(_weights_file(directory))


def load_model(directory: str | Path) -> LoadedModel:
    """Read a model; the weights may be quantized.

    Args:
        directory: A folder `save_model` or the quantize stage wrote, on any Keras backend.

    Returns:
        The model and its configuration.

    Raises:
        DataError: Files are missing or damaged, or hold other weights than the configuration asks for.
        ConfigError: The configuration cannot be used.
    """
    description = read_description(directory)
    path = _weights_file(directory)
    model = build_from_bytes(description.model, description.data)
    floats = (
        (name, weight.dequantize() if isinstance(weight, QuantizedArray) else weight)
        for name, weight in iterate_quantized(path)
    )
    assign_weights(model, floats, str(path))
    return LoadedModel(model, description.model, description.data)


def assign_weights(model: Any, weights: Iterable[tuple[str, NDArray[Any]]], source: str) -> None:
    """Set all of a model's weights by their names.

    Args:
        model: The Keras model.
        weights: Names and arrays; consumed one by one, so that large models fit into memory.
        source: Where they come from, for errors.

    Raises:
        DataError: A weight is missing, unknown or has another shape.
    """
    variables = {variable.path: variable for variable in model.weights}
    missing = set(variables)
    for name, array in weights:
        if name not in variables:
            raise DataError(f"{source}: unknown weight '{name}'. {suggest(name, variables)}")
        expected = tuple(variables[name].shape)
        if array.shape != expected:
            raise DataError(f"{source}: {name}: expected shape {expected}, received {array.shape}.")
        variables[name].assign(array)
        missing.remove(name)
    if missing:
        raise DataError(f"{source}: weights missing: {', '.join(sorted(missing))}. Write the model again.")


def _weights_file(directory: str | Path) -> Path:
    path = Path(directory) / WEIGHTS_FILE
    if not path.is_file():
        raise DataError(f"{path}: missing. Give a folder a training or quantization step wrote.")
    return path
