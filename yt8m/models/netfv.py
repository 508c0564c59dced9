"""NetFV: trainable Fisher vectors."""

from typing import Any, Literal

from pydantic import PositiveFloat, ValidationInfo, field_validator

from yt8m.data.format import DataSpec
from yt8m.models.pooled import PooledConfig, build_pooled


class NetFVConfig(PooledConfig):
    """NetFV: mean and variance of the frames against Gaussian clusters (Miech et al. 2017, section 3.1).

    The winners' FVNet1 is `num_clusters: 96, hidden_units: 1540, context_gating: true` with
    `head: {kind: moe, label_gating: probabilities}`.

    Attributes:
        architecture: `netfv`.
        num_clusters: Clusters `K` of the first feature, rgb (the winners: 96).
        cluster_divisor: Every other feature, audio, has `K // cluster_divisor` clusters, at least 2 (the winners: 2).
        hidden_units: Units `H` of the hidden layer (the winners: 1540).
        hidden_batch_norm: Batch normalization in place of the hidden layer's bias (the winners: no).
        hidden_relu6: relu6 after the hidden layer (the winners: no).
        context_gating: Gates on the hidden layer, Miech et al. 2017, section 3.3 (the winners: yes).
        gating_remove_diagonal: Leave out each unit's influence on its own gate, `gating_remove_diag` in Miech et al.'s
            code (the winners: no).
        gating_reduction: Gates through a bottleneck of `H // gating_reduction` units, Lin et al. 2018; null for a full
            matrix (the winners: null).
        dropout: Fraction of the pooled values dropped in training (the winners: none).
        num_sampled_frames: Frames drawn with replacement per video in training: a number, `max_frames` (the paper,
            section 4.1: 300, its longest video), or `all` to take every real frame once. Inference takes all.
        normalize_input: Batch normalization of the frames before pooling (the winners: yes).
        head: From the hidden layer to probabilities (the winners: a mixture of experts, labels gated by probabilities).
        coupled: Whether the matrix that assigns frames to clusters, times `coupling_factor`, serves as their centers
            (`fv_couple_weights` in Miech et al.'s code; the winners: no).
        coupling_factor: See `coupled` (`fv_coupling_factor` in Miech et al.'s code: 0.01).
    """

    architecture: Literal["netfv"] = "netfv"
    coupled: bool = False
    coupling_factor: PositiveFloat = 0.01

    @field_validator("coupling_factor")
    @classmethod
    def _is_coupled(cls, value: float, fields: ValidationInfo) -> float:
        if value != cls.model_fields["coupling_factor"].default and fields.data.get("coupled") is False:
            raise ValueError("the centers are free. Set coupled: true, or leave it out")
        return value


def build(config: NetFVConfig, spec: DataSpec) -> Any:
    """Build a NetFV model; see `yt8m.models.architecture.Architecture.build`."""
    from yt8m.layers.netfv import NetFV

    def pooling(feature: str, num_clusters: int) -> Any:
        return NetFV(num_clusters, config.coupled, config.coupling_factor, name=feature)

    return build_pooled(config, spec, pooling)


def pooling_products(config: NetFVConfig, spec: DataSpec) -> int:
    """Every frame's assignments times its features and their squares; see `yt8m.models.architecture.Architecture`."""
    return sum(2 * clusters * spec.features[feature] for feature, clusters in config.clusters(spec).items())
