"""The schema of recipes: an experiment as data, which decides the graph of its run."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self, get_type_hints

from pydantic import Field, NonNegativeInt, PositiveInt, create_model, model_validator

from pipelines.recipe.cluster import ClusterConfig
from pipelines.recipe.models import (
    MAX_NAME_LENGTH,
    NAME_PATTERN,
    AveragePolicy,
    CandidateConfig,
    FamilyConfig,
    ImportedModel,
    StudentConfig,
)
from pipelines.recipe.warm_start import StartWeights
from pipelines.stages import STAGES
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.quantization.config import QuantizationConfig
from yt8m.stages.average import AveragingConfig
from yt8m.stages.evaluate import EvaluateConfig
from yt8m.stages.export import ExportingConfig
from yt8m.stages.generate import GenerateConfig
from yt8m.stages.search_weights import SearchConfig
from yt8m.stages.soft_targets import SoftTargetsConfig

# Numbered inputs of the components that read all members, and the parts of soft targets.
MAX_MEMBERS, MAX_WORKERS = 20, 32

# Sections of a complete recipe that are not written, but filled in from other runs.
FILLED_IN = ("imported", "starts")


class DataConfig(Config):
    """The videos of the experiment.

    Attributes:
        generate: Synthetic videos to generate under the run's root, to try things on. Null if the shards exist already.
        training: Paths or glob patterns of the training shards, such as `["/data/train*.tfrecord"]`, local or `gs://`
            or `s3://`. A path that exists is taken as it is, and leading folders that exist are names, even with
            brackets. Not allowed with `generate`.
        validation: Paths or glob patterns of the validation shards, some of which are held out. Required without
            `generate`, and not allowed with it.
        test: Paths or glob patterns of labeled shards that only the exported model is measured on, once, at the end of
            the run. Nothing is decided or trained on them. Empty means no test. Not allowed with `generate`, whose test
            shards have no labels.
        holdout_shards: Number of validation shards that no model trains on, with which everything is measured and
            selected (the paper: 800). The others are training shards as well.
        report_share: Share of the hold-out videos on which all figures of the report are computed. Every decision
            (kept epochs and averages, teachers, weights of the ensemble) reads only the others, so that figures are not
            too high by what was chosen. Videos are divided by their id, or by their group if the records have one
            (`spec.layout.group`). 0 decides and reports on all of them (the paper: 0).
        spec: Features, classes and length of the videos. Keys that are left out come from the file `dataset.json`
            beside the shards, which `yt8m data generate` and `yt8m data import` write; without one, they are
            YouTube-8M's. Not allowed with `generate`, which determines them.
        on_bad: What happens to damaged shards and bad records: `skip` skips and reports them, `fail` stops the run.
    """

    generate: GenerateConfig | None = None
    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    holdout_shards: PositiveInt
    report_share: float = Field(default=0.5, ge=0, lt=1)
    spec: DataSpec | None = None
    on_bad: Literal["skip", "fail"] = "skip"

    def resolve_spec(self) -> DataSpec:
        """Return features, classes and length of the videos."""
        return self.generate.resolve().spec if self.generate else self.spec or DataSpec()


class SoftTargetsSection(SoftTargetsConfig):
    """Prediction and storage of soft targets, the teachers' probabilities for the training videos.

    An `encoding.top_k` that is not smaller than the number of classes keeps all classes, in the dense encoding.

    Attributes:
        workers: Number of nodes that divide the shards among themselves, for each group of teachers. More are faster in
            a cluster.
    """

    workers: PositiveInt = Field(default=1, le=MAX_WORKERS)


class EnsembleConfig(Config):
    """The ensemble that is exported.

    Attributes:
        members: Names of the models that the search may choose from, at most 20. Empty means all students, or all
            candidates if there are none. `{from: RUN}`, alone or in the list, stands for all members of another run, or
            for those listed beside it in `names`.
        search: Options of the search for members and weights, and the size of the exported model.
    """

    members: tuple[str, ...] = Field(default=(), max_length=MAX_MEMBERS)
    search: SearchConfig = SearchConfig()


def _stages_config() -> type[Config]:
    """Make the type of the section `stages`: the configuration of each optional stage, null by default."""
    fields: dict[str, Any] = {}
    lines: list[str] = []
    for name in (stage.name for stage in STAGES.values() if stage.reads):
        function = getattr(import_module(f"yt8m.stages.{name}"), name)
        fields[name] = (get_type_hints(function).get("config", Config) | None, None)
        lines.append(f"    {name}: {(inspect.getdoc(function) or '').partition(chr(10))[0]}")
    doc = "Optional stages, by name."
    doc += (
        "\n".join(["\n", "Attributes:", *lines]) if lines else " There are none; CONTRIBUTING.md shows how to add one."
    )
    return create_model("StagesConfig", __base__=Config, __doc__=doc, **fields)


if TYPE_CHECKING:  # type checkers cannot use a class that a function makes
    StagesConfig = Config
else:
    StagesConfig = _stages_config()


class Recipe(Config):
    """A whole experiment, from videos to an exported model.

    Attributes:
        name: Name of the pipeline: lower-case letters, digits and hyphens.
        description: Purpose of the experiment, in a sentence or two, for the report and user interfaces.
        seed: Default of all other keys `seed`. The same recipe and seed give the same numbers on the same kind of
            machine.
        data: The videos: shards that exist, or synthetic ones to generate.
        families: Families of candidates by name, one for each kind of model to try. May be empty if the ensemble has
            members of other runs.
        students: Models that learn from teachers, by name. Often students are what is exported, and candidates only
            teach.
        teacher_groups: Students that teach a second level of students together, equally weighted: lists of their names,
            by name of the group.
        soft_targets: How the teachers' predictions for the training videos are made and stored.
        averaging: How weights are averaged, for all models whose family or student has `average`.
        evaluation: How models are measured on the hold-out.
        quantization: How weights are stored in fewer bits.
        ensemble: Which models are combined to the exported one, and how large it may be.
        imported: Models of other runs by name, which the entries `from` of families and members fill in.
        starts: Weights with which trainings start, by model, which the entries `start_from` fill in.
        export: How the ensemble is exported as one TensorFlow SavedModel.
        stages: Optional stages by name, each with its configuration. Null or absent: the stage does not run.
        cluster: Resources of the steps in a Kubernetes cluster. Null means the cluster's defaults. Local runs ignore
            it.
    """

    name: str = Field(pattern=NAME_PATTERN, max_length=MAX_NAME_LENGTH)
    description: str = ""
    seed: NonNegativeInt = 0
    data: DataConfig
    families: Mapping[str, FamilyConfig] = {}
    teacher_groups: Mapping[str, tuple[str, ...]] = {}
    students: Mapping[str, StudentConfig] = {}
    soft_targets: SoftTargetsSection = SoftTargetsSection()
    averaging: AveragingConfig = AveragingConfig()
    evaluation: EvaluateConfig = EvaluateConfig()
    quantization: QuantizationConfig = QuantizationConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    imported: Mapping[str, ImportedModel] = {}
    starts: Mapping[str, StartWeights] = {}
    export: ExportingConfig = ExportingConfig()
    stages: StagesConfig = StagesConfig()
    cluster: ClusterConfig | None = None

    @model_validator(mode="after")
    def _imports_fit(self) -> Self:
        if not self.families and not self.imported:
            raise ValueError("expected families, or an ensemble with members of other runs")
        for name, model in self.imported.items():
            model.check(name, self.data, self.seed, is_member=name in self.members())
        for name, start in self.starts.items():
            start.check(name, self.models()[name].model, self.data, self.seed)
        return self

    @model_validator(mode="after")
    def _weighted_classes_exist(self) -> Self:
        classes = self.data.resolve_spec().num_classes
        for name, model in self.models().items():
            weights = model.training.class_weights
            absent = [number for number in weights if number >= classes] if isinstance(weights, Mapping) else []
            if absent:
                raise ValueError(
                    f"class_weights of '{name}': no class {absent[0]}; the classes are 0 to {classes - 1}. Give "
                    "numbers of classes"
                )
        return self

    @model_validator(mode="after")
    def _heads_fit_generated_labels(self) -> Self:
        # Of other data, only the labels tell, which the first training step looks at before it trains.
        made_up = self.data.generate is not None and not self.data.generate.means
        exclusive = [name for name, model in self.models().items() if model.model.head.kind == "softmax"]
        if made_up and exclusive:
            raise ValueError(
                f"model.head of '{exclusive[0]}': kind softmax needs videos with exactly one label each, and generated "
                "videos have several. Set kind: logistic or kind: moe"
            )
        return self

    @classmethod
    def written_keys(cls) -> list[str]:
        """Return the sections that people can write: `training` is not in this class, two others are filled in."""
        return [*(name for name in super().written_keys() if name not in FILLED_IN), "training"]

    def candidates(self) -> dict[str, CandidateConfig]:
        """Return the candidates of all families by name."""
        return {name: model for family in self.families.values() for name, model in family.candidates.items()}

    def models(self) -> dict[str, CandidateConfig | StudentConfig]:
        """Return all models by name; those of other runs are `ImportedModel`."""
        return {**self.candidates(), **self.students, **self.imported}

    def averages(self) -> dict[str, AveragePolicy]:
        """Return when averaged weights replace the trained ones, by model."""
        averages: dict[str, AveragePolicy] = dict.fromkeys(self.imported, "never")
        averages |= {name: family.average for family in self.families.values() for name in family.candidates}
        return averages | {name: student.average for name, student in self.students.items()}

    def members(self) -> tuple[str, ...]:
        """Return the models that the search for weights may choose from."""
        return self.ensemble.members or tuple(self.students) or tuple(self.candidates())

    def baseline(self, student: str) -> str:
        """Find the candidate that differs from a student in nothing but soft targets and seed; empty if none does."""
        models, averages = self.models(), self.averages()

        def traits(name: str) -> tuple[Any, ...]:
            training = models[name].training.model_copy(update={"seed": 0})
            return models[name].model, training, averages[name], models[name].start_from

        equal = [name for name in self.candidates() if traits(name) == traits(student)]
        like = self.students[student].like
        return like if like in equal else next(iter(equal), "")
