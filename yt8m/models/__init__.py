"""Model architectures, one per file: a typed configuration and the function that builds the Keras model.

`architecture`, `head` and `pooled` hold what architectures share. `files` reads and writes model folders, `inference`
predicts with their models, and `warm_start` begins a training with their weights. `sizes` and `flops` count weights and
operations without allocating weights.

May be imported by training, ensembling, export, stages and pipelines. Importing it does not import Keras; building a
model does.

Docstrings call Skalic and Austin, who won the second YouTube-8M challenge (2018), "the winners", and their article
"the paper".
"""

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BeforeValidator, Field

from yt8m.config_errors import known_tag
from yt8m.data.format import DataSpec
from yt8m.models import dbof, logistic, netfv, netvlad, nextvlad, rnn
from yt8m.models.architecture import Architecture, ArchitectureConfig

ARCHITECTURES: dict[str, Architecture] = {
    "dbof": Architecture(dbof.DBoFConfig, dbof.build),
    "logistic": Architecture(logistic.FrameLevelLogisticConfig, logistic.build),
    "netfv": Architecture(netfv.NetFVConfig, netfv.build, netfv.pooling_products),
    "netvlad": Architecture(netvlad.NetVLADConfig, netvlad.build, netvlad.pooling_products),
    "nextvlad": Architecture(nextvlad.NeXtVLADConfig, nextvlad.build, nextvlad.pooling_products),
    "rnn": Architecture(rnn.RNNConfig, rnn.build),
}
"""All architectures by name. A new one is a file and a line here."""

_ALIASES = {
    "fvnet": "'netfv'",
    "gru": "'rnn' with cell: gru",
    "lightvlad": "'netvlad' with centers: false",
    "lstm": "'rnn' with cell: lstm",
}
"""Other names, from the paper and elsewhere, with what to write instead."""

_FORMER_KEY = "family"
"""Former name of the key `architecture` in recipes and model folders."""


def _rename_former_key(value: Any) -> Any:
    if not isinstance(value, dict) or _FORMER_KEY not in value:
        return value
    if "architecture" in value:
        raise ValueError(
            f"architecture and {_FORMER_KEY} are two names for the same setting. Received: "
            f"architecture {value['architecture']!r}, {_FORMER_KEY} {value[_FORMER_KEY]!r}. Remove {_FORMER_KEY}"
        )
    # Checked under the name the user wrote, so that the error points there.
    _known_architecture(_FORMER_KEY).func(value)  # type: ignore[call-arg]
    return {"architecture" if key == _FORMER_KEY else key: entry for key, entry in value.items()}


def _known_architecture(key: str) -> BeforeValidator:
    return known_tag(key, "model architecture", ARCHITECTURES, _ALIASES)


if TYPE_CHECKING:
    ModelConfig = ArchitectureConfig
else:
    ModelConfig = Annotated[
        Union[tuple(architecture.config for architecture in ARCHITECTURES.values())],  # noqa: UP007
        Field(discriminator="architecture"),
        _known_architecture("architecture"),
        BeforeValidator(_rename_former_key),  # runs first
    ]
"""Configuration of a model of any architecture: a union discriminated by `architecture`."""


def build(config: ModelConfig, spec: DataSpec) -> Any:
    """Build a model whose input is dequantized frames.

    Args:
        config: Configuration of the model.
        spec: Features and classes of the data.

    Returns:
        A Keras model from `{"frames": float32 (B, T, D), "num_frames": int32 (B,)}`, frames L2-normalized and exactly
        0 where padded, to probabilities `(B, C)`, float32.
    """
    return ARCHITECTURES[config.architecture].build(config, spec)


def build_from_bytes(config: ModelConfig, spec: DataSpec) -> Any:
    """Build a model whose input is quantized frames, as in shards. Its weights have the same names as with `build`.

    Args:
        config: Configuration of the model.
        spec: Features and classes of the data.

    Returns:
        A Keras model from `{"frames": uint8 (B, T, D), "num_frames": int32 (B,)}` to probabilities `(B, C)`, float32.
    """
    import keras

    from yt8m.layers.dequantize import Dequantize
    from yt8m.models.pooled import frame_inputs

    inputs = frame_inputs(spec, dtype="uint8")
    frames = Dequantize(spec, name="dequantize")(inputs["frames"], inputs["num_frames"])
    core = build(config, spec)
    return keras.Model(inputs, core({"frames": frames, "num_frames": inputs["num_frames"]}), name=config.architecture)
