"""NetFV: trainable Fisher vectors."""

from typing import Any, Literal

from yt8m.models.pooled import PooledConfig, build_pooled
from yt8m.records.spec import DataSpec


class NetFVConfig(PooledConfig):
    """NetFV: mean and variance of the frames against Gaussian clusters (Miech et al. 2017, section 3.1).

    The winners' FVNet1 is `num_clusters: 96, hidden_units: 1540, context_gating: true` with
    `head: {kind: moe, label_gating: probabilities}`.

    Attributes:
        family: `netfv`.
        coupled: Whether the matrix that assigns frames to clusters serves as their centers, too (`fv_couple_weights`
            in Miech et al.'s code; the winners: no).
    """

    family: Literal["netfv"] = "netfv"
    coupled: bool = False


def build(config: NetFVConfig, spec: DataSpec) -> Any:
    """Builds a NetFV model; see `yt8m.models.family.Family.build`."""
    from yt8m.layers.netfv import NetFV

    return build_pooled(config, spec, lambda feature, clusters: NetFV(clusters, config.coupled, name=feature))


def pooling_products(config: NetFVConfig, spec: DataSpec) -> int:
    """Every frame's assignments times its features and their squares; see `yt8m.models.family.Family`."""
    return sum(2 * clusters * spec.features[feature] for feature, clusters in config.clusters(spec).items())
