"""NetFV: trainable Fisher vectors."""

from typing import Any, Literal

from pydantic import PositiveFloat, ValidationInfo, field_validator

from yt8m.data.format import DataSpec
from yt8m.models.pooled import PooledConfig, build_pooled, layer_name


class NetFVConfig(PooledConfig):
    """NetFV: first- and second-order differences of the frames from Gaussian clusters (Miech et al. 2017, section 3.1).

    The winners' FVNet1 has `num_clusters: 96, hidden_units: 1540, context_gating: true` with
    `head: {kind: moe, label_gating: probabilities}`.

    Attributes:
        architecture: `netfv`.
        num_clusters: Number of clusters `K` for the first feature, rgb (the winners: 96).
        cluster_divisor: Other features, such as audio, have `K // cluster_divisor` clusters, at least 2 (the winners:
            2).
        hidden_units: Number of units `H` of the hidden layer (the winners: 1540).
        hidden_batch_norm: Whether batch normalization replaces the bias of the hidden layer (the winners: no).
        hidden_relu6: Whether relu6 follows the hidden layer (the winners: no).
        context_gating: Whether the hidden layer is gated, Miech et al. 2017, section 3.3 (the winners: yes).
        gating_remove_diagonal: Whether a gate ignores the unit it gates, `gating_remove_diag` in the code of Miech et
            al. (the winners: no).
        gating_reduction: Reduction factor of the gates' bottleneck, which has `H // gating_reduction` units, Lin et al.
            2018; null for a full matrix (the winners: null).
        dropout: Fraction of pooled values dropped in training (the winners: none).
        num_sampled_frames: Number of frames sampled with replacement per video in training, `max_frames` (the paper,
            section 4.1: 300, the length of its longest videos), or `all` to use every real frame once. Inference uses
            all frames.
        normalize_input: Whether frames are batch-normalized before pooling (the winners: yes).
        head: Layers from the hidden layer to probabilities (the winners: a mixture of experts, labels gated by
            probabilities).
        coupled: Whether the cluster centers are tied to `coupling_factor` times the weight matrix of the assignment,
            `fv_couple_weights` in the code of Miech et al. (the winners: no).
        coupling_factor: Factor of tied centers, `fv_coupling_factor` in the code of Miech et al. (0.01 there).
    """

    architecture: Literal["netfv"] = "netfv"
    coupled: bool = False
    coupling_factor: PositiveFloat = 0.01

    @field_validator("coupling_factor")
    @classmethod
    def _refuse_uncoupled(cls, value: float, fields: ValidationInfo) -> float:
        if value != cls.model_fields["coupling_factor"].default and fields.data.get("coupled") is False:
            raise ValueError("the centers are free. Set coupled: true, or leave it out")
        return value


def build(config: NetFVConfig, spec: DataSpec) -> Any:
    """Build a NetFV model; see `yt8m.models.architecture.Architecture.build`."""
    from yt8m.layers.netfv import NetFV

    def pooling(feature: str, num_clusters: int) -> Any:
        return NetFV(num_clusters, config.coupled, config.coupling_factor, name=layer_name(feature))

    return build_pooled(config, spec, pooling)


def pooling_products(config: NetFVConfig, spec: DataSpec) -> int:
    """Count products of assignments with features and their squares; see `yt8m.models.architecture.Architecture`."""
    return sum(2 * clusters * spec.features[feature] for feature, clusters in config.clusters(spec).items())
