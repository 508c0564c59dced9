"""Architectures that pool frames independently of their order: shared configuration and model structure."""

import hashlib
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, ValidationInfo, field_validator

from yt8m.data.format import DataSpec
from yt8m.models.architecture import ArchitectureConfig
from yt8m.models.head import classify


class OrderFreeConfig(ArchitectureConfig):
    """Configuration of the steps before an order-independent pooling.

    Attributes:
        num_sampled_frames: Number of frames sampled with replacement per video in training, `max_frames` (the paper,
            section 4.1: 300, the length of its longest videos), or `all` to use every real frame once. Inference uses
            all frames.
        normalize_input: Whether frames are batch-normalized before pooling (the winners: yes).
    """

    num_sampled_frames: PositiveInt | Literal["max_frames", "all"] = "max_frames"
    normalize_input: bool = True


class PooledConfig(OrderFreeConfig):
    """Configuration of pooling per feature, a hidden layer, context gating and a head.

    Attributes:
        num_clusters: Number of clusters `K` for the first feature (rgb).
        cluster_divisor: Other features (audio) have `K // cluster_divisor` clusters, at least 2, because with a single
            cluster all frames have the same assignment.
        hidden_units: Number of units `H` of the hidden layer.
        hidden_batch_norm: Whether batch normalization replaces the bias of the hidden layer (classic DBoF).
        hidden_relu6: Whether relu6 follows the hidden layer (classic DBoF).
        context_gating: Whether the hidden layer is gated (Miech et al. 2017, section 3.3; the winners' NetVLAD and
            NetFV).
        gating_remove_diagonal: Whether a gate ignores the unit it gates (`gating_remove_diag` in the code of Miech et
            al.).
        gating_reduction: Reduction factor of the gates' bottleneck, which has `H // gating_reduction` units (NeXtVLAD:
            8); null for a full matrix.
        dropout: Fraction of pooled values dropped in training (NeXtVLAD: 0.5).
    """

    num_clusters: PositiveInt
    cluster_divisor: PositiveInt = 2
    hidden_units: PositiveInt
    hidden_batch_norm: bool = False
    hidden_relu6: bool = False
    context_gating: bool = False
    gating_remove_diagonal: bool = False
    gating_reduction: PositiveInt | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @field_validator("gating_remove_diagonal")
    @classmethod
    def _refuse_without_gates(cls, value: bool, fields: ValidationInfo) -> bool:
        if value and fields.data.get("context_gating") is False:
            raise ValueError("there are no gates. Set context_gating: true, or gating_remove_diagonal: false")
        return value

    @field_validator("gating_reduction")
    @classmethod
    def _refuse_reduction_without_gates(cls, value: int | None, fields: ValidationInfo) -> int | None:
        if value and fields.data.get("context_gating") is False:
            raise ValueError("there are no gates. Set context_gating: true, or gating_reduction: null")
        if value and fields.data.get("gating_remove_diagonal"):
            raise ValueError(
                "a bottleneck has no diagonal. Set gating_remove_diagonal: false, or gating_reduction: null"
            )
        return value

    def features(self, spec: DataSpec) -> dict[str, int]:
        """Return the size of every feature that is pooled separately."""
        return dict(spec.features)

    def clusters(self, spec: DataSpec) -> dict[str, int]:
        """Return the number of clusters of every feature."""
        first, *others = self.features(spec)
        rest = max(2, self.num_clusters // self.cluster_divisor)
        return {first: self.num_clusters, **dict.fromkeys(others, rest)}


def layer_name(feature: str) -> str:
    """Return the name of the layer that pools a feature, which becomes part of the names of its weights.

    Names of features come from records and may have any characters, but those of layers must not. A name of letters,
    digits, `_`, `.` and `-` stays as it is. In others, a digest tells names apart that differ only in other characters.
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", feature)
    return plain if plain == feature else f"{plain}-{hashlib.sha256(feature.encode()).hexdigest()[:8]}"


def frame_inputs(spec: DataSpec, dtype: str = "float32") -> dict[str, Any]:
    """Create the symbolic inputs of a model: frames `(B, T, D)` and num_frames `(B,)`."""
    import keras

    return {
        "frames": keras.Input((None, spec.num_features), dtype=dtype, name="frames"),
        "num_frames": keras.Input((), dtype="int32", name="num_frames"),
    }


def build_pooled(
    config: PooledConfig, spec: DataSpec, pooling: Callable[[str, int], Any], hidden_initializer: str | None = None
) -> Any:
    """Build a model from pooling layers, a hidden layer and a head.

    Args:
        config: Configuration of the model.
        spec: Features and classes of the data.
        pooling: Function that creates the pooling layer of a feature from the feature's name, of which `layer_name`
            makes the name of the layer, and the number of clusters.
        hidden_initializer: Initializer of the hidden layer's weight matrix. The default is the winners' normal
            distribution with standard deviation `1 / sqrt(K)`.

    Returns:
        A Keras model; see `Architecture.build`.
    """
    import keras

    from yt8m.layers.feature_pooling import FeaturePooling
    from yt8m.layers.hidden import Hidden

    inputs = frame_inputs(spec)
    poolings = {feature: pooling(feature, clusters) for feature, clusters in config.clusters(spec).items()}
    pool = FeaturePooling(
        config.features(spec), poolings, config.num_sampled_frames, config.normalize_input, name="pooling"
    )
    pooled = pool(inputs["frames"], inputs["num_frames"])
    if config.dropout:
        pooled = keras.layers.Dropout(config.dropout, name="dropout")(pooled)
    hidden = Hidden(
        config.hidden_units,
        kernel_initializer=hidden_initializer or keras.initializers.RandomNormal(stddev=config.num_clusters**-0.5),
        batch_norm=config.hidden_batch_norm,
        relu6=config.hidden_relu6,
        name="hidden",
    )(pooled)
    if config.context_gating:
        hidden = hidden * _gate(config)(hidden)
    return keras.Model(inputs, classify(hidden, config.head, spec.num_classes), name=config.architecture)


def _gate(config: PooledConfig) -> Any:
    from yt8m.layers.context_gate import ContextGate
    from yt8m.layers.squeeze_excitation_gate import SqueezeExcitationGate

    if config.gating_reduction:
        return SqueezeExcitationGate(config.hidden_units, config.gating_reduction, name="context_gate")
    return ContextGate(config.hidden_units, config.gating_remove_diagonal, name="context_gate")
