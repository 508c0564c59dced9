"""Deep bag of frames (DBoF)."""

from typing import Any, Literal

from pydantic import PositiveInt, ValidationInfo, field_validator

from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError
from yt8m.models.pooled import PooledConfig, build_pooled, layer_name


class DBoFConfig(PooledConfig):
    """Deep bag of frames: a histogram of visual words over the frames of a video.

    The paper's DBoF1 has `pooling: gated, num_clusters: 6144, hidden_units: 1536`. The classic form (Abu-El-Haija
    et al. 2016, section 5.1.2) has `pooling: max, branches: joint` with `hidden_batch_norm` and `hidden_relu6`.

    Attributes:
        architecture: `dbof`.
        num_clusters: Number of clusters `K` for the first feature, such as rgb (the paper: 6144, 4096, 3684). More
            clusters make a larger, slower and usually better model.
        cluster_divisor: The other features, such as audio, have `K // cluster_divisor` clusters, at least 2 (the paper:
            8).
        hidden_units: Number of units `H` of the hidden layer between the pooling and the head (the paper: 1536, 1024,
            920).
        hidden_batch_norm: Whether batch normalization replaces the bias of the hidden layer (the paper: false;
            Abu-El-Haija et al. 2016: true).
        hidden_relu6: Whether relu6 follows the hidden layer (the paper: false; Abu-El-Haija et al. 2016: true).
        context_gating: Whether each unit of the hidden layer is multiplied by a learned gate, as in section 3.3 of
            Miech et al. 2017 (the paper: false).
        gating_remove_diagonal: Whether a gate ignores the unit it gates, as with `gating_remove_diag` in the code of
            Miech et al. (the paper: false). Only with `context_gating`.
        gating_reduction: Reduction factor of the gates' bottleneck, which has `H // gating_reduction` units, as in Lin
            et al. 2018 (the paper: null). Null means gates from a full matrix.
        dropout: Fraction of pooled values dropped in training (the paper: 0).
        num_sampled_frames: Number of frames that training draws with replacement from each video (the paper: 300).
            `max_frames` means as many as the longest videos have, `all` uses every real frame once. Inference uses all
            frames.
        normalize_input: Whether frames are batch-normalized before pooling (the paper: true).
        head: Layers from the hidden layer to probabilities (the paper: moe).
        pooling: How frames become one vector (the paper: gated). `gated` and `soft` sum soft assignments of frames to
            clusters, with learned gates on the first feature or without. `max` and `average` pool relu6 codes of the
            frames (Abu-El-Haija et al. 2016).
        add_maximum: Whether a feature without gates is described by each cluster's largest assignment, too, beside the
            sum of the assignments, each half with length 1: `softdbof_maxpool` in the code of the paper's authors (the
            paper: false). It applies to all features with `pooling: soft`, and to all but the first with
            `pooling: gated`.
        branches: `per_feature` pools each feature with its own clusters, `joint` all features with the same ones, as
            Abu-El-Haija et al. 2016 (the paper: per_feature).
    """

    architecture: Literal["dbof"] = "dbof"
    pooling: Literal["gated", "soft", "max", "average"] = "gated"
    cluster_divisor: PositiveInt = 8
    add_maximum: bool = False
    branches: Literal["per_feature", "joint"] = "per_feature"

    @field_validator("branches")
    @classmethod
    def _refuse_unused_divisor(cls, value: str, fields: ValidationInfo) -> str:
        default = cls.model_fields["cluster_divisor"].default
        if value == "joint" and fields.data.get("cluster_divisor", default) != default:
            raise ValueError("joint features have no clusters to divide. Leave out cluster_divisor, or branches")
        return value

    @field_validator("add_maximum")
    @classmethod
    def _refuse_without_soft_pooling(cls, value: bool, fields: ValidationInfo) -> bool:
        if value and fields.data.get("pooling") in ("max", "average"):
            raise ValueError("codes of frames have no soft assignments. Set pooling: soft, or add_maximum: false")
        return value

    @field_validator("branches")
    @classmethod
    def _refuse_maximum_of_joint_gates(cls, value: str, fields: ValidationInfo) -> str:
        if value == "joint" and fields.data.get("add_maximum") and fields.data.get("pooling") == "gated":
            raise ValueError(
                "the only branch is gated, and gates read the maximum already. Set pooling: soft, or add_maximum: false"
            )
        return value

    def features(self, spec: DataSpec) -> dict[str, int]:
        """Return the size of every branch by name."""
        return {"frames": spec.num_features} if self.branches == "joint" else super().features(spec)


def build(config: DBoFConfig, spec: DataSpec) -> Any:
    """Build a DBoF model; see `yt8m.models.architecture.Architecture.build`.

    Raises:
        ConfigError: `add_maximum` has no effect, because the only feature of the data is gated.
    """
    from yt8m.layers.classic_dbof import ClassicDBoF
    from yt8m.layers.dbof import DBoF

    features = list(config.features(spec))
    gated_features = features[:1] if config.pooling == "gated" else []
    if config.add_maximum and features == gated_features:
        raise ConfigError(
            f"dbof: add_maximum: the only feature, {features[0]}, is gated, and gates read the maximum already. "
            "Set pooling: soft, or add_maximum: false."
        )

    def pooling(feature: str, num_clusters: int) -> Any:
        if config.pooling in ("max", "average"):
            return ClassicDBoF(num_clusters, config.pooling, name=layer_name(feature))
        gated = feature in gated_features
        return DBoF(num_clusters, gated, config.add_maximum and not gated, name=layer_name(feature))

    return build_pooled(config, spec, pooling)
