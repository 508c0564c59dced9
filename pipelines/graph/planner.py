"""Planning: from a recipe to the nodes of its run.

Every candidate of a family is trained, and averaged if the recipe says so. The best combination of candidates is
selected and predicts soft targets, from which the students are trained. A group of teachers does the same without
candidates. At the end come the search for weights, the export and the report.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.graph.groups import make_groups, students_by_group
from pipelines.graph.plan import Node, Plan, Ref
from pipelines.recipe.models import CandidateConfig, StudentConfig
from pipelines.recipe.schema import Recipe
from pipelines.stages import FINAL_WEIGHTS, STAGES
from yt8m.config import Config
from yt8m.errors import ConfigError
from yt8m.stages.average import AverageConfig
from yt8m.stages.export import ExportConfig
from yt8m.stages.prepare import PrepareConfig
from yt8m.stages.quantize import QuantizeConfig
from yt8m.stages.search_weights import SearchWeightsConfig
from yt8m.stages.select_teachers import SelectConfig
from yt8m.stages.soft_targets import SoftTargetsConfig
from yt8m.stages.train import TrainConfig
from yt8m.yaml_files import dump_line

PARTITION = Ref("prepare", "partition")


def make_plan(recipe: Recipe) -> Plan:
    """Lay out all nodes of a checked recipe.

    Raises:
        ConfigError: An optional stage reads outputs that no node makes.
    """
    return _Planner(recipe).plan()


class _Planner:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.students = students_by_group(recipe)
        self.models = recipe.models()
        self.nodes: dict[str, Node] = {}
        # The output with the final weights of each model: trained, or averaged.
        self.weights: dict[str, Ref] = {}
        # The manifests of each family's or group's soft targets, by the node that writes them.
        self.soft_targets: dict[str, dict[str, Ref]] = {}
        # Configurations of the optional stages that the recipe switches on.
        self.optional = {name: config for name, config in recipe.stages if config is not None}

    def plan(self) -> Plan:
        self._add_data()
        groups = tuple(make_groups(self.recipe))
        for group in groups:
            self._add_group(group.name)
        self._add_ensemble()
        self._add_optional_stages()
        self._check_optional_stages()
        self._add_report()
        used = {node.group for node in self.nodes.values()}
        groups = tuple(group for group in groups if group.name in used)  # an imported family may have no nodes
        return Plan(self.recipe.name, self.recipe.description, groups, tuple(self.nodes.values()))

    def _add(self, stage: str, config: Any = None, *, node: str = "", title: str = "", **fields: Any) -> Ref:
        """Add a node.

        Args:
            stage: Name of the stage.
            config: Configuration of the stage, or plain data that decides its result.
            node: Name of the node, if it is not the one in the registry.
            title: Title of the node, if it is not the one in the registry.
            **fields: Further fields of the node.

        Returns:
            The main output of the node, the first one in the registry.
        """
        entry = STAGES[stage]
        model = fields.get("model", "")
        name = node or entry.node.format(model=model, family=fields.get("family", ""))
        assert name not in self.nodes, f"two nodes are called {name}"
        if isinstance(config, Config):
            fields |= {"config": config.model_dump(mode="json"), "changes": config.dump_changes()}
        else:
            fields["config"] = config or {}
        self.nodes[name] = Node(name, stage, title or entry.title_of(model), **fields)
        return Ref(name, next(iter(entry.outputs), ""))

    def _add_data(self) -> None:
        data = self.recipe.data
        training, validation = data.training, data.validation
        inputs = {}
        if data.generate:
            inputs = {"shards": self._add("generate", data.generate)}
            # The component inserts the folder, which is not known before the pipeline runs.
            training, validation = ("{data}/train*.tfrecord",), ("{data}/validate*.tfrecord",)
        config = PrepareConfig(
            training=training,
            validation=validation,
            holdout_shards=data.holdout_shards,
            report_share=data.report_share,
            seed=self.recipe.seed,
            spec=data.resolve_spec(),
            on_bad=data.on_bad,
        )
        self._add("prepare", config, inputs=inputs)

    def _add_group(self, name: str) -> None:
        family = self.recipe.families.get(name)
        teachers: tuple[str, ...] = self.recipe.teacher_groups.get(name, ())
        teaches = name in {student.learn_from for student in self.recipe.students.values()}
        selection: dict[str, Ref] = {}
        if family:
            teachers = tuple(family.candidates)
            for candidate, config in family.candidates.items():
                if candidate not in self.recipe.imported:
                    self._add_model(candidate, config, name)
            if teaches:
                read = self._read("prediction", teachers, "predictions")
                size = SelectConfig(size=family.ensemble_size, gap_top_k=self.recipe.evaluation.gap_top_k)
                selection = {"selection": self._add("select_teachers", size, group=name, family=name, **read)}
        if teaches:
            self._add_soft_targets(name, teachers, selection)
        for student, student_config in self.students.get(name, {}).items():
            self._add_model(student, student_config, name)

    def _add_model(self, name: str, model: CandidateConfig | StudentConfig, group: str) -> None:
        architecture = model.model.architecture
        common: dict[str, Any] = {"group": group, "model": name, "family": architecture}
        common["code"] = frozenset({architecture})
        evaluation = self.recipe.evaluation
        label_weight, fan_in = 1.0, {}
        if isinstance(model, StudentConfig):
            label_weight, fan_in = model.label_weight, {"soft_targets": self.soft_targets[model.learn_from]}
        training = TrainConfig(
            model=model.model, training=model.training, label_weight=label_weight, evaluation=evaluation
        )
        inputs = {"partition": PARTITION}
        start = self.recipe.starts.get(name)
        other: dict[str, Any] = (
            {"imported": {start.weights: start.key}, "arguments": {"start": start.weights}} if start else {}
        )
        self.weights[name] = self._add("train", training, inputs=inputs, fan_in=fan_in, **common, **other)
        if (policy := self.recipe.averages()[name]) != "never":
            averaging = AverageConfig(policy=policy, **dict(self.recipe.averaging), evaluation=evaluation)
            inputs = {"partition": PARTITION, "model": self.weights[name]}
            self.weights[name] = self._add("average", averaging, inputs=inputs, fan_in=fan_in, **common)
        if name in self.recipe.members():
            quantization = QuantizeConfig(**dict(self.recipe.quantization), evaluation=evaluation)
            inputs = {
                "partition": PARTITION,
                "model": self.weights[name],
                "predictions": Ref(self.weights[name].node, "predictions"),
            }
            self._add("quantize", quantization, inputs=inputs, **common)
        self._add_optional_stages(**common)

    def _read(self, prefix: str, models: Iterable[str], what: str) -> dict[str, Any]:
        """Return the fields of a node that reads something of several models, whether of this run or of others.

        Args:
            prefix: Prefix of the component's numbered inputs.
            models: Names of the models.
            what: `weights`, the `predictions` beside them, or the quantized `member` or its `offers`.
        """
        read: dict[str, Any] = {"fan_in": {prefix: {}}, "arguments": {}, "imported": {}}
        uris: dict[str, str] = {}
        quantized = what in STAGES["quantize"].outputs
        for model in models:
            if other := self.recipe.imported.get(model):
                uris[model] = getattr(other, what)
                read["imported"][uris[model]] = other.member_key if quantized else other.key
                read["arguments"] = {"imported": dump_line(uris)}
            elif what == "weights":
                read["fan_in"][prefix][model] = self.weights[model]
            else:
                node = f"quantize-{model}" if quantized else self.weights[model].node
                read["fan_in"][prefix][model] = Ref(node, what)
        return read

    def _add_soft_targets(self, group: str, teachers: tuple[str, ...], selection: Mapping[str, Ref]) -> None:
        section = self.recipe.soft_targets
        config = SoftTargetsConfig(encoding=section.encoding, batch_size=section.batch_size)
        read = self._read("model", teachers, "weights")
        parts = []
        for number in range(1, section.workers + 1):
            share = {"worker": number - 1, "workers": section.workers}
            names = {}
            if section.workers > 1:
                names["node"] = f"soft-targets-{group}-part-{number}"
                names["title"] = f"Soft targets {number}/{section.workers}"
            part = self._add(
                "soft_targets",
                config,
                group=group,
                family=group,
                code=frozenset(self.models[model].model.architecture for model in teachers),
                inputs={"partition": PARTITION, **selection},
                **{**read, "arguments": {**share, **read["arguments"]}},
                **names,
            )
            parts.append(part)
        self.soft_targets[group] = {part.node: part for part in parts}

    def _add_ensemble(self) -> None:
        members = self.recipe.members()
        counted = self.recipe.evaluation.gap_top_k
        search = SearchWeightsConfig(**dict(self.recipe.ensemble.search), gap_top_k=counted)
        weights = self._add("search_weights", search, **self._read("offers", members, "offers"))
        self._add(
            "export",
            ExportConfig(**dict(self.recipe.export), test=self.recipe.data.test, evaluation=self.recipe.evaluation),
            inputs={"partition": PARTITION, "weights": weights},
            **self._read("member", members, "member"),
            records=tuple(self.nodes),
            code=frozenset(self.models[name].model.architecture for name in members),
            reads=tuple(filter(None, [self.recipe.export.vocabulary, *self.recipe.data.test])),
        )

    def _add_optional_stages(self, model: str = "", **fields: Any) -> None:
        """Add the optional stages that run once per model, or without a model those that run once."""
        for name, config in self.optional.items():
            stage = STAGES[name]
            if stage.runs_per_model == bool(model):
                inputs = {key: self._find_output(source, model) for key, source in stage.reads.items()}
                if all(ref.node in self.nodes for ref in inputs.values()):
                    self._add(name, config, inputs=inputs, model=model, **fields)

    def _check_optional_stages(self) -> None:
        for name in self.optional.keys() - {node.stage for node in self.nodes.values()}:
            raise ConfigError(
                f"{self.recipe.name}: stages.{name}: no node of this recipe writes all that the stage reads: "
                f"{', '.join(STAGES[name].reads.values())}. Remove the stage."
            )

    def _find_output(self, source: str, model: str) -> Ref:
        if source == FINAL_WEIGHTS:
            return self.weights[model]
        stage, _, output = source.partition(".")
        return Ref(STAGES[stage].node.format(model=model), output)

    def _add_report(self) -> None:
        students = {
            name: {"learn_from": student.learn_from, "baseline": self.recipe.baseline(name)}
            for name, student in self.recipe.students.items()
        }
        families = {name: list(family.candidates) for name, family in self.recipe.families.items()}
        arguments = {"students": dump_line(students), "families": dump_line(families)}
        self._add(
            "report", {"students": students, "families": families}, arguments=arguments, records=tuple(self.nodes)
        )
