from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

from pipelines.cost.schedule import pipeline_dependencies
from pipelines.graph import planner
from pipelines.graph.keys import plan_work
from pipelines.graph.plan import Node, Plan, Ref
from pipelines.graph.planner import make_plan
from pipelines.recipe.schema import Recipe
from pipelines.stages import FINAL_WEIGHTS, STAGES, Stage
from tests.support.finished_runs import write_summary
from yt8m.config import Config
from yt8m.errors import ConfigError
from yt8m.stages.train import TrainConfig
from yt8m.yaml_files import parse_line

Small = Callable[..., Recipe]


@pytest.fixture
def plan(small: Small) -> Plan:
    return make_plan(small())


def changed(first: Plan, second: Plan) -> set[str]:
    """Return the nodes of the first plan whose work is not in the second."""
    works = [plan_work(plan, lambda _: {}, {}, {}) for plan in (first, second)]
    keys = [{name: work.key for name, work in each.items()} for each in works]
    return {name for name, key in keys[0].items() if keys[1].get(name) != key}


def test_the_recipe_decides_the_nodes(plan: Plan) -> None:
    assert [name for name, node in plan.nodes.items() if node.group == "dbof"] == [
        "train-dbof-a", "average-dbof-a", "train-dbof-b", "average-dbof-b",
        "select-dbof", "soft-targets-dbof",
        "train-dbof-s", "average-dbof-s", "quantize-dbof-s",
    ]  # fmt: skip
    assert [name for name, node in plan.nodes.items() if not node.group] == [
        "generate", "prepare", "search-weights", "export", "report",
    ]  # fmt: skip


def test_a_family_that_teaches_nobody_selects_no_teachers(plan: Plan) -> None:
    assert [node.name for node in plan.nodes.values() if node.group == "netvlad"] == ["train-vlad-a"]


def test_students_learn_from_their_teachers_and_the_next_level_from_them(plan: Plan) -> None:
    taught = {"soft_targets": {"soft-targets-dbof": Ref("soft-targets-dbof", "manifest")}}
    assert plan["train-vlad-s"].fan_in == taught
    assert plan["train-dbof-a"].fan_in == {}
    assert plan["soft-targets-dbof"].inputs["selection"] == Ref("select-dbof", "selection")
    assert plan["soft-targets-both"].fan_in["model"] == {
        "dbof-s": Ref("average-dbof-s", "averaged"),
        "vlad-s": Ref("train-vlad-s", "model"),
    }
    assert "selection" not in plan["soft-targets-both"].inputs
    assert plan["train-vlad-2"].group == "both"


def test_students_of_another_family_are_a_group_of_their_own(plan: Plan, small: Small) -> None:
    assert list(plan.groups) == ["dbof", "taught-by-dbof", "netvlad", "both"]
    assert [name for name, node in plan.nodes.items() if node.group == "taught-by-dbof"] == ["train-vlad-s"]
    waits = pipeline_dependencies(make_plan(small(lambda _: None, "teacher_groups.both=[dbof-s]")))
    assert "quantize-dbof-s" in waits["soft-targets-both"]
    assert "train-vlad-s" not in waits["soft-targets-both"]


def test_other_nodes_read_the_averaged_weights(plan: Plan) -> None:
    assert plan["soft-targets-dbof"].fan_in["model"]["dbof-a"] == Ref("average-dbof-a", "averaged")
    assert plan["select-dbof"].fan_in["prediction"]["dbof-a"] == Ref("average-dbof-a", "predictions")
    assert plan["quantize-dbof-s"].inputs == {
        "partition": Ref("prepare", "partition"),
        "model": Ref("average-dbof-s", "averaged"),
        "predictions": Ref("average-dbof-s", "predictions"),
    }
    assert plan["average-dbof-s"].config["policy"] == "if_better"


def test_the_report_reads_the_record_of_every_other_node_and_the_export_those_before_it(plan: Plan) -> None:
    assert set(plan["report"].records) == set(plan.nodes) - {"report"}
    assert set(plan["export"].records) == set(plan.nodes) - {"export", "report"}
    assert plan["report"].dependencies == set(plan["report"].records)


def test_the_report_knows_the_teachers_and_the_baseline_of_every_student(plan: Plan) -> None:
    students = {
        "dbof-s": {"learn_from": "dbof", "baseline": "dbof-a"},
        "vlad-s": {"learn_from": "dbof", "baseline": "vlad-a"},
        "vlad-2": {"learn_from": "both", "baseline": "vlad-a"},
    }
    # The second model has another batch size than the candidate that it is like.
    students["vlad-s"]["baseline"] = students["vlad-2"]["baseline"] = ""
    families = {"dbof": ["dbof-a", "dbof-b"], "netvlad": ["vlad-a"]}
    assert plan["report"].config == {"students": students, "families": families}
    assert parse_line(str(plan["report"].arguments["students"]), "students") == students
    assert "learn_from" not in plan["train-dbof-s"].config


def test_models_are_measured_as_the_recipe_says(small: Small) -> None:
    plan = make_plan(small(lambda _: None, "evaluation.top_k=50"))
    for name in ("train-dbof-a", "average-dbof-a", "quantize-dbof-s", "export"):
        assert plan[name].config["evaluation"] == {"batch_size": 128, "top_k": 50, "gap_top_k": 20}
        assert "evaluation.top_k: 50" in plan[name].changes
    assert "evaluation" not in make_plan(small())["train-dbof-a"].changes


def test_models_teachers_and_weights_are_compared_by_the_same_gap(small: Small) -> None:
    plan = make_plan(small(lambda _: None, "evaluation.gap_top_k=5"))
    assert plan["train-dbof-a"].config["evaluation"]["gap_top_k"] == 5
    assert plan["select-dbof"].config["gap_top_k"] == plan["search-weights"].config["gap_top_k"] == 5


def test_the_text_of_a_configuration_is_the_whole_configuration(plan: Plan) -> None:
    config = TrainConfig.parse_changes(plan["train-dbof-s"].changes, "train-dbof-s")
    assert config.model_dump(mode="json") == plan["train-dbof-s"].config


@pytest.mark.parametrize(
    ("setting", "baseline"),
    [
        ("students.dbof-s.training.seed=9", "dbof-a"),
        ("students.dbof-s.label_weight=0.9", "dbof-a"),
        ("students.dbof-s.model.num_clusters=15", ""),
        ("students.dbof-s.training.epochs=9", ""),
        ("students.dbof-s.average=never", ""),
        ("families.dbof.candidates.dbof-0={model: {architecture: dbof, num_clusters: 16, hidden_units: 8}}", "dbof-a"),
        ("students.dbof-s.like=vlad-s", ""),
    ],
)
def test_a_baseline_has_the_student_s_model_training_and_averaging(small: Small, setting: str, baseline: str) -> None:
    def with_its_own_model(raw: dict[str, Any]) -> None:
        raw["students"]["dbof-s"]["model"] = dict(raw["families"]["dbof"]["candidates"]["dbof-a"]["model"])

    plan = make_plan(small(with_its_own_model, setting))
    assert plan["report"].config["students"]["dbof-s"]["baseline"] == baseline


def test_students_read_the_parts_of_all_workers(small: Small) -> None:
    plan = make_plan(small(lambda _: None, "soft_targets.workers=3"))
    parts = [f"soft-targets-dbof-part-{number}" for number in (1, 2, 3)]
    assert [plan[part].arguments for part in parts] == [{"worker": worker, "workers": 3} for worker in range(3)]
    assert [plan[part].title for part in parts] == ["Soft targets 1/3", "Soft targets 2/3", "Soft targets 3/3"]
    for student in ("train-dbof-s", "average-dbof-s"):
        assert plan[student].fan_in == {"soft_targets": {part: Ref(part, "manifest") for part in parts}}


def test_without_students_the_candidates_are_the_ensemble(small: Small) -> None:
    plan = make_plan(small(lambda raw: [raw.pop(key) for key in ("students", "teacher_groups", "ensemble")]))
    for node, output in (("search-weights", "offers"), ("export", "member")):
        read = {name: Ref(f"quantize-{name}", output) for name in ("dbof-a", "dbof-b", "vlad-a")}
        assert plan[node].fan_in == {output: read}
    assert not [node for node in plan.nodes.values() if node.stage == "soft_targets"]


def test_a_report_has_room_for_any_number_of_models(small: Small) -> None:
    model = "{model: {architecture: dbof, num_clusters: 4, hidden_units: 4}}"
    families = [f"families.f{number}={{ensemble_size: 1, candidates: {{m{number}: {model}}}}}" for number in range(40)]
    assert len(make_plan(small(lambda _: None, *families))["report"].records) > 50


def test_long_names_come_first_in_titles(small: Small) -> None:
    plan = make_plan(small(lambda _: None, "students.dbof-from-netvlad={like: dbof-a, learn_from: netvlad}"))
    assert plan["train-dbof-s"].title == "Train dbof-s"
    assert plan["quantize-dbof-s"].title == "Quantize dbof-s"
    assert plan["train-dbof-from-netvlad"].title == "dbof-from-netvlad train"
    assert plan["average-dbof-from-netvlad"].title == "dbof-from-netvlad average"
    assert plan["soft-targets-dbof"].title == "Soft targets"


def test_a_changed_student_repeats_that_student_and_what_depends_on_it(small: Small) -> None:
    first, second = make_plan(small()), make_plan(small(lambda _: None, "students.vlad-2.training.epochs=1"))
    repeated = {"train-vlad-2", "quantize-vlad-2"}
    assert changed(first, second) == repeated | {"search-weights", "export", "report"}


def test_an_added_candidate_leaves_the_others_as_they_are(small: Small) -> None:
    model = "{model: {architecture: dbof, num_clusters: 4, hidden_units: 4}}"
    first, second = make_plan(small()), make_plan(small(lambda _: None, f"families.dbof.candidates.dbof-0={model}"))
    assert not [name for name in changed(first, second) if name.startswith(("train-dbof-a", "train-dbof-b"))]


def test_another_seed_repeats_everything(small: Small) -> None:
    first, second = make_plan(small()), make_plan(small(lambda _: None, "seed=4"))
    assert {"generate", "prepare", "train-dbof-a"} <= changed(first, second)


COUNT = Stage("count", "data", "count", "Count", ("counts",), reads={"partition": "prepare.partition"})
AUDIT = Stage(
    "audit", "inference", "audit-{model}", "Audit {model}", ("table",),
    reads={"model": FINAL_WEIGHTS, "quantized": "quantize.member"},
)  # fmt: skip
MISSING = Stage("miss", "data", "miss", "Miss", reads={"shards": "generate.shards"})


def with_optional_stages(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, *stages: Stage) -> Plan:
    monkeypatch.setattr(planner, "STAGES", {**STAGES, **{stage.name: stage for stage in stages}})
    fields: Any = {stage.name: (Any, {}) for stage in stages}
    return make_plan(recipe.model_copy(update={"stages": create_model("Stages", __base__=Config, **fields)()}))


def test_an_optional_stage_runs_once_before_the_report(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = with_optional_stages(small(), monkeypatch, COUNT)
    assert list(plan.nodes)[-2:] == ["count", "report"]
    assert (plan["count"].title, plan["count"].inputs) == ("Count", {"partition": Ref("prepare", "partition")})
    assert "count" in plan["report"].records
    assert changed(make_plan(small()), plan) == {"report"}


def test_an_optional_stage_runs_for_every_model_that_has_its_inputs(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = with_optional_stages(small(), monkeypatch, AUDIT)
    audits = {node.name: node for node in plan.nodes.values() if node.stage == "audit"}
    assert list(audits) == ["audit-dbof-s", "audit-vlad-2"]
    audit = audits["audit-dbof-s"]
    assert audit.inputs == {
        "model": Ref("average-dbof-s", "averaged"),
        "quantized": Ref("quantize-dbof-s", "member"),
    }
    assert (audit.title, audit.group, audit.model) == ("Audit dbof-s", "dbof", "dbof-s")
    assert "audit-dbof-s" in plan["export"].records


def test_an_optional_stage_whose_inputs_no_node_makes_is_refused(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_own_shards(raw: dict[str, Any]) -> None:
        raw["data"] = {"validation": ["v*"], "holdout_shards": 2}

    with pytest.raises(ConfigError, match=r"small: stages.miss: no node .*: generate.shards"):
        with_optional_stages(small(with_own_shards), monkeypatch, MISSING)


def test_models_of_another_run_have_no_nodes_but_are_read_and_are_part_of_the_keys(
    small: Small, tmp_path: Path
) -> None:
    members = ["vlad-a", "dbof-s"]

    def change(raw: dict[str, Any]) -> None:
        raw["families"]["dbof"] = {"from": str(tmp_path / "run"), "ensemble_size": 2}
        raw["students"] = {"dbof-s": {"like": "dbof-a", "learn_from": "dbof"}}
        raw["teacher_groups"] = {}
        raw["ensemble"] = {"members": [*members, {"from": str(tmp_path / "run"), "names": ["vlad-s"]}]}

    def plan_with(key: str) -> Plan:
        write_summary(tmp_path / "run", small(), key=key)
        return make_plan(small(change))

    plan = plan_with("k")
    assert [name for name in plan.nodes if "dbof-a" in name or "vlad-s" in name] == []
    uris = {name: f"gs://bucket/{name}/" for name in ("dbof-a", "dbof-b", "vlad-s")}
    assert imported(plan["select-dbof"]) == {name: f"{uris[name]}predictions" for name in ("dbof-a", "dbof-b")}
    assert imported(plan["soft-targets-dbof"]) == {name: f"{uris[name]}averaged" for name in ("dbof-a", "dbof-b")}
    assert plan["soft-targets-dbof"].arguments["workers"] == 1
    assert plan["soft-targets-dbof"].code == {"dbof"}
    for name, output in (("search-weights", "offers"), ("export", "member")):
        assert imported(plan[name]) == {"vlad-s": f"{uris['vlad-s']}{output}"}
        assert list(plan[name].fan_in[output]) == members
    assert plan["select-dbof"].dependencies == set()
    read = {"select-dbof", "soft-targets-dbof", "search-weights", "export"}
    assert changed(plan, plan_with("other")) == read | {"train-dbof-s", "average-dbof-s", "quantize-dbof-s", "report"}
    assert changed(plan, plan_with("k")) == set()


def imported(node: Node) -> dict[str, str]:
    assert not any(uri in str(node.fan_in) for uri in node.imported)
    found = parse_line(str(node.arguments["imported"]), node.name)
    assert list(found.values()) == list(node.imported)
    return found
