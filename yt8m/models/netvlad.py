"""NetVLAD and LightVLAD."""

from typing import Any, Literal

from yt8m.data.format import DataSpec
from yt8m.models.pooled import PooledConfig, build_pooled


class NetVLADConfig(PooledConfig):
    """NetVLAD: residuals of the frames against cluster centers (Arandjelovic et al. 2016; Miech et al. 2017).

    The winners' NetVLAD1 is `num_clusters: 192, hidden_units: 992, context_gating: true` with
    `head: {kind: moe, label_gating: probabilities}`.

    Attributes:
        architecture: `netvlad`.
        num_clusters: Clusters `K` of the first feature, rgb (the winners: 192, in a first-level teacher 256).
        cluster_divisor: Every other feature, audio, has `K // cluster_divisor` clusters, at least 2 (the winners: 2).
        hidden_units: Units `H` of the hidden layer (the winners: 896 to 1024).
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
        centers: Whether there are centers; without them this is LightVLAD (Miech et al. 2017, section 3.1).
    """

    architecture: Literal["netvlad"] = "netvlad"
    centers: bool = True


def build(config: NetVLADConfig, spec: DataSpec) -> Any:
    """Build a NetVLAD model; see `yt8m.models.architecture.Architecture.build`."""
    from yt8m.layers.netvlad import NetVLAD

    return build_pooled(config, spec, lambda feature, clusters: NetVLAD(clusters, config.centers, name=feature))


def pooling_products(config: NetVLADConfig, spec: DataSpec) -> int:
    """Every frame's assignments times its features; see `yt8m.models.architecture.Architecture`."""
    return sum(clusters * spec.features[feature] for feature, clusters in config.clusters(spec).items())
