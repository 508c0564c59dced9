"""The schema of warm starts: models that begin with the weights of another run's model."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.models import ModelConfig

if TYPE_CHECKING:
    from pipelines.recipe.schema import DataConfig

# Keys of a model that may differ from those of the model with whose weights it starts: the head starts anew.
_FREE_KEYS = {"head", "dropout", "num_sampled_frames"}
# Keys of generated videos that make them other ones altogether.
_OTHER_VIDEOS = ("seed", "preset", "means")


class StartConfig(Config):
    """A trained model of another run, with whose weights a training starts.

    Attributes:
        run: The other run: the root of a local run, or the path or URI of its `summary.json`.
        name: Name of the model in that run. Empty means the name of the model that starts.
    """

    run: str = Field(alias="from")
    name: str = ""


class StartWeights(Config):
    """The weights with which a training starts.

    Attributes:
        run: The run that made them, as the recipe names it.
        model: Name of the model in that run.
        key: Name of the work that made the weights.
        weights: URI of the model's folder.
        architecture: Architecture and sizes of the model.
        data: Features, classes and length of the videos of that run.
        report_share: Share of the hold-out videos on which that run reported. Null if its summary does not say it.
        seed: Seed with which that run chose and divided its hold-out.
        holdout_shards: Number of shards that it held out.
        patterns: Patterns of its shards. Empty if they were generated.
        generated: How its videos were generated. Null if they were not.
    """

    run: str
    model: str
    key: str
    weights: str
    architecture: ModelConfig
    data: DataSpec
    report_share: float | None = None
    seed: int | None = None
    holdout_shards: int | None = None
    patterns: tuple[str, ...] = ()
    generated: Mapping[str, Any] | None = None

    def other_division(self, data: "DataConfig", seed: int) -> str:
        """Tell how that run held out other videos of the same data; empty if it did not, or its data are other ones.

        Args:
            data: Data of the recipe.
            seed: Seed of the recipe.
        """
        ours: dict[str, Any] = {
            "data.report_share": data.report_share,
            "seed": seed,
            "data.holdout_shards": data.holdout_shards,
        }
        theirs: dict[str, Any] = dict(zip(ours, (self.report_share, self.seed, self.holdout_shards), strict=True))
        if data.generate and self.generated:
            made = data.generate.model_dump(mode="json", exclude={"threads"})
            if any(made[key] != self.generated.get(key) for key in _OTHER_VIDEOS):
                return ""
            ours |= {f"data.generate.{key}": value for key, value in made.items()}
            theirs |= {f"data.generate.{key}": self.generated.get(key, value) for key, value in made.items()}
        elif data.generate or not _paths(self.patterns) & _paths((*data.training, *data.validation)):
            return ""
        return name_differences(theirs, ours)

    def difference(self, model: ModelConfig, spec: DataSpec) -> str:
        """Tell why a model cannot start with these weights; empty if it can.

        Args:
            model: Architecture and sizes of the model that starts.
            spec: Features and classes of its videos.
        """
        one, other = (each.model_dump(mode="json", exclude=_FREE_KEYS) for each in (self.architecture, model))
        differing = [key for key in one | other if one.get(key) != other.get(key)]
        if differing:
            return "; ".join(f"{key} {one.get(key)} and {other.get(key)}" for key in differing)
        return self.data.model_copy(update={"num_classes": spec.num_classes}).difference(spec)


def name_differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Tell which settings of another run differ from those of a recipe; those that are unknown do not count."""
    differing = [key for key in ours if theirs[key] not in (None, ours[key])]
    return ", ".join(f"{key}: {theirs[key]} and here {ours[key]}" for key in differing)


def _paths(patterns: Iterable[str]) -> set[str]:
    return {pattern if "://" in pattern else os.path.abspath(pattern) for pattern in patterns}  # noqa: PTH100 - resolves no links
