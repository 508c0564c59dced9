"""NetFV: trainable Fisher vectors."""

from typing import Any, Literal

from pydantic import PositiveFloat, ValidationInfo, field_validator

from yt8m.data.format import DataSpec
from yt8m.models.pooled import PooledConfig, build_pooled, layer_name


class NetFVConfig(PooledConfig):
    """NetFV: first- and second-order differences of the frames from Gaussian clusters (Miech et al. 2017, section 3.1).

    The paper's FVNet1 has `num_clusters: 96, hidden_units: 1540, context_gating: true` with
    `head: {kind: moe, label_gating: probabilities}`.

    Attributes:
        architecture: `netfv`.
        num_clusters: Number of clusters `K` for the first feature, such as rgb (the paper: 96). More clusters make a
            larger, slower and usually better model.
        cluster_divisor: The other features, such as audio, have `K // cluster_divisor` clusters, at least 2 (the paper:
            2).
        hidden_units: Number of units `H` of the hidden layer between the pooling and the head (the paper: 1540).
        hidden_batch_norm: Whether batch normalization replaces the bias of the hidden layer (the paper: false).
        hidden_relu6: Whether relu6 follows the hidden layer (the paper: false).
        context_gating: Whether each unit of the hidden layer is multiplied by a learned gate, as in section 3.3 of
            Miech et al. 2017 (the paper: true).
        gating_remove_diagonal: Whether a gate ignores the unit it gates, as with `gating_remove_diag` in the code of
            Miech et al. (the paper: false). Only with `context_gating`.
        gating_reduction: Reduction factor of the gates' bottleneck, which has `H // gating_reduction` units, as in Lin
            et al. 2018 (the paper: null). Null means gates from a full matrix.
        dropout: Fraction of pooled values dropped in training (the paper: 0).
        num_sampled_frames: Number of frames that training draws with replacement from each video (the paper: 300).
            `max_frames` means as many as the longest videos have, `all` uses every real frame once. Inference uses all
            frames.
        normalize_input: Whether frames are batch-normalized before pooling (the paper: true).
        head: Layers from the hidden layer to probabilities (the paper: moe with label_gating: probabilities).
        coupled: Whether the cluster centers are tied to `coupling_factor` times the weight matrix of the assignment,
            as with `fv_couple_weights` in the code of Miech et al. (the paper: false).
        coupling_factor: Factor of tied centers. The code of Miech et al. calls it `fv_coupling_factor` and has 0.01.
            Only with `coupled`.
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
