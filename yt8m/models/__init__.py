"""Model families: one per file, a typed configuration and the function that builds it.

Importing this package does not import Keras; building a model does.
"""

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from yt8m.config import known_tag
from yt8m.data.spec import DataSpec
from yt8m.models import dbof, logistic, netfv, netvlad, nextvlad, rnn
from yt8m.models.family import Family, FamilyConfig

FAMILIES: dict[str, Family] = {
    "dbof": Family(dbof.DBoFConfig, dbof.build),
    "logistic": Family(logistic.FrameLevelLogisticConfig, logistic.build),
    "netfv": Family(netfv.NetFVConfig, netfv.build, netfv.pooling_products),
    "netvlad": Family(netvlad.NetVLADConfig, netvlad.build, netvlad.pooling_products),
    "nextvlad": Family(nextvlad.NeXtVLADConfig, nextvlad.build, nextvlad.pooling_products),
    "rnn": Family(rnn.RNNConfig, rnn.build),
}
"""All families by name; a new one is a file and a line here."""

_ALIASES = {
    "fvnet": "'netfv'",
    "gru": "'rnn' with cell: gru",
    "lightvlad": "'netvlad' with centers: false",
    "lstm": "'rnn' with cell: lstm",
}
"""Names from the paper and elsewhere that do not look like the family they mean."""

if TYPE_CHECKING:
    ModelConfig = FamilyConfig
else:
    ModelConfig = Annotated[
        Union[tuple(family.config for family in FAMILIES.values())],  # noqa: UP007
        Field(discriminator="family"),
        known_tag("family", "model family", FAMILIES, _ALIASES),
    ]
"""The configuration of a model of any family, told apart by its `family`."""


def build(config: ModelConfig, spec: DataSpec) -> Any:
    """Build a model on dequantized frames.

    Args:
        config: The model's configuration.
        spec: Features and classes of the data.

    Returns:
        A Keras model from `{"frames": float32 (B, T, D), "num_frames": int32 (B,)}`, frames L2-normalized and exactly
        0 where padded, to probabilities `(B, C)`, float32.
    """
    return FAMILIES[config.family].build(config, spec)


def build_from_bytes(config: ModelConfig, spec: DataSpec) -> Any:
    """Build a model on frames as shards hold them; its weights have the names and values of `build`'s.

    Args:
        config: The model's configuration.
        spec: Features and classes of the data.

    Returns:
        A Keras model from `{"frames": uint8 (B, T, D), "num_frames": int32 (B,)}` to probabilities `(B, C)`, float32.
    """
    import keras

    from yt8m.layers.dequantize import Dequantize
    from yt8m.models.pooled import frame_inputs

    inputs = frame_inputs(spec, dtype="uint8")
    frames = Dequantize(name="dequantize")(inputs["frames"], inputs["num_frames"])
    core = build(config, spec)
    return keras.Model(inputs, core({"frames": frames, "num_frames": inputs["num_frames"]}), name=config.family)
