"""What is known of the run that made a model of a recipe: its videos, and which of them it held out."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from yt8m.config import Config
from yt8m.data.format import DataSpec

if TYPE_CHECKING:
    from pipelines.recipe.schema import DataConfig

# Keys of generated videos that make them other ones altogether.
_OTHER_VIDEOS = ("seed", "preset", "means")


class OtherRun(Config):
    """The run that made a model, as its summary describes it.

    Attributes:
        run: The run, as the recipe names it.
        data: Features, classes and length of the videos of that run.
        report_share: Share of the hold-out videos on which that run reported. Null if its summary does not say it.
        seed: Seed with which that run chose and divided its hold-out.
        holdout_shards: Number of shards that it held out.
        patterns: Patterns of its shards. Empty if they were generated.
        generated: How its videos were generated. Null if they were not.
    """

    run: str
    data: DataSpec
    report_share: float | None = None
    seed: int | None = None
    holdout_shards: int | None = None
    patterns: tuple[str, ...] = ()
    generated: Mapping[str, Any] | None = None

    def has_videos_of(self, data: "DataConfig") -> bool:
        """Return whether the videos of that run are of the recipe's data, as far as paths and seeds tell.

        Args:
            data: Data of the recipe.
        """
        if data.generate and self.generated:
            made = data.generate.model_dump(mode="json")
            return all(made[key] == self.generated.get(key) for key in _OTHER_VIDEOS)
        return not data.generate and bool(_paths(self.patterns) & _paths((*data.training, *data.validation)))

    def other_holdout(self, data: "DataConfig", seed: int) -> str:
        """Tell which settings make the hold-out of that run another one; empty if none does.

        The content of the shards is compared after the step `prepare` has read them.

        Args:
            data: Data of the recipe.
            seed: Seed of the recipe, which chooses the hold-out shards even if their videos are not divided.
        """
        ours: dict[str, Any] = {
            "data.report_share": data.report_share,
            "seed": seed,
            "data.holdout_shards": data.holdout_shards,
        }
        theirs: dict[str, Any] = dict(zip(ours, (self.report_share, self.seed, self.holdout_shards), strict=True))
        if data.generate and self.generated:
            made = data.generate.model_dump(mode="json", exclude={"threads"})
            ours |= {f"data.generate.{key}": value for key, value in made.items()}
            theirs |= {f"data.generate.{key}": self.generated.get(key, value) for key, value in made.items()}
        differing = [key for key in ours if theirs[key] not in (None, ours[key])]
        return ", ".join(f"{key}: {theirs[key]} and here {ours[key]}" for key in differing)


def _paths(patterns: Iterable[str]) -> set[str]:
    return {pattern if "://" in pattern else os.path.abspath(pattern) for pattern in patterns}  # noqa: PTH100 - resolves no links
