"""The recipe: an experiment as data. It decides the graph of the run."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from pipelines.recipe.cluster import ClusterConfig
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.models import ModelConfig
from yt8m.stages.average import AveragingConfig
from yt8m.stages.evaluate import EvaluateConfig
from yt8m.stages.export import ExportConfig
from yt8m.stages.generate import GenerateConfig
from yt8m.stages.quantize import QuantizeConfig
from yt8m.stages.search_weights import SearchConfig
from yt8m.stages.soft_targets import SoftTargetsConfig
from yt8m.training.config import TrainingConfig

AveragePolicy = Literal["always", "never", "if_better"]

# Lower case with hyphens: names become names of nodes and, in a cluster, of pods.
NAME_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
MOST_NAME_LETTERS = 40

# Numbered inputs of the components: `select_teachers` and `soft_targets`; `search_weights` and `export`.
MOST_TEACHERS, MOST_MEMBERS = 16, 20


class DataConfig(Config):
    """Where the videos come from.

    Attributes:
        generate: Videos are generated into the run's root; null: they are there already.
        training: Globs of training shards; not with `generate`.
        validation: Globs of validation shards, of which `holdout_shards` are held out; not with `generate`.
        holdout_shards: Validation shards that no model trains on; the others train, too (the paper: 800).
        spec: Features, classes and length of the videos; not with `generate`, whose data say it themselves.
        on_bad: Whether damaged shards and bad records are skipped and reported, or stop the run.
    """

    generate: GenerateConfig | None = None
    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    holdout_shards: PositiveInt
    spec: DataSpec | None = None
    on_bad: Literal["skip", "fail"] = "skip"

    def resolve_spec(self) -> DataSpec:
        """What the videos look like."""
        return self.generate.resolve().spec if self.generate else self.spec or DataSpec()


class CandidateConfig(Config):
    """A model trained on labels.

    Attributes:
        model: Its family and sizes.
        training: How it is trained; the recipe's `training` holds what is not said here.
    """

    model: ModelConfig
    training: TrainingConfig


class FamilyConfig(Config):
    """Candidates of which the best combination teaches.

    Attributes:
        average: Whether the candidates' weights are averaged: `always`, `never`, or `if_better` on the hold-out.
        ensemble_size: How many candidates teach together (the paper: 3).
        candidates: Models by name.
    """

    average: AveragePolicy = "never"
    ensemble_size: PositiveInt = 3
    candidates: Mapping[str, CandidateConfig] = Field(min_length=1, max_length=MOST_TEACHERS)


class StudentConfig(Config):
    """A model trained on labels and on soft targets.

    Attributes:
        learn_from: A family, whose selected teachers teach, or a teacher group.
        like: A candidate or student whose model, training and averaging the student has where it does not say
            otherwise. A candidate of equal model, training and averaging is the student's baseline in the table of
            distillation.
        model: Its family and sizes.
        training: How it is trained.
        label_weight: Lambda of the paper's equation 2: weight of the labels; the rest is the soft targets'.
        average: See `FamilyConfig`.
    """

    learn_from: str
    like: str = ""
    model: ModelConfig
    training: TrainingConfig
    label_weight: float = Field(default=0.5, ge=0, le=1)
    average: AveragePolicy = "never"


class SoftTargetsSection(SoftTargetsConfig):
    """How soft targets are written; `encoding.top_k` of as many as there are classes, or more, keeps all, densely.

    Attributes:
        workers: Steps that write shards side by side, for every group of teachers.
    """

    workers: PositiveInt = Field(default=1, le=32)


class EnsembleConfig(Config):
    """What is exported.

    Attributes:
        members: Models the search may choose from; empty: all students, or all candidates if there are none.
        search: How their weights are searched, and the budget.
    """

    members: tuple[str, ...] = Field(default=(), max_length=MOST_MEMBERS)
    search: SearchConfig = SearchConfig()


class Recipe(Config):
    """A whole experiment.

    Attributes:
        name: Of the pipeline.
        description: What it is for, in a sentence or two.
        seed: Seed of everything that has none of its own.
        data: Where the videos come from.
        families: Candidates by family.
        teacher_groups: Students that teach together, equally weighted, by the group's name.
        students: Models trained on soft targets.
        soft_targets: How soft targets are written.
        averaging: How weights are averaged, for all models whose family or student says so.
        evaluation: How models are measured.
        quantization: How weights are stored in 8 bits.
        ensemble: What is exported.
        export: How it is exported.
        cluster: What the steps need in a cluster; null: what the cluster gives by itself. Runs here do without.
    """

    name: str = Field(pattern=NAME_PATTERN, max_length=MOST_NAME_LETTERS)
    description: str = ""
    seed: NonNegativeInt = 0
    data: DataConfig
    families: Mapping[str, FamilyConfig] = Field(min_length=1)
    teacher_groups: Mapping[str, tuple[str, ...]] = {}
    students: Mapping[str, StudentConfig] = {}
    soft_targets: SoftTargetsSection = SoftTargetsSection()
    averaging: AveragingConfig = AveragingConfig()
    evaluation: EvaluateConfig = EvaluateConfig()
    quantization: QuantizeConfig = QuantizeConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    export: ExportConfig = ExportConfig()
    cluster: ClusterConfig | None = None

    def candidates(self) -> dict[str, CandidateConfig]:
        """All candidates of all families by name."""
        return {name: model for family in self.families.values() for name, model in family.candidates.items()}

    def models(self) -> dict[str, CandidateConfig | StudentConfig]:
        """All models by name."""
        return {**self.candidates(), **self.students}

    def averages(self) -> dict[str, AveragePolicy]:
        """Whether each model's weights are averaged, by name."""
        candidates = {name: family.average for family in self.families.values() for name in family.candidates}
        return candidates | {name: student.average for name, student in self.students.items()}

    def members(self) -> tuple[str, ...]:
        """The models that the search for weights may choose from."""
        return self.ensemble.members or tuple(self.students) or tuple(self.candidates())
