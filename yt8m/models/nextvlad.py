"""NeXtVLAD."""

from typing import Any, Literal

from pydantic import PositiveInt

from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError
from yt8m.models.head import Head, LogisticConfig
from yt8m.models.pooled import PooledConfig, build_pooled


class NeXtVLADConfig(PooledConfig):
    """NeXtVLAD: NetVLAD on groups of features (Lin, Xiao and Fan 2018, third in the challenge).

    The authors' single model is `num_clusters: 128, hidden_units: 2048, dropout: 0.5` with the defaults below, in its
    initial values, too. (Each of the three in their mixture has gates reduced by 16.) Ours is that padding takes no
    part in batch statistics, and that training draws frames with replacement unless `num_sampled_frames: all`.

    Attributes:
        architecture: `nextvlad`.
        num_clusters: Clusters `K` of the first feature, rgb (the authors: 128).
        cluster_divisor: Every other feature, audio, has `K // cluster_divisor` clusters, at least 2 (the authors: 2).
        hidden_units: Units `H` of the hidden layer (the authors: 2048).
        hidden_batch_norm: Batch normalization in place of the hidden layer's bias (the authors: yes).
        hidden_relu6: relu6 after the hidden layer (the authors: no).
        context_gating: Gates on the hidden layer, Miech et al. 2017, section 3.3 (the authors: yes).
        gating_remove_diagonal: Leave out each unit's influence on its own gate, `gating_remove_diag` in Miech et al.'s
            code (the authors: no).
        gating_reduction: Gates through a bottleneck of `H // gating_reduction` units, Lin et al. 2018; null for a full
            matrix (the authors: 8).
        dropout: Fraction of the pooled values dropped in training (the authors: 0.5).
        num_sampled_frames: Frames drawn with replacement per video in training: a number, `max_frames`, or `all` to
            take every real frame once (the authors). Inference takes all.
        normalize_input: Batch normalization of the frames before pooling (the authors: no).
        head: From the hidden layer to probabilities (the authors: logistic, with a penalty of 1e-5).
        num_groups: Groups `G` of the first feature, rgb (the authors: 8); every other has `G // cluster_divisor`, at
            least 1 (the authors: 4). They divide `expansion` times the feature's size.
        expansion: How many times wider the frames are made, the paper's lambda (the authors: 2).
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
        """Number of groups of every feature.

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
        return NeXtVLAD(num_clusters, groups[feature], config.expansion, name=feature)

    return build_pooled(config, spec, pooling, INITIALIZER)


def pooling_products(config: NeXtVLADConfig, spec: DataSpec) -> int:
    """Every group's assignments times its expanded features; see `yt8m.models.architecture.Architecture`."""
    clusters = config.clusters(spec)
    return sum(clusters[feature] * config.expansion * size for feature, size in spec.features.items())
