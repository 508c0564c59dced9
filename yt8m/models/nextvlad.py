"""NeXtVLAD."""

from typing import Any, Literal

from pydantic import PositiveInt

from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError
from yt8m.models.head import Head, LogisticConfig
from yt8m.models.pooled import PooledConfig, build_pooled, layer_name


class NeXtVLADConfig(PooledConfig):
    """NeXtVLAD: NetVLAD on groups of features (Lin, Xiao and Fan 2018, third in the challenge).

    The authors' single model has `num_clusters: 128, hidden_units: 2048, dropout: 0.5` and the defaults below; initial
    values are theirs, too. (Each of the three models in their mixture has `gating_reduction: 16`.) Unlike theirs,
    padding does not enter batch statistics, and training samples frames with replacement unless
    `num_sampled_frames: all`.

    Attributes:
        architecture: `nextvlad`.
        num_clusters: Number of clusters `K` for the first feature, such as rgb. More clusters make a larger, slower and
            usually better model. NeXtVLAD's authors use 128.
        cluster_divisor: The other features, such as audio, have `K // cluster_divisor` clusters, at least 2. NeXtVLAD's
            authors use 2.
        hidden_units: Number of units `H` of the hidden layer between the pooling and the head. NeXtVLAD's authors use
            2048.
        hidden_batch_norm: Whether batch normalization replaces the bias of the hidden layer, as NeXtVLAD's authors have
            it.
        hidden_relu6: Whether relu6 follows the hidden layer. NeXtVLAD's authors do without it.
        context_gating: Whether each unit of the hidden layer is multiplied by a learned gate, as in section 3.3 of
            Miech et al. 2017. NeXtVLAD's authors use these gates.
        gating_remove_diagonal: Whether a gate ignores the unit it gates, as with `gating_remove_diag` in the code of
            Miech et al. Only with `context_gating`. NeXtVLAD's authors do not use it.
        gating_reduction: Reduction factor of the gates' bottleneck, which has `H // gating_reduction` units, as in Lin
            et al. 2018, who use 8. Null means gates from a full matrix.
        dropout: Fraction of pooled values dropped in training. NeXtVLAD's authors use 0.5.
        num_sampled_frames: Number of frames that training draws with replacement from each video. `max_frames` means as
            many as the longest videos have, `all` uses every real frame once, as NeXtVLAD's authors do. Inference uses
            all frames.
        normalize_input: Whether frames are batch-normalized before pooling. NeXtVLAD's authors do not normalize them.
        head: Layers from the hidden layer to probabilities. NeXtVLAD's authors use a logistic head with a penalty of
            1e-5.
        num_groups: Number of groups `G` for the first feature, such as rgb. The others have `G // cluster_divisor`
            groups, at least 1. The number of groups must divide `expansion` times the size of the feature. NeXtVLAD's
            authors use 8 and 4.
        expansion: Factor by which a dense layer expands each frame first. NeXtVLAD's authors use 2.
    """

    architecture: Literal["nextvlad"] = "nextvlad"
    num_groups: PositiveInt = 8
    expansion: PositiveInt = 2
    hidden_batch_norm: bool = True
    context_gating: bool = True
    gating_reduction: PositiveInt | None = 8
    normalize_input: bool = False
    head: Head = LogisticConfig(l2_penalty=1e-5)

    def groups(self, spec: DataSpec) -> dict[str, int]:
        """Return the number of groups of every feature.

        Raises:
            ConfigError: The groups do not divide the expanded features.
        """
        first = next(iter(spec.features))
        rest = max(1, self.num_groups // self.cluster_divisor)
        groups = {feature: self.num_groups if feature == first else rest for feature in spec.features}
        for feature, size in spec.features.items():
            if self.expansion * size % groups[feature]:
                raise ConfigError(
                    f"nextvlad: num_groups: {groups[feature]} groups do not divide {feature}'s {size} features times "
                    f"{self.expansion}. Choose num_groups or expansion so that they do."
                )
        return groups


def build(config: NeXtVLADConfig, spec: DataSpec) -> Any:
    """Build a NeXtVLAD model; see `yt8m.models.architecture.Architecture.build`."""
    from yt8m.layers.nextvlad import INITIALIZER, NeXtVLAD

    groups = config.groups(spec)

    def pooling(feature: str, num_clusters: int) -> Any:
        return NeXtVLAD(num_clusters, groups[feature], config.expansion, name=layer_name(feature))

    return build_pooled(config, spec, pooling, INITIALIZER)


def pooling_products(config: NeXtVLADConfig, spec: DataSpec) -> int:
    """Count the products of group assignments with expanded features; see `yt8m.models.architecture.Architecture`."""
    clusters = config.clusters(spec)
    return sum(clusters[feature] * config.expansion * size for feature, size in spec.features.items())
