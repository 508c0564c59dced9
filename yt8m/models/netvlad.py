"""NetVLAD and LightVLAD."""

from typing import Any, Literal

from yt8m.data.format import DataSpec
from yt8m.models.pooled import PooledConfig, build_pooled, layer_name


class NetVLADConfig(PooledConfig):
    """NetVLAD: residuals of the frames from cluster centers (Arandjelovic et al. 2016; Miech et al. 2017).

    The winners' NetVLAD1 has `num_clusters: 192, hidden_units: 992, context_gating: true` with
    `head: {kind: moe, label_gating: probabilities}`.

    Attributes:
        architecture: `netvlad`.
        num_clusters: Number of clusters `K` for the first feature, rgb (the winners: 192, in a first-level teacher
            256).
        cluster_divisor: Other features, such as audio, have `K // cluster_divisor` clusters, at least 2 (the winners:
            2).
        hidden_units: Number of units `H` of the hidden layer (the winners: 896 to 1024).
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
        centers: Whether the layer has cluster centers. Without them it is LightVLAD (Miech et al. 2017, section 3.1).
    """

    architecture: Literal["netvlad"] = "netvlad"
    centers: bool = True


def build(config: NetVLADConfig, spec: DataSpec) -> Any:
    """Build a NetVLAD model; see `yt8m.models.architecture.Architecture.build`."""
    from yt8m.layers.netvlad import NetVLAD

    return build_pooled(
        config, spec, lambda feature, clusters: NetVLAD(clusters, config.centers, name=layer_name(feature))
    )


def pooling_products(config: NetVLADConfig, spec: DataSpec) -> int:
    """Count the products of assignments with features; see `yt8m.models.architecture.Architecture`."""
    return sum(clusters * spec.features[feature] for feature, clusters in config.clusters(spec).items())
