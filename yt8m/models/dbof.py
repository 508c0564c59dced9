"""Deep bag of frames (DBoF)."""

from typing import Any, Literal

from pydantic import PositiveInt

from yt8m.models.pooled import PooledConfig, build_pooled
from yt8m.records.spec import DataSpec


class DBoFConfig(PooledConfig):
    """Deep bag of frames: how much of each visual word a video holds.

    The winners' DBoF1 is `pooling: gated, num_clusters: 6144, hidden_units: 1536`; the classic form is `pooling: max`
    with `hidden_batch_norm` and `hidden_relu6`.

    Attributes:
        family: `dbof`.
        pooling: `gated` or `soft` (the winners' code: softmax over clusters, summed over frames; gates on the first
            feature only) or classic, `max` or `average` (Abu-El-Haija et al. 2016, section 5.1.2).
        cluster_divisor: See `PooledConfig`; the winners' audio has an eighth of the clusters.
    """

    family: Literal["dbof"] = "dbof"
    pooling: Literal["gated", "soft", "max", "average"] = "gated"
    cluster_divisor: PositiveInt = 8


def build(config: DBoFConfig, spec: DataSpec) -> Any:
    """Builds a DBoF model; see `yt8m.models.family.Family.build`."""
    from yt8m.layers.classic_dbof import ClassicDBoF
    from yt8m.layers.dbof import DBoF

    gated_feature = next(iter(spec.features)) if config.pooling == "gated" else None

    def pooling(feature: str, num_clusters: int) -> Any:
        if config.pooling in ("max", "average"):
            return ClassicDBoF(num_clusters, config.pooling, name=feature)
        return DBoF(num_clusters, gated=feature == gated_feature, name=feature)

    return build_pooled(config, spec, pooling)
