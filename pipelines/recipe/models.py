"""The models of a recipe: candidates in families, students, and trained models of other runs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from pipelines.recipe.other_run import OtherRun
from pipelines.recipe.warm_start import StartConfig
from yt8m.config import Config
from yt8m.models import ModelConfig
from yt8m.training.config import Auto, TrainingConfig

if TYPE_CHECKING:
    from pipelines.recipe.schema import DataConfig

AveragePolicy = Literal["always", "never", "if_better"]

# Names become parts of the names of nodes and, in a cluster, of pods.
NAME_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
MAX_NAME_LENGTH = 40

# Numbered inputs of the components that read the models of a family.
MAX_TEACHERS = 16


class CandidateConfig(Config):
    """A model trained on labels.

    Attributes:
        model: Architecture and sizes of the model. `architecture` decides which other keys there are.
        training: Options of the training that differ from the recipe's section `training`.
        start_from: Trained model of another run, with whose weights the training starts instead of random ones:
            `{from: RUN, name: MODEL}`. It must have the same architecture, sizes and features. If its classes or its
            head differ, the head starts anew. `auto` takes a fifth of a new model's `learning_rate`, which keeps more
            of what it has learned.
    """

    model: ModelConfig
    training: TrainingConfig
    start_from: StartConfig | None = None


class ImportedModel(OtherRun, CandidateConfig):
    """A trained model of another run.

    Attributes:
        key: Name of the work that made the weights.
        weights: URI of the model's folder.
        predictions: URI of its predictions for the hold-out.
        member_key: Name of the work that quantized it.
        member: URI of the quantized member. Empty if that run did not quantize it.
        offers: URI of what the search reads of the member.
    """

    key: str
    weights: str
    predictions: str
    member_key: str = ""
    member: str = ""
    offers: str = ""

    def check(self, name: str, data: "DataConfig", seed: int, *, is_member: bool) -> None:
        """Check that the recipe can use the model.

        Args:
            name: Name of the model in the recipe.
            data: Data of the recipe.
            seed: Seed of the recipe.
            is_member: Whether the search for weights may choose it.

        Raises:
            ValueError: That run had other videos, held out other ones, or did not quantize a member.
        """
        if difference := self.data.difference(data.resolve_spec()):
            raise ValueError(
                f"the videos of {self.run} differ from those of this recipe ({difference}). Take models of a run with "
                "the same data"
            )
        if difference := self.other_holdout(data, seed):
            raise ValueError(
                f"'{name}' cannot be taken from {self.run}, which held out other videos ({difference}), so that it may "
                "have learned or chosen by videos that figures are reported on here. Set all of them as in that run, "
                "or take a model of another one"
            )
        if is_member and not self.member:
            raise ValueError(f"{self.run} did not quantize {name}, so it cannot be a member. Leave it out")


class FamilyConfig(Config):
    """Candidates that compete, the best combination of which teaches the students of the family.

    The models of a family usually have one architecture in several sizes. `{from: RUN}` in place of a family takes
    trained candidates of another run.

    Attributes:
        average: Whether the averaged weights of a candidate replace the trained ones (the paper: always for RNN and
            DBoF, never for NetFV and NetVLAD): `always`, `never`, or `if_better` on the part of the hold-out that
            decides. The recipe's section `averaging` says how they are made.
        ensemble_size: Number of candidates whose mean prediction teaches students: the combination of this size with
            the best GAP (the paper: 3). `auto` is 3, or all candidates if there are fewer. Without students, it has no
            effect.
        candidates: The models by name: lower-case letters, digits and hyphens. Instead of a name, `grid` stands for
            combinations of values. At most 16.
    """

    average: AveragePolicy = "never"
    ensemble_size: PositiveInt | Auto = "auto"
    candidates: Mapping[str, CandidateConfig] = Field(min_length=1, max_length=MAX_TEACHERS)


class StudentConfig(Config):
    """A model trained on labels and soft targets of teachers.

    Attributes:
        like: Name of the candidate or student from which the student takes `model`, `average` and all options of
            `training` that it does not set itself. A candidate that is equal in all three is the student's baseline in
            the report's table of distillation.
        learn_from: Name of the family or teacher group whose soft targets the student learns from.
        model: Architecture and sizes of the model, as for a candidate. By default those of the model in `like`; without
            `like`, required.
        training: Options of the training that differ from those of the model in `like`, or without it from the section
            `training`.
        label_weight: Weight of the labels in the loss, lambda in the paper's equation 2 (the paper: 0.5). The soft
            targets have the remaining weight.
        average: Whether averaged weights replace the trained ones, as for a family: `always`, `never` or `if_better`.
            By default that of the model in `like`; without `like`, `never`.
        start_from: Trained model of another run, with whose weights the training starts, as for a candidate. It is not
            taken from the model in `like`.
    """

    learn_from: str
    like: str = ""
    model: ModelConfig
    training: TrainingConfig
    label_weight: float = Field(default=0.5, ge=0, le=1)
    average: AveragePolicy = "never"
    start_from: StartConfig | None = None
