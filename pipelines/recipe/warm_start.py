"""The schema of warm starts: models that begin with the weights of another run's model."""

from pydantic import Field

from pipelines.recipe.other_run import OtherRun
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.models import ModelConfig

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
