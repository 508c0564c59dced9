"""Recurrent architecture with LSTM or GRU cells."""

from typing import Any, Literal

from pydantic import Field, PositiveInt, ValidationInfo, field_validator

from yt8m.data.format import DataSpec
from yt8m.models.architecture import ArchitectureConfig
from yt8m.models.head import Head, LogisticConfig, classify
from yt8m.models.pooled import frame_inputs, layer_name


class RNNConfig(ArchitectureConfig):
    """A bidirectional recurrent layer and a forward one, whose final state describes the video.

    The paper's RNN2 has `cell: lstm, units: 1024`, RNN3 `cell: gru, units: 1024`. All real frames are read in
    order, in training and in inference.

    Attributes:
        architecture: `rnn`.
        cell: Kind of cell (the paper: lstm for RNN2, gru for RNN3): `lstm`, whose cell state describes the video, or
            `gru`, which is smaller and faster.
        units: Number of units of the forward layer, even (the paper: 1024). Each direction of the bidirectional layer
            has half of them.
        branches: `joint` reads all features together. `per_feature` has one branch per feature: batch normalization, a
            dense layer without a bias, batch normalization, relu6 and a recurrent stack (the paper: joint; its authors'
            code has both). The branch of the first feature has `units` units, the others `units // unit_divisor`,
            rounded down to an even number, at least 2.
        unit_divisor: Divisor of the units of all branches but the first; see `branches` (the paper: 8, for the
            branches per feature in its code). Only with `branches: per_feature`.
        state_gating: Whether each value of the final state, of all branches together, is multiplied by a learned gate
            `sigmoid(h G + b)`, without batch normalization, as with `gating` in the code of the paper's authors (the
            paper: false).
        head: Layers from the final state to probabilities (the paper: logistic).
    """

    architecture: Literal["rnn"] = "rnn"
    cell: Literal["lstm", "gru"] = "lstm"
    units: PositiveInt = Field(multiple_of=2)
    branches: Literal["joint", "per_feature"] = "joint"
    unit_divisor: PositiveInt = 8
    state_gating: bool = False
    head: Head = LogisticConfig()

    @field_validator("unit_divisor")
    @classmethod
    def _refuse_unused_divisor(cls, value: int, fields: ValidationInfo) -> int:
        if value != cls.model_fields["unit_divisor"].default and fields.data.get("branches") == "joint":
            raise ValueError("joint features have no units to divide. Set branches: per_feature, or leave it out")
        return value

    def branch_units(self, spec: DataSpec) -> dict[str, int]:
        """Return the number of units of every branch, all even."""
        first = next(iter(spec.features))
        rest = 2 * max(1, self.units // self.unit_divisor // 2)
        return {feature: self.units if feature == first else rest for feature in spec.features}


def build(config: RNNConfig, spec: DataSpec) -> Any:
    """Build a recurrent model; see `yt8m.models.architecture.Architecture.build`."""
    import keras

    from yt8m.layers.context_gate import ContextGate
    from yt8m.layers.feature_pooling import FeaturePooling
    from yt8m.layers.recurrent_encoder import RecurrentEncoder

    per_feature = config.branches == "per_feature"
    features = spec.features if per_feature else {"frames": spec.num_features}
    units = config.branch_units(spec) if per_feature else {"frames": config.units}
    encoders = {
        name: RecurrentEncoder(units[name], config.cell, per_feature, name=layer_name(name)) for name in features
    }
    inputs = frame_inputs(spec)
    pool = FeaturePooling(features, encoders, "all", normalize_input=per_feature, name="pooling")
    descriptor = pool(inputs["frames"], inputs["num_frames"])
    if config.state_gating:
        descriptor = descriptor * ContextGate(descriptor.shape[-1], batch_norm=False, name="state_gate")(descriptor)
    return keras.Model(inputs, classify(descriptor, config.head, spec.num_classes), name=config.architecture)
