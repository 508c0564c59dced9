"""NetVLAD and LightVLAD."""

from typing import Any, Literal

from yt8m.data.format import DataSpec
from yt8m.models.pooled import PooledConfig, build_pooled, layer_name


class NetVLADConfig(PooledConfig):
    """NetVLAD: residuals of the frames from cluster centers (Arandjelovic et al. 2016; Miech et al. 2017).

    The paper's NetVLAD1 has `num_clusters: 192, hidden_units: 992, context_gating: true` with
    `head: {kind: moe, label_gating: probabilities}`.

    Attributes:
        architecture: `netvlad`.
        num_clusters: Number of clusters `K` for the first feature, such as rgb (the paper: 192; 256 in a first-level
            teacher). More clusters make a larger, slower and usually better model.
        cluster_divisor: The other features, such as audio, have `K // cluster_divisor` clusters, at least 2 (the paper:
            2).
        hidden_units: Number of units `H` of the hidden layer between the pooling and the head (the paper: 992, 896;
            1024 in a first-level teacher).
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
        centers: Whether the layer has cluster centers (the paper: true). Without them it is LightVLAD (Miech et al.
            2017, section 3.1), which is smaller.
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
