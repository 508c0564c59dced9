"""NetFV: trainable Fisher vectors."""

from typing import Any, Literal

from pydantic import PositiveFloat, ValidationInfo, field_validator

from yt8m.models.pooled import PooledConfig, build_pooled
from yt8m.records.spec import DataSpec


class NetFVConfig(PooledConfig):
    """NetFV: mean and variance of the frames against Gaussian clusters (Miech et al. 2017, section 3.1).

    The winners' FVNet1 is `num_clusters: 96, hidden_units: 1540, context_gating: true` with
    `head: {kind: moe, label_gating: probabilities}`.

    Attributes:
        family: `netfv`.
        coupled: Whether the matrix that assigns frames to clusters, times `coupling_factor`, serves as their centers
            (`fv_couple_weights` in Miech et al.'s code; the winners: no).
        coupling_factor: See `coupled` (`fv_coupling_factor` in Miech et al.'s code: 0.01).
    """

    family: Literal["netfv"] = "netfv"
    coupled: bool = False
    coupling_factor: PositiveFloat = 0.01

    @field_validator("coupling_factor")
    @classmethod
    def _is_coupled(cls, value: float, fields: ValidationInfo) -> float:
        if value != cls.model_fields["coupling_factor"].default and fields.data.get("coupled") is False:
            raise ValueError("the centers are free. Set coupled: true, or leave it out")
        return value


def build(config: NetFVConfig, spec: DataSpec) -> Any:
    """Builds a NetFV model; see `yt8m.models.family.Family.build`."""
    from yt8m.layers.netfv import NetFV

    def pooling(feature: str, num_clusters: int) -> Any:
        return NetFV(num_clusters, config.coupled, config.coupling_factor, name=feature)

    return build_pooled(config, spec, pooling)


def pooling_products(config: NetFVConfig, spec: DataSpec) -> int:
    """Every frame's assignments times its features and their squares; see `yt8m.models.family.Family`."""
    return sum(2 * clusters * spec.features[feature] for feature, clusters in config.clusters(spec).items())
