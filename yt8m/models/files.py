"""Model folders: `config.json` and `weights.safetensors`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from yt8m import storage
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.errors import DataError, suggest
from yt8m.models import ModelConfig, build_from_bytes
from yt8m.quantization.files import iterate_floats, write_quantized
from yt8m.quantization.quantized_columns import Quantized

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"


class ModelDescription(Config):
    """Content of `config.json`.

    Attributes:
        format: Version of the folder's layout.
        model: Configuration of the model.
        data: Features and classes of the training data.
    """

    format: Literal[1] = 1
    model: ModelConfig
    data: DataSpec


@dataclass(frozen=True)
class LoadedModel:
    """A model read from disk.

    Attributes:
        model: Keras model with quantized frames as input; see `build_from_bytes`.
        config: Configuration of the model.
        spec: Features and classes of the training data.
    """

    model: Any
    config: ModelConfig
    spec: DataSpec


def save_model(directory: str | Path, model: Any, config: ModelConfig, spec: DataSpec) -> None:
    """Write a model folder atomically.

    Args:
        directory: Folder to write. An existing one is replaced.
        model: Keras model from `build` or `build_from_bytes`.
        config: Configuration of the model.
        spec: Features and classes of the training data.
    """
    import keras

    weights = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}
    save_weights(directory, weights, config, spec)


def save_weights(
    directory: str | Path,
    weights: Mapping[str, NDArray[Any] | Quantized],
    config: ModelConfig,
    spec: DataSpec,
) -> None:
    """Write a model folder from weights by name, plain or quantized; otherwise like `save_model`."""
    description = ModelDescription(model=config, data=spec)
    with storage.publish_directory(Path(directory)) as folder:
        (folder / CONFIG_FILE).write_text(description.model_dump_json(indent=2) + "\n", encoding="utf-8")
        write_quantized(folder / WEIGHTS_FILE, weights)


def read_description(directory: str | Path) -> ModelDescription:
    """Read the configuration of a model folder.

    Raises:
        DataError: The folder holds no model.
        ConfigError: The configuration is not valid.
    """
    path = Path(directory) / CONFIG_FILE
    if not path.is_file():
        raise DataError(
            f"{directory}: no model here ({CONFIG_FILE} is missing). Give a folder written by a training step."
        )
    return ModelDescription.parse_json(storage.read_text(path), str(path))


def load_model(directory: str | Path) -> LoadedModel:
    """Read a model. Quantized weights are dequantized.

    Args:
        directory: Folder written by `save_model` or the quantize stage, on any Keras backend.

    Returns:
        The model with its configuration.

    Raises:
        DataError: Files are missing or damaged, or their weights do not match the configuration.
        ConfigError: The configuration is not valid.
    """
    description = read_description(directory)
    path = Path(directory) / WEIGHTS_FILE
    if not path.is_file():
        raise DataError(f"{path}: missing. Give a folder written by a training or quantization step.")
    model = build_from_bytes(description.model, description.data)
    assign_weights(model, iterate_floats(path), str(path))
    return LoadedModel(model, description.model, description.data)


def assign_weights(model: Any, weights: Iterable[tuple[str, NDArray[Any]]], source: str) -> None:
    """Assign all weights of a model by name.

    Args:
        model: Keras model to assign to.
        weights: Names and arrays, consumed one by one so that large models fit into memory.
        source: Origin of the weights, named in errors.

    Raises:
        DataError: A weight is missing, unknown or has the wrong shape.
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
