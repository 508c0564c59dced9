"""From a recipe to its plan: which nodes there are and what each reads.

Per family: every candidate is trained, averaged if the recipe says so, and evaluated; the best combination is
selected and predicts soft targets; the students that learn from it are trained, those of other families in a group of
their own, for which nobody who reads of this family waits. Per group of teachers: the same without candidates. At the
end: weights, export, report.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from components.step import MOST_NUMBERED
from pipelines.graph.plan import Group, Node, Plan, Ref
from pipelines.recipe.schema import CandidateConfig, Recipe, StudentConfig
from yt8m.config import Config
from yt8m.errors import ConfigError
from yt8m.stages.average import AverageConfig
from yt8m.stages.select_teachers import SelectConfig

EMPTY: Mapping[str, Any] = {}
PARTITION = Ref("prepare", "partition")


def make_plan(recipe: Recipe) -> Plan:
    """Lay out all nodes of a recipe.

    Args:
        recipe: A checked recipe.

    Returns:
        The plan.

    Raises:
        ConfigError: More groups than a report can take in.
    """
    return _Planner(recipe).plan()


class _Planner:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.models = recipe.models()
        self.averages = recipe.averages()
        self.nodes: dict[str, Node] = {}
        # Where each model's final weights are.
        self.weights: dict[str, Ref] = {}
        # The manifest of what each family or group of teachers predicted.
        self.soft_targets: dict[str, Ref] = {}

    def plan(self) -> Plan:
        self._add_data()
        groups = tuple(self._groups_in_order())
        for group in groups:
            self._add_group(group.name)
        self._add_ensemble()
        self._add_report()
        return Plan(self.recipe.name, self.recipe.description, groups, tuple(self.nodes.values()))

    def _groups_in_order(self) -> Iterator[Group]:
        """Families, then groups of teachers, each after those in which its teachers are students."""
        for name in self.recipe.families:
            students = _and_students(self._students_in(name))
            yield Group(
                name, f"Family {name}", f"The candidates of family {name}, the best of them as teachers{students}."
            )
            others = _others(name)
            if self._students_in(others):
                students = ", ".join(self._students_in(others))
                yield Group(others, f"Taught by {name}", f"Students that learn from family {name}: {students}.")
        waiting = dict(self.recipe.teacher_groups)
        done = set(self.recipe.families)
        while waiting:
            ready = [name for name, members in waiting.items() if self._teachers_of(members) <= done]
            assert ready, f"teacher groups depend on each other: {', '.join(waiting)}"
            for name in ready:
                students = _and_students(self._students_in(name))
                teachers = ", ".join(waiting.pop(name))
                done.add(name)
                if self._students_in(name):
                    yield Group(name, f"Taught by {name}", f"{teachers} as teachers{students}.")

    def _teachers_of(self, members: tuple[str, ...]) -> set[str]:
        students = [self.recipe.students[member] for member in members if member in self.recipe.students]
        return {student.learn_from for student in students}

    def _students_in(self, group: str) -> dict[str, StudentConfig]:
        return {name: student for name, student in self.recipe.students.items() if self._group_of(student) == group}

    def _group_of(self, student: StudentConfig) -> str:
        family = self.recipe.families.get(student.learn_from)
        own = not family or student.model.architecture in {
            each.model.architecture for each in family.candidates.values()
        }
        return student.learn_from if own else _others(student.learn_from)

    def _add(
        self,
        name: str,
        stage: str,
        title: str,
        *,
        description: str,
        config: Config | Mapping[str, Any] = EMPTY,
        group: str = "",
        model: str = "",
        family: str = "",
        code: frozenset[str] = frozenset(),
        arguments: Mapping[str, str | int] = EMPTY,
        inputs: Mapping[str, Ref] = EMPTY,
        fan_in: Mapping[str, Mapping[str, Ref]] = EMPTY,
        facts: Mapping[str, Any] = EMPTY,
    ) -> Ref:
        """Add a node; returns the reference to its record."""
        assert name not in self.nodes, f"two nodes are called {name}"
        self.nodes[name] = Node(
            name, stage, title, description, group, model, family, code,
            config=config.model_dump(mode="json") if isinstance(config, Config) else config,
            arguments=arguments, inputs=inputs, fan_in=fan_in, facts=facts,
        )  # fmt: skip
        return Ref(name, "metrics")

    def _add_data(self) -> None:
        data = self.recipe.data
        training, validation = data.training, data.validation
        inputs = {}
        if data.generate:
            description = "Generates videos in the format of YouTube-8M."
            self._add("generate", "generate", "Generate videos", description=description, config=data.generate)
            # Their folder is known only when the pipeline runs; the component fills it in.
            training, validation = ("{data}/train*.tfrecord",), ("{data}/validate*.tfrecord",)
            inputs = {"shards": Ref("generate", "shards")}
        config = {
            "training": training,
            "validation": validation,
            "holdout_shards": data.holdout_shards,
            "seed": self.recipe.seed,
            "spec": data.resolve_spec().model_dump(mode="json"),
            "on_bad": data.on_bad,
        }
        description = "Divides the shards into training and hold-out, counts videos and classes, finds damage."
        self._add("prepare", "prepare", "Prepare data", description=description, config=config, inputs=inputs)

    def _add_group(self, name: str) -> None:
        family = self.recipe.families.get(name)
        models: tuple[str, ...] = self.recipe.teacher_groups.get(name, ())
        teaches = name in {student.learn_from for student in self.recipe.students.values()}
        selection: dict[str, Ref] = {}
        if family:
            models = tuple(family.candidates)
            for candidate, config in family.candidates.items():
                self._add_model(candidate, config, name)
            if teaches:
                selection = {"selection": self._add_selection(name, models, family.ensemble_size)}
        if teaches:
            self.soft_targets[name] = self._add_soft_targets(name, models, selection)
        for student, student_config in self._students_in(name).items():
            self._add_model(student, student_config, name)
        self._add_collection(name)

    def _add_model(self, name: str, model: CandidateConfig | StudentConfig, group: str) -> None:
        common: dict[str, Any] = {
            "group": group,
            "model": name,
            "family": model.model.architecture,
            "code": frozenset({model.model.architecture}),
        }
        config = {
            "model": model.model.model_dump(mode="json"),
            "training": model.training.model_dump(mode="json"),
            "label_weight": 1.0,
        }
        inputs = {"partition": PARTITION}
        description = f"Trains {name} ({model.model.architecture}) on labels."
        if isinstance(model, StudentConfig):
            config["label_weight"] = model.label_weight
            inputs["soft_targets"] = self.soft_targets[model.learn_from]
            description = (
                f"Trains {name} ({model.model.architecture}) on labels and the soft targets of {model.learn_from}."
            )
        facts = self._facts(name, model)
        self._add(
            f"train-{name}", "train", f"Train {name}",
            description=description, config=config, inputs=inputs, facts=facts, **common,
        )  # fmt: skip
        weights = Ref(f"train-{name}", "model")
        if (policy := self.averages[name]) != "never":
            averaging = AverageConfig(policy=policy, **dict(self.recipe.averaging))
            description = f"Averages the weights of {name} over further training at a lower rate."
            self._add(
                f"average-{name}", "average", f"Average {name}",
                description=description, config=averaging, inputs={**inputs, "model": weights}, facts=facts, **common,
            )  # fmt: skip
            weights = Ref(f"average-{name}", "averaged")
        self.weights[name] = weights
        self._add_evaluation(f"evaluate-{name}", f"Evaluate {name}", weights, common)
        if name in self.recipe.members():
            description = f"Stores the large weights of {name} in 8 bits."
            self._add(
                f"quantize-{name}", "quantize", f"Quantize {name}",
                description=description, config=self.recipe.quantization, inputs={"model": weights}, **common,
            )  # fmt: skip
            quantized = Ref(f"quantize-{name}", "quantized")
            self._add_evaluation(f"evaluate-quantized-{name}", f"Evaluate {name} in 8 bits", quantized, common)

    def _facts(self, name: str, model: CandidateConfig | StudentConfig) -> dict[str, Any]:
        """For the report: a student's teachers, and its twin, which differs in nothing but what it learned from."""
        if not isinstance(model, StudentConfig):
            return {}
        twins = [other for other in self.recipe.candidates() if self._make(other) == self._make(name)]
        baseline = model.like if model.like in twins else next(iter(twins), "")
        return {"learn_from": model.learn_from, "baseline": baseline}

    def _make(self, name: str) -> tuple[Any, ...]:
        """What decides how good a model is, but for chance and soft targets."""
        model = self.models[name]
        return model.model, model.training.model_copy(update={"seed": 0}), self.averages[name]

    def _add_evaluation(self, name: str, title: str, weights: Ref, common: Mapping[str, Any]) -> None:
        inputs = {"partition": PARTITION, "model": weights}
        description = "Measures the model on the hold-out videos and keeps its predictions."
        config = self.recipe.evaluation
        self._add(name, "evaluate", title, description=description, config=config, inputs=inputs, **common)

    def _add_selection(self, family: str, candidates: tuple[str, ...], size: int) -> Ref:
        description = f"Scores every combination of {size} candidates; the best becomes the teachers of {family}."
        predictions = {name: Ref(f"evaluate-{name}", "predictions") for name in candidates}
        self._add(
            f"select-{family}", "select_teachers", f"Select teachers of {family}",
            description=description, group=family, family=family,
            config=SelectConfig(size=size), fan_in={"prediction": predictions},
        )  # fmt: skip
        return Ref(f"select-{family}", "selection")

    def _add_soft_targets(self, group: str, models: tuple[str, ...], selection: Mapping[str, Ref]) -> Ref:
        section = self.recipe.soft_targets
        name = f"soft-targets-{group}"

        def add_worker(node: str, title: str, worker: int) -> Ref:
            self._add(
                node, "soft_targets", title,
                description=f"Predicts {'part of ' if node != name else ''}the training videos with the teachers.",
                group=group, family=group, config=section.model_dump(mode="json", exclude={"workers"}),
                code=frozenset(self.models[model].model.architecture for model in models),
                arguments={"worker": worker, "workers": section.workers},
                inputs={"partition": PARTITION, **selection},
                fan_in={"model": {model: self.weights[model] for model in models}},
            )  # fmt: skip
            return Ref(node, "manifest")

        title = f"Soft targets of {group}"
        if section.workers == 1:
            return add_worker(name, title, 0)
        parts = {
            f"{name}-part-{worker + 1}": add_worker(
                f"{name}-part-{worker + 1}", f"{title}, part {worker + 1} of {section.workers}", worker
            )
            for worker in range(section.workers)
        }
        self._add(
            name, "join_soft_targets", title,
            description=f"Joins the parts of the soft targets of {group} in one manifest.",
            group=group, family=group, inputs={"partition": PARTITION}, fan_in={"part": parts},
        )  # fmt: skip
        return Ref(name, "manifest")

    def _add_ensemble(self) -> None:
        members = self.recipe.members()
        quantized = {name: Ref(f"quantize-{name}", "quantized") for name in members}
        predictions = {name: Ref(f"evaluate-quantized-{name}", "predictions") for name in members}
        float_predictions = {name: Ref(f"evaluate-{name}", "predictions") for name in members}
        self._add(
            "search-weights", "search_weights", "Search weights",
            description="Searches members and weights of the best ensemble within the budget.",
            config=self.recipe.ensemble.search,
            fan_in={"prediction": predictions, "model": quantized, "float_prediction": float_predictions},
        )  # fmt: skip
        self._add(
            "export", "export", "Export",
            description="Exports the ensemble as one TensorFlow model: bytes in, top classes out.",
            config=self.recipe.export, inputs={"weights": Ref("search-weights", "weights")},
            fan_in={"model": quantized, "record": self._collected()},
            code=frozenset(self.models[name].model.architecture for name in members),
        )  # fmt: skip
        self._add_evaluation("evaluate-export", "Evaluate exported model", Ref("export", "exported"), {})

    def _records(self, group: str) -> dict[str, Ref]:
        nodes = [node for node in self.nodes.values() if node.group == group and node.stage != "collect_records"]
        return {node.name: Ref(node.name, "metrics") for node in nodes}

    def _add_collection(self, group: str) -> None:
        """Gather a group's records, over several nodes where they are more than one can take in."""
        records = list(self._records(group).items())
        first, number = Ref("", ""), 0
        while records:
            number += 1
            taken, records = records[: MOST_NUMBERED - 1], records[MOST_NUMBERED - 1 :]
            chosen = dict(taken) | ({"collected": first} if first.node else {})
            name = f"collect-{group}" if not records else f"collect-{group}-part-{number}"
            description = f"Gathers the records of {group} for the report."
            first = self._add(
                name, "collect_records", f"Collect records of {group}",
                description=description, group=group, family=group, fan_in={"record": chosen},
            )  # fmt: skip

    def _collected(self) -> dict[str, Ref]:
        """All records there are, those of groups gathered."""
        groups = dict.fromkeys(node.group for node in self.nodes.values() if node.group)
        records = {**self._records(""), **{group: Ref(f"collect-{group}", "metrics") for group in groups}}
        if len(records) > MOST_NUMBERED:
            most = MOST_NUMBERED - len(records) + len(groups)
            raise ConfigError(
                f"{self.recipe.name}: at most {most} families, groups of teachers and groups of students that another "
                f"family teaches. Received: {len(groups)}. "
                "Put candidates of several families into one."
            )
        return records

    def _add_report(self) -> None:
        description = "Reports what the run achieved: a page for people, the same figures for programs."
        self._add("report", "report", "Report", description=description, fan_in={"record": self._collected()})


def _others(family: str) -> str:
    """The group of a family's students that are of other families."""
    return f"taught-by-{family}"


def _and_students(students: Mapping[str, StudentConfig]) -> str:
    return f", and the students {', '.join(students)}" if students else ""
