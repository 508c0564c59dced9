"""The schema of warm starts: models that begin with the weights of another run's model."""

from typing import TYPE_CHECKING

from pydantic import Field

from pipelines.recipe.other_run import OtherRun
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.models import ModelConfig

if TYPE_CHECKING:
    from pipelines.recipe.schema import DataConfig

# Keys of a model that may differ from those of the model with whose weights it starts: the head starts anew.
_FREE_KEYS = {"head", "dropout", "num_sampled_frames"}


class StartConfig(Config):
    """A trained model of another run, with whose weights a training starts.

    Attributes:
        run: The other run: the root of a local run, or the path or URI of its `summary.json`.
        name: Name of the model in that run. Empty means the name of the model that starts.
    """

    run: str = Field(alias="from")
    name: str = ""


class StartWeights(OtherRun):
    """The weights with which a training starts.

    Attributes:
        model: Name of the model in that run.
        key: Name of the work that made the weights.
        weights: URI of the model's folder.
        architecture: Architecture and sizes of the model.
    """

    model: str
    key: str
    weights: str
    architecture: ModelConfig

    def check(self, name: str, model: ModelConfig, data: "DataConfig", seed: int) -> None:
        """Check that a model can start with these weights.

        Args:
            name: Name of the model that starts.
            model: Its architecture and sizes.
            data: Data of the recipe.
            seed: Seed of the recipe.

        Raises:
            ValueError: The model or its features are other ones, or that run held out other videos of the same data.
        """
        if difference := self.difference(model, data.resolve_spec()):
            raise ValueError(
                f"'{name}' cannot start from '{self.model}' of {self.run}, which differs from it ({difference}). "
                "Give it the same architecture, sizes and features, or leave start_from out"
            )
        # Other data may be learned from before, which is what warm starts are for.
        if self.has_videos_of(data) and (difference := self.other_holdout(data, seed)):
            raise ValueError(
                f"'{name}' cannot start from '{self.model}' of {self.run}, which held out other videos of the "
                f"same data ({difference}), so that it may have learned or chosen by videos that figures are "
                "reported on here. Set all of them as in that run, or leave start_from out"
            )

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
