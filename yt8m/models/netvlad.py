"""NetVLAD and LightVLAD."""

from typing import Any, Literal

from yt8m.models.pooled import PooledConfig, build_pooled
from yt8m.records.spec import DataSpec


class NetVLADConfig(PooledConfig):
    """NetVLAD: residuals of the frames against cluster centers (Arandjelovic et al. 2016; Miech et al. 2017).

    The winners' NetVLAD1 is `num_clusters: 192, hidden_units: 992, context_gating: true` with
    `head: {kind: moe, label_gating: probabilities}`.

    Attributes:
        family: `netvlad`.
        centers: Whether there are centers; without them this is LightVLAD (Miech et al. 2017, section 3.1).
    """

    family: Literal["netvlad"] = "netvlad"
    centers: bool = True


def build(config: NetVLADConfig, spec: DataSpec) -> Any:
    """Builds a NetVLAD model; see `yt8m.models.family.Family.build`."""
    from yt8m.layers.netvlad import NetVLAD

    return build_pooled(config, spec, lambda feature, clusters: NetVLAD(clusters, config.centers, name=feature))


def pooling_products(config: NetVLADConfig, spec: DataSpec) -> int:
    """Every frame's assignments times its features; see `yt8m.models.family.Family`."""
    return sum(clusters * spec.features[feature] for feature, clusters in config.clusters(spec).items())
