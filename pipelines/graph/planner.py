"""Planning: from a recipe to the nodes of its run.

Every candidate of a family is trained, averaged if the recipe says so, and evaluated. The best combination of
candidates is selected and predicts soft targets, from which the students are trained. A group of teachers does the same
without candidates. At the end come the search for weights, the export and the report.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from components.step import MOST_NUMBERED
from pipelines.graph.groups import make_groups, students_by_group
from pipelines.graph.plan import Node, Plan, Ref
from pipelines.recipe.schema import CandidateConfig, Recipe, StudentConfig
from pipelines.stages import FINAL_WEIGHTS, STAGES
from yt8m.config import Config
from yt8m.errors import ConfigError
from yt8m.stages.average import AverageConfig
from yt8m.stages.select_teachers import SelectConfig

PARTITION = Ref("prepare", "partition")


def make_plan(recipe: Recipe) -> Plan:
    """Lay out all nodes of a checked recipe.

    Raises:
        ConfigError: The recipe has more groups than the report has inputs, or an optional stage reads outputs that no
            node makes.
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
        # The manifest of each family's or group's soft targets.
        self.soft_targets: dict[str, Ref] = {}
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
        self._add_report(len(groups))
        return Plan(self.recipe.name, self.recipe.description, groups, tuple(self.nodes.values()))

    def _add(
        self,
        stage: str,
        description: str,
        *,
        node: str = "",
        title: str = "",
        config: Config | Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Ref:
        """Add a node.

        Args:
            stage: Name of the stage.
            description: What the node does.
            node: Name of the node, if it is not the one in the registry.
            title: Title of the node, if it is not the one in the registry.
            config: Configuration, if it is not the recipe's section that the registry names.
            **fields: Further fields of the node.

        Returns:
            The main output of the node: the first one in the registry, or its record.
        """
        entry = STAGES[stage]
        names = {"model": fields.get("model", ""), "family": fields.get("family", "")}
        name = node or entry.node.format(**names)
        assert name not in self.nodes, f"two nodes are called {name}"
        if config is None:
            config = attrgetter(entry.section)(self.recipe) if entry.section else {}
        data = config.model_dump(mode="json") if isinstance(config, Config) else config
        title = title or entry.title.format(**names)
        self.nodes[name] = Node(name, stage, title, description, config=data, **fields)
        return Ref(name, next(iter(entry.outputs), "metrics"))

    def _add_data(self) -> None:
        data = self.recipe.data
        training, validation = data.training, data.validation
        inputs = {}
        if data.generate:
            inputs = {"shards": self._add("generate", "Generates videos in the format of YouTube-8M.")}
            # The component inserts the folder, which is not known before the pipeline runs.
            training, validation = ("{data}/train*.tfrecord",), ("{data}/validate*.tfrecord",)
        config = {
            "training": training,
            "validation": validation,
            "holdout_shards": data.holdout_shards,
            "seed": self.recipe.seed,
            "spec": data.resolve_spec().model_dump(mode="json"),
            "on_bad": data.on_bad,
        }
        description = "Splits the shards into training and hold-out, counts videos and classes, and finds damage."
        self._add("prepare", description, config=config, inputs=inputs)

    def _add_group(self, name: str) -> None:
        family = self.recipe.families.get(name)
        teachers: tuple[str, ...] = self.recipe.teacher_groups.get(name, ())
        teaches = name in {student.learn_from for student in self.recipe.students.values()}
        selection: dict[str, Ref] = {}
        if family:
            teachers = tuple(family.candidates)
            for candidate, config in family.candidates.items():
                self._add_model(candidate, config, name)
            if teaches:
                selection = {"selection": self._add_selection(name, teachers, family.ensemble_size)}
        if teaches:
            self.soft_targets[name] = self._add_soft_targets(name, teachers, selection)
        for student, student_config in self.students.get(name, {}).items():
            self._add_model(student, student_config, name)
        self._add_collection(name)

    def _add_model(self, name: str, model: CandidateConfig | StudentConfig, group: str) -> None:
        architecture = model.model.architecture
        common: dict[str, Any] = {"group": group, "model": name, "family": architecture}
        common["code"] = frozenset({architecture})
        config = {
            "model": model.model.model_dump(mode="json"),
            "training": model.training.model_dump(mode="json"),
            "label_weight": 1.0,
        }
        inputs = {"partition": PARTITION}
        learned, facts = "labels", {}
        if isinstance(model, StudentConfig):
            config["label_weight"] = model.label_weight
            inputs["soft_targets"] = self.soft_targets[model.learn_from]
            learned = f"labels and the soft targets of {model.learn_from}"
            facts = {"learn_from": model.learn_from, "baseline": self.recipe.baseline(name)}
        description = f"Trains {name} ({architecture}) on {learned}."
        weights = self._add("train", description, config=config, inputs=inputs, facts=facts, **common)
        if (policy := self.recipe.averages()[name]) != "never":
            averaging = AverageConfig(policy=policy, **dict(self.recipe.averaging))
            description = f"Averages the weights of {name} over further training at a lower rate."
            inputs = {**inputs, "model": weights}
            weights = self._add("average", description, config=averaging, inputs=inputs, facts=facts, **common)
        self.weights[name] = weights
        self._add_evaluation(weights, **common)
        if name in self.recipe.members():
            description = f"Stores the large weights of {name} in 8 bits."
            quantized = self._add("quantize", description, inputs={"model": weights}, **common)
            node, title = f"evaluate-quantized-{name}", f"Evaluate {name} in 8 bits"
            self._add_evaluation(quantized, node=node, title=title, **common)
        self._add_optional_stages(**common)

    def _add_evaluation(self, weights: Ref, **fields: Any) -> None:
        description = "Measures the model on the hold-out videos and keeps its predictions."
        self._add("evaluate", description, inputs={"partition": PARTITION, "model": weights}, **fields)

    def _add_selection(self, family: str, candidates: tuple[str, ...], size: int) -> Ref:
        description = f"Scores every combination of {size} candidates; the best becomes the teachers of {family}."
        predictions = {name: Ref(f"evaluate-{name}", "predictions") for name in candidates}
        fan_in = {"prediction": predictions}
        config = SelectConfig(size=size)
        return self._add("select_teachers", description, group=family, family=family, config=config, fan_in=fan_in)

    def _add_soft_targets(self, group: str, teachers: tuple[str, ...], selection: Mapping[str, Ref]) -> Ref:
        section = self.recipe.soft_targets
        common: dict[str, Any] = {"group": group, "family": group}
        parts = {}
        for number in range(1, section.workers + 1):
            description, names = "Predicts the training videos with the teachers.", {}
            if section.workers > 1:
                description = "Predicts part of the training videos with the teachers."
                names["node"] = f"soft-targets-{group}-part-{number}"
                names["title"] = f"Soft targets of {group}, part {number} of {section.workers}"
            part = self._add(
                "soft_targets",
                description,
                config=section.model_dump(mode="json", exclude={"workers"}),
                code=frozenset(self.models[model].model.architecture for model in teachers),
                arguments={"worker": number - 1, "workers": section.workers},
                inputs={"partition": PARTITION, **selection},
                fan_in={"model": {model: self.weights[model] for model in teachers}},
                **common,
                **names,
            )
            parts[part.node] = part
        if section.workers == 1:
            return part
        description = f"Joins the parts of the soft targets of {group} in one manifest."
        inputs = {"partition": PARTITION}
        return self._add("join_soft_targets", description, inputs=inputs, fan_in={"part": parts}, **common)

    def _add_ensemble(self) -> None:
        members = self.recipe.members()
        quantized = {name: Ref(f"quantize-{name}", "quantized") for name in members}
        predictions = {name: Ref(f"evaluate-quantized-{name}", "predictions") for name in members}
        float_predictions = {name: Ref(f"evaluate-{name}", "predictions") for name in members}
        weights = self._add(
            "search_weights",
            "Searches members and weights of the best ensemble within the budget.",
            fan_in={"prediction": predictions, "model": quantized, "float_prediction": float_predictions},
        )
        exported = self._add(
            "export",
            "Exports the ensemble as one TensorFlow model: bytes in, top classes out.",
            inputs={"weights": weights},
            fan_in={"model": quantized, "record": self._all_records()},
            code=frozenset(self.models[name].model.architecture for name in members),
        )
        self._add_evaluation(exported, node="evaluate-export", title="Evaluate exported model")

    def _add_optional_stages(self, model: str = "", **fields: Any) -> None:
        """Add the optional stages that run once per model, or without a model those that run once."""
        for name, config in self.optional.items():
            stage = STAGES[name]
            if stage.runs_per_model == bool(model):
                inputs = {key: self._find_output(source, model) for key, source in stage.reads.items()}
                if all(ref.node in self.nodes for ref in inputs.values()):
                    self._add(name, "", config=config, inputs=inputs, model=model, **fields)

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

    def _records(self, group: str) -> dict[str, Ref]:
        nodes = [node for node in self.nodes.values() if node.group == group and node.stage != "collect_records"]
        return {node.name: Ref(node.name, "metrics") for node in nodes}

    def _add_collection(self, group: str) -> None:
        """Collect the records of a group in one node, or in a chain of nodes if there are more records than inputs."""
        records = list(self._records(group).items())
        collected: dict[str, Ref] = {}
        number = 0
        while records:
            number += 1
            taken, records = records[: MOST_NUMBERED - 1], records[MOST_NUMBERED - 1 :]
            node = f"collect-{group}-part-{number}" if records else ""
            fan_in = {"record": dict(taken) | collected}
            description = f"Collects the records of {group} for the report."
            record = self._add("collect_records", description, node=node, group=group, family=group, fan_in=fan_in)
            collected = {"collected": record}

    def _all_records(self) -> dict[str, Ref]:
        """Return the records of all nodes so far. Those of a group are collected in one artifact."""
        groups = dict.fromkeys(node.group for node in self.nodes.values() if node.group)
        return {**self._records(""), **{group: Ref(f"collect-{group}", "metrics") for group in groups}}

    def _add_report(self, groups: int) -> None:
        records = self._all_records()
        if len(records) > MOST_NUMBERED:
            most = MOST_NUMBERED - len(records) + groups
            raise ConfigError(
                f"{self.recipe.name}: at most {most} groups of nodes fit into a report: families, groups of teachers, "
                f"and students with another architecture than their teachers. Received: {groups}. "
                "Merge the candidates of several families into one."
            )
        description = "Reports what the run achieved: a page for people, the same figures for programs."
        self._add("report", description, fan_in={"record": records})
