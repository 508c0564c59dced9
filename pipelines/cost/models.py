"""What a recipe comes to before anything runs: the models' sizes, the ensemble's budget, storage."""

from dataclasses import dataclass

from pipelines.cost.traffic import soft_target_bytes
from pipelines.recipe.schema import Recipe, StudentConfig
from yt8m.ensembling.budget import members_limit
from yt8m.models.flops import ModelWork, count_work


@dataclass(frozen=True)
class ModelEstimate:
    """One model.

    Attributes:
        name: Its name.
        architecture: The architecture of the model, such as `netvlad`.
        learn_from: A student's teachers; empty for a candidate.
        average: Whether its weights are averaged.
        is_member: Whether the ensemble may have it.
        work: Its weights and arithmetic.
        quantized_bytes: As the recipe quantizes it.
    """

    name: str
    architecture: str
    learn_from: str
    average: str
    is_member: bool
    work: ModelWork
    quantized_bytes: int

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self.work.size.parameters

    @property
    def float_bytes(self) -> int:
        """As float32."""
        return self.work.size.float_bytes


@dataclass(frozen=True)
class Estimate:
    """A whole recipe.

    Attributes:
        models: All models.
        budget_bytes: What the exported model may have.
        limit_bytes: What its members may have of that.
        soft_target_sets: How often soft targets of all training videos are written.
        soft_target_bytes: Of one video.
        training_videos: How many there are; None if only the data tell.
    """

    models: tuple[ModelEstimate, ...]
    budget_bytes: int
    limit_bytes: int
    soft_target_sets: int
    soft_target_bytes: int
    training_videos: int | None

    @property
    def member_bytes(self) -> int:
        """All possible members together, quantized."""
        return sum(model.quantized_bytes for model in self.models if model.is_member)

    @property
    def soft_target_total_bytes(self) -> int | None:
        """All soft targets of the run; None if only the data tell."""
        return self.training_videos and self.soft_target_sets * self.soft_target_bytes * self.training_videos


def estimate(recipe: Recipe, training_videos: int | None = None) -> Estimate:
    """Measure a recipe's models without making their weights.

    Args:
        recipe: The recipe.
        training_videos: How many there are; None if only the data tell.
    """
    spec = recipe.data.resolve_spec()
    averages, search = recipe.averages(), recipe.ensemble.search
    members = recipe.members()
    models = []
    # Most students are like a candidate.
    configs = {model.model.model_dump_json(): model.model for model in recipe.models().values()}
    counted = {key: count_work(config, spec) for key, config in configs.items()}
    for name, model in recipe.models().items():
        work = counted[model.model.model_dump_json()]
        models.append(
            ModelEstimate(
                name=name,
                architecture=model.model.architecture,
                learn_from=model.learn_from if isinstance(model, StudentConfig) else "",
                average=averages[name],
                is_member=name in members,
                work=work,
                quantized_bytes=work.size.quantized_bytes(**dict(recipe.quantization)),
            )
        )
    return Estimate(
        models=tuple(models),
        budget_bytes=search.budget_bytes,
        limit_bytes=members_limit(search.budget_bytes, search.size_margin),
        soft_target_sets=len({student.learn_from for student in recipe.students.values()}),
        soft_target_bytes=soft_target_bytes(recipe.soft_targets.encoding, spec.num_classes),
        training_videos=training_videos,
    )
