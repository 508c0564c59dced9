"""Deep bag of frames (DBoF)."""

from typing import Any, Literal

from pydantic import PositiveInt, ValidationInfo, field_validator

from yt8m.data.format import DataSpec
from yt8m.models.pooled import PooledConfig, build_pooled


class DBoFConfig(PooledConfig):
    """Deep bag of frames: how much of each visual word a video holds.

    The winners' DBoF1 is `pooling: gated, num_clusters: 6144, hidden_units: 1536`; the classic form (Abu-El-Haija
    et al. 2016, section 5.1.2) is `pooling: max, branches: joint` with `hidden_batch_norm` and `hidden_relu6`.

    Attributes:
        architecture: `dbof`.
        num_clusters: Clusters `K` of the first feature, rgb (the winners: 3684, 4096, 6144).
        cluster_divisor: Every other feature, audio, has `K // cluster_divisor` clusters, at least 2 (the winners: 8).
        hidden_units: Units `H` of the hidden layer (the winners: 920, 1024, 1536).
        hidden_batch_norm: Batch normalization in place of the hidden layer's bias (Abu-El-Haija et al. 2016: yes; the
            winners: no).
        hidden_relu6: relu6 after the hidden layer (Abu-El-Haija et al. 2016: yes; the winners: no).
        context_gating: Gates on the hidden layer, Miech et al. 2017, section 3.3 (the winners: no).
        gating_remove_diagonal: Leave out each unit's influence on its own gate, `gating_remove_diag` in Miech et al.'s
            code (the winners: no).
        gating_reduction: Gates through a bottleneck of `H // gating_reduction` units, Lin et al. 2018; null for a full
            matrix (the winners: null).
        dropout: Fraction of the pooled values dropped in training (the winners: none).
        num_sampled_frames: Frames drawn with replacement per video in training: a number, `max_frames` (the paper,
            section 4.1: 300, its longest video), or `all` to take every real frame once. Inference takes all.
        normalize_input: Batch normalization of the frames before pooling (the winners: yes).
        head: From the hidden layer to probabilities (the winners: a mixture of experts).
        pooling: `gated` or `soft` (the winners' code: softmax over clusters, summed over frames; gates on the first
            feature only) or classic, `max` or `average` of relu6 (Abu-El-Haija et al. 2016).
        branches: `per_feature` has clusters for each feature (the winners), `joint` one matrix for all features
            together (Abu-El-Haija et al. 2016, and the winners' `DbofModel`).
    """

    architecture: Literal["dbof"] = "dbof"
    pooling: Literal["gated", "soft", "max", "average"] = "gated"
    cluster_divisor: PositiveInt = 8
    branches: Literal["per_feature", "joint"] = "per_feature"

    @field_validator("branches")
    @classmethod
    def _divides_nothing(cls, value: str, fields: ValidationInfo) -> str:
        default = cls.model_fields["cluster_divisor"].default
        if value == "joint" and fields.data.get("cluster_divisor", default) != default:
            raise ValueError("joint features have no clusters to divide. Leave out cluster_divisor, or branches")
        return value

    def features(self, spec: DataSpec) -> dict[str, int]:
        """Size of what is pooled on its own."""
        return {"frames": spec.num_features} if self.branches == "joint" else super().features(spec)


def build(config: DBoFConfig, spec: DataSpec) -> Any:
    """Build a DBoF model; see `yt8m.models.architecture.Architecture.build`."""
    from yt8m.layers.classic_dbof import ClassicDBoF
    from yt8m.layers.dbof import DBoF

    gated_feature = next(iter(config.features(spec))) if config.pooling == "gated" else None

    def pooling(feature: str, num_clusters: int) -> Any:
        if config.pooling in ("max", "average"):
            return ClassicDBoF(num_clusters, config.pooling, name=feature)
        return DBoF(num_clusters, gated=feature == gated_feature, name=feature)

    return build_pooled(config, spec, pooling)
