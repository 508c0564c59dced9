"""Deep bag of frames (DBoF)."""

from typing import Any, Literal

from pydantic import PositiveInt, ValidationInfo, field_validator

from yt8m.data.format import DataSpec
from yt8m.models.pooled import PooledConfig, build_pooled, layer_name


class DBoFConfig(PooledConfig):
    """Deep bag of frames: a histogram of visual words over the frames of a video.

    The winners' DBoF1 has `pooling: gated, num_clusters: 6144, hidden_units: 1536`. The classic form (Abu-El-Haija
    et al. 2016, section 5.1.2) has `pooling: max, branches: joint` with `hidden_batch_norm` and `hidden_relu6`.

    Attributes:
        architecture: `dbof`.
        num_clusters: Number of clusters `K` for the first feature, rgb (the winners: 3684, 4096, 6144).
        cluster_divisor: Other features, such as audio, have `K // cluster_divisor` clusters, at least 2 (the winners:
            8).
        hidden_units: Number of units `H` of the hidden layer (the winners: 920, 1024, 1536).
        hidden_batch_norm: Whether batch normalization replaces the bias of the hidden layer (Abu-El-Haija et al. 2016:
            yes; the winners: no).
        hidden_relu6: Whether relu6 follows the hidden layer (Abu-El-Haija et al. 2016: yes; the winners: no).
        context_gating: Whether the hidden layer is gated, Miech et al. 2017, section 3.3 (the winners: no).
        gating_remove_diagonal: Whether a gate ignores the unit it gates, `gating_remove_diag` in the code of Miech et
            al. (the winners: no).
        gating_reduction: Reduction factor of the gates' bottleneck, which has `H // gating_reduction` units, Lin et al.
            2018; null for a full matrix (the winners: null).
        dropout: Fraction of pooled values dropped in training (the winners: none).
        num_sampled_frames: Number of frames sampled with replacement per video in training, `max_frames` (the paper,
            section 4.1: 300, the length of its longest videos), or `all` to use every real frame once. Inference uses
            all frames.
        normalize_input: Whether frames are batch-normalized before pooling (the winners: yes).
        head: Layers from the hidden layer to probabilities (the winners: a mixture of experts).
        pooling: `gated` or `soft` sum soft assignments over frames, with gates on the first feature or without (the
            winners' code). `max` or `average` pool relu6 codes (Abu-El-Haija et al. 2016).
        branches: `per_feature` pools each feature with its own clusters (the winners), `joint` all features with the
            same ones (Abu-El-Haija et al. 2016, and the winners' `DbofModel`).
    """

    architecture: Literal["dbof"] = "dbof"
    pooling: Literal["gated", "soft", "max", "average"] = "gated"
    cluster_divisor: PositiveInt = 8
    branches: Literal["per_feature", "joint"] = "per_feature"

    @field_validator("branches")
    @classmethod
    def _refuse_unused_divisor(cls, value: str, fields: ValidationInfo) -> str:
        default = cls.model_fields["cluster_divisor"].default
        if value == "joint" and fields.data.get("cluster_divisor", default) != default:
            raise ValueError("joint features have no clusters to divide. Leave out cluster_divisor, or branches")
        return value

    def features(self, spec: DataSpec) -> dict[str, int]:
        """Return the size of every branch by name."""
        return {"frames": spec.num_features} if self.branches == "joint" else super().features(spec)


def build(config: DBoFConfig, spec: DataSpec) -> Any:
    """Build a DBoF model; see `yt8m.models.architecture.Architecture.build`."""
    from yt8m.layers.classic_dbof import ClassicDBoF
    from yt8m.layers.dbof import DBoF

    gated_feature = next(iter(config.features(spec))) if config.pooling == "gated" else None

    def pooling(feature: str, num_clusters: int) -> Any:
        if config.pooling in ("max", "average"):
            return ClassicDBoF(num_clusters, config.pooling, name=layer_name(feature))
        return DBoF(num_clusters, gated=feature == gated_feature, name=layer_name(feature))

    return build_pooled(config, spec, pooling)
