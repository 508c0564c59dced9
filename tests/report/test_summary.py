import pytest

from yt8m.records.record import NodeRecord
from yt8m.report.summarize import build_summary


@pytest.fixture
def summary(full_run, students):
    return build_summary([NodeRecord(**record) for record in full_run], students)


def summarize(*records, students=None):
    named = [{"node": f"{record['stage']}-{record.get('name', '')}"} | record for record in records]
    return build_summary([NodeRecord(**record) for record in named], students)


def trained(name, family, gap, **fields):
    return {"stage": "train", "name": name, "family": family, "metrics": {"gap": gap}, **fields}


def test_the_headline_is_the_exported_model(summary):
    final = summary.final
    assert final.measured_on == "exported model"
    assert (final.gap, final.size_bytes, final.budget_bytes) == (0.80412, 1_948_000, 2_000_000)
    assert final.budget_share == pytest.approx(0.974)
    assert (final.members, final.baseline_gap) == (7, 0.1334)
    assert (final.part, final.videos, final.gap_low, final.gap_high) == (
        "report",
        1190,
        0.80412 - 0.017,
        0.80412 + 0.016,
    )
    assert (final.best_model, final.best_model_gap) == ("netvlad-b-student", pytest.approx(0.7895))


def test_without_an_export_the_headline_is_the_search(full_run):
    records = [NodeRecord(**record) for record in full_run if record["stage"] != "export"]
    final = build_summary(records).final
    assert (final.measured_on, final.gap) == ("search", 0.80413)


def test_with_models_alone_the_headline_is_the_best_model():
    final = summarize(trained("a", "dbof", 0.5), trained("b", "dbof", 0.7)).final
    assert (final.measured_on, final.gap, final.best_model) == ("model", 0.7, "b")


def test_the_best_model_is_the_one_with_the_highest_gap_where_everything_is_decided():
    models = [
        {"stage": "train", "name": name, "family": "dbof", "metrics": {"gap": gap, "gap_select": select}}
        for name, gap, select in (("a", 0.6, 0.55), ("b", 0.58, 0.62))
    ]
    final = summarize(*models).final
    assert (final.measured_on, final.gap, final.best_model, final.best_model_gap) == ("model", 0.58, "b", 0.58)


def test_a_run_without_figures_has_no_headline():
    final = build_summary([]).final
    assert (final.measured_on, final.gap) == ("nothing", None)


def test_averaging_shows_the_mean_change_of_a_family_and_the_papers():
    averaged = [
        {"stage": "average", "name": name, "family": "rnn", "metrics": metrics}
        for name, metrics in {
            "rnn1": {"gap_before": 0.5, "gap_after": 0.503, "kept": 1.0},
            "rnn2": {"gap_before": 0.6, "gap_after": 0.599, "kept": 0.0},
        }.items()
    ]
    (row,) = summarize(*averaged).tables.averaging
    assert (row.family, row.gap_change, row.paper_gap_change) == ("rnn", pytest.approx(0.001), 0.00339)
    assert [(model.model, model.kept) for model in row.models] == [("rnn1", True), ("rnn2", False)]


def test_quantization_compares_the_float_model_with_the_quantized_one():
    of = {"name": "fv", "family": "netfv"}
    (row,) = summarize(
        {"stage": "train", **of, "metrics": {"gap": 0.5, "evaluation_seconds": 4.0, "seconds": 60.0, "bytes": 410.0}},
        {
            "stage": "quantize",
            **of,
            "metrics": {"bytes_before": 400.0, "bytes_after": 100.0, "largest_error": 0.25}
            | {"gap": 0.4999, "evaluation_seconds": 4.5, "seconds": 1.0},
        },
    ).tables.quantization
    assert (row.gap_before, row.gap_after, row.gap_change) == (0.5, 0.4999, pytest.approx(-0.0001))
    assert (row.seconds_before, row.seconds_after) == (4.0, 4.5)
    assert (row.bytes_before, row.bytes_after, row.size_ratio, row.largest_error) == (400, 100, 0.25, 0.25)


def test_the_gain_of_distillation_is_over_the_same_model_trained_on_labels():
    baselines = {"large-s": "large", "small-s": "small", "tiny-s": ""}
    rows = summarize(
        trained("large", "dbof", 0.5),
        trained("small", "dbof", 0.4),
        trained("large-s", "dbof", 0.52),
        trained("small-s", "dbof", 0.46),
        trained("tiny-s", "dbof", 0.3),
        students={name: {"learn_from": "netvlad", "baseline": baseline} for name, baseline in baselines.items()},
    ).tables.distillation
    assert [row.gain for row in rows] == [pytest.approx(0.02), pytest.approx(0.06), None]
    assert [row.family_gain for row in rows] == [pytest.approx(0.04)] * 3
    assert [row.baseline for row in rows] == ["large", "small", ""]
    assert {(row.learn_from, row.paper_family_gain) for row in rows} == {("netvlad", 0.00409)}


def test_the_ensembles_weights_and_sizes_are_shares_of_one(summary):
    rows = summary.tables.ensemble
    assert sum(row.weight for row in rows) == pytest.approx(1)
    assert sum(row.size_share for row in rows) == pytest.approx(1)
    assert [row.family for row in rows] == ["netvlad", "netvlad", "netfv", "dbof", "dbof", "rnn", "rnn"]


def test_the_ensemble_by_family_is_compared_with_the_papers(summary):
    netvlad = summary.tables.ensemble_families[0]
    assert (netvlad.family, netvlad.members, netvlad.weight) == ("netvlad", 2, pytest.approx(0.38))
    assert (netvlad.paper_members, netvlad.paper_size_share, netvlad.paper_weight) == (2, 0.4391, 0.3236)


def test_a_member_that_this_run_did_not_train_is_listed_without_figures():
    member = {"name": "other", "family": "dbof", "weight": 1.0}
    (row,) = summarize({"stage": "search_weights", "details": {"members": [member]}}).tables.ensemble
    assert (row.model, row.family, row.gap, row.size_share, row.weight) == ("other", "dbof", None, None, 1.0)


def test_all_combinations_of_teachers_come_best_first_with_the_chosen_marked(summary):
    selection = summary.selections[0]
    assert selection.family == "netvlad"
    assert selection.chosen == ("netvlad-a", "netvlad-b", "netvlad-c")
    gaps = [combination.gap for combination in selection.combinations]
    assert len(gaps) == 4
    assert gaps == sorted(gaps, reverse=True)
    assert [combination.members for combination in selection.combinations if combination.chosen] == [selection.chosen]


def test_the_best_family_for_a_kind_of_class_has_the_highest_mean():
    kinds = summarize(
        trained("rnn1", "rnn", 0.5, details={"gap_by_kind": {"order": 0.4}}),
        trained("rnn2", "rnn", 0.5, details={"gap_by_kind": {"order": 0.6}}),
        trained("dbof1", "dbof", 0.5, details={"gap_by_kind": {"order": 0.45}}),
    ).class_kinds
    assert [(kind.kind, kind.gap, kind.best_family) for kind in kinds] == [
        ("order", {"rnn": pytest.approx(0.5), "dbof": 0.45}, "rnn")
    ]


def test_the_search_lists_methods_and_the_frontier_by_size(summary):
    assert [(row.method, row.chosen) for row in summary.search.methods] == [
        ("flat", False),
        ("random", False),
        ("ours", True),
    ]
    assert (summary.parts.reported, summary.parts.report_videos, summary.parts.select_videos) == ("report", 1190, 1210)
    assert summary.search.gap_float == 0.80418
    sizes = [point.size_bytes for point in summary.search.frontier]
    assert sizes == sorted(sizes)
    assert {size for point in summary.search.frontier for size in point.sizes.values()} == {"4"}
    assert (summary.search.paper_point.gap, summary.search.paper_point.size_bytes) == (0.80377, 1_931_000)
    assert {row.size for row in summary.tables.ensemble} == {"8"}


def test_models_without_a_weight_are_dropped_members(summary):
    assert summary.search.dropped == ("netfv-b-student",)
    assert "netfv-b-student" not in {row.model for row in summary.tables.ensemble}


def test_figures_of_a_model_are_those_of_its_final_float_weights():
    of = {"name": "rnn1", "family": "rnn"}
    before = {"gap": 0.5, "map": 0.2, "loss": 3.0, "training_loss": 7.0, "training_gap": 0.9, "seconds": 60.0}
    after = {"gap": 0.6, "map": 0.3, "loss": 2.0, "seconds": 20.0, "gap_before": 0.5, "gap_after": 0.6}
    kinds = [{"details": {"gap_by_kind": {"order": gap}}} for gap in (0.1, 0.2)]
    summary = summarize(
        {"stage": "train", **of, "metrics": before, **kinds[0]},
        {"stage": "average", **of, "metrics": after, **kinds[1]},
    )
    (model,) = summary.models
    assert (model.gap, model.map, model.loss, model.train_seconds) == (0.6, 0.3, 2.0, 60.0)
    assert summary.class_kinds[0].gap == {"rnn": 0.2}
    assert (summary.final.gap, summary.final.best_model_gap) == (0.6, 0.6)


def test_a_model_that_no_student_facts_name_is_a_teacher(full_run, students, summary):
    roles = {model.model: model.role for model in summary.models}
    assert {name for name, role in roles.items() if role == "student"} == set(students)
    alone = build_summary([NodeRecord(**record) for record in full_run])
    assert {model.role for model in alone.models} == {"teacher"}
    assert alone.tables.distillation == ()
    assert alone.final == summary.final


def test_the_speed_of_the_exported_model_is_listed_by_batch_size(summary):
    assert summary.export.load_seconds == 1.52
    assert summary.export.seconds_by_batch == {1: 0.0121, 16: 0.0713}


def test_failed_checks_name_the_problem(full_run):
    for record in full_run:
        if record["stage"] == "export":
            record["metrics"]["bytes"] = 2_000_001.0
    failed = [
        check.text for check in build_summary([NodeRecord(**record) for record in full_run]).checks if not check.passed
    ]
    assert failed == ["The exported model is over its budget."]


def test_doubts_about_the_data_are_warnings_and_no_checks():
    figures = {"holdout_videos_in_training": 1.0, "holdout_videos": 6.0}
    summary = summarize({"stage": "prepare", "metrics": figures, "details": {"copies": ["b has that of a"]}})
    assert [warning.text for warning in summary.warnings] == ["1 of 6 hold-out videos are training videos, too."]
    assert (summary.checks, summary.data.copies, summary.final.unseen) == ((), ("b has that of a",), False)

    (check,) = summarize({"stage": "prepare", "metrics": figures | {"holdout_videos_in_training": 0.0}}).checks
    assert (check.passed, check.text) == (True, "No hold-out video has the id of a training video.")
    assert summarize({"stage": "prepare", "metrics": {"training_videos": 5.0}}).checks == ()


@pytest.mark.parametrize(("details", "unseen"), [({}, True), ({"start": {"taken": 3}}, None)])
def test_after_a_warm_start_nobody_knows_whether_the_hold_out_is_new_to_the_model(details, unseen):
    prepare = {"stage": "prepare", "metrics": {"holdout_videos_in_training": 0.0}}
    assert summarize(prepare, trained("a", "dbof", 0.5, details=details)).final.unseen is unseen


@pytest.mark.parametrize(("error", "passed"), [(0.01, True), (0.03, False)])
def test_the_check_of_the_baseline_passes_where_the_warning_of_a_worthless_model_does_not(error, passed):
    figures = {"gap": 0.25, "baseline_gap": 0.2, "gain_error": error}
    summary = summarize({"stage": "export", "metrics": figures})
    assert [check.passed for check in summary.checks if "baseline" in check.text] == [passed]
    assert [warning.rule for warning in summary.warnings] == [2] * (not passed)


@pytest.mark.parametrize(("error", "passed"), [(0.002, True), (0.01, False)])
def test_the_ensemble_beats_the_best_single_model_only_by_more_than_chance(error, passed):
    search = {"stage": "search_weights", "metrics": {"gap": 0.52, "best_member_error": error}}
    (check,) = summarize(trained("a", "dbof", 0.505), search).checks
    assert check.passed is passed
    assert "a, the single model that is best on the videos that decide" in check.text
    assert ("more than chance" in check.text) is not passed


def test_the_ensemble_is_not_compared_where_the_error_of_the_difference_is_not_known():
    search = {"stage": "search_weights", "metrics": {"gap": 1.0}}
    assert summarize(trained("a", "dbof", 0.5), search).checks == ()


@pytest.mark.parametrize(("error", "passed"), [(0.01, True), (0.03, False)])
def test_distillation_helps_only_by_more_than_the_error_of_gap(error, passed):
    student = trained("s", "dbof", 0.52) | {"metrics": {"gap": 0.52, "gap_error": error}}
    facts = {"s": {"learn_from": "netvlad", "baseline": "t"}}
    (check,) = summarize(trained("t", "dbof", 0.5), student, students=facts).checks
    assert check.passed is passed
    assert ("does not help dbof" in check.text) is not passed


@pytest.mark.parametrize("quantized", [True, False])
def test_there_is_no_check_where_nothing_was_compared(quantized):
    variables = [{"name": "head/bias", "quantized": quantized}]
    of = {"name": "fv", "family": "netfv"}
    members = [{"name": "fv", "weight": 1.0}]
    summary = summarize(
        trained("fv", "netfv", 0.5),
        {"stage": "quantize", **of, "metrics": {"gap": 0.5}, "details": {"variables": variables}},
        {"stage": "search_weights", "metrics": {"gap": 0.5}, "details": {"members": members}},
    )
    text = "Quantization costs no model more than 0.001 GAP, by more than chance."
    assert [check.text for check in summary.checks] == [text] * quantized


@pytest.mark.parametrize(("error", "lost"), [(0.0005, "fv"), (0.0015, "no model")])
def test_quantization_costs_too_much_only_by_more_than_chance(error, lost):
    metrics = {"gap": 0.497, "quantization_loss_error": error}
    quantized = {"stage": "quantize", "name": "fv", "family": "netfv", "metrics": metrics}
    summary = summarize(trained("fv", "netfv", 0.5), quantized)
    (check,) = (check for check in summary.checks if "Quantization" in check.text)
    assert (check.passed, check.text.split(" more")[0]) == (lost == "no model", f"Quantization costs {lost}")
    (row,) = summary.tables.quantization
    assert (row.gap_change, row.gap_change_error) == (pytest.approx(-0.003), error)


@pytest.mark.parametrize(
    ("layout", "training", "weighted"),
    [({}, {}, False), ({"weight": "w"}, {}, True), ({}, {"class_weights": {3: 2.0}}, True)],
)
def test_a_curve_says_whether_its_loss_in_training_is_weighted(layout, training, weighted):
    prepare = {"stage": "prepare", "config": {"spec": {"layout": layout}}}
    points = {"curve": [{"epoch": 1, "step": 1, "loss": 2.0}]}
    model = trained("a", "dbof", 0.5, details=points, config={"training": training})
    assert [curve.weighted for curve in summarize(prepare, model).curves] == [weighted]


def test_the_order_of_the_records_does_not_change_the_figures(summary, full_run):
    assert build_summary([NodeRecord(**record) for record in reversed(full_run)]).final == summary.final


def test_the_summary_says_what_the_shards_of_the_run_were():
    config = {"training": ["t*"], "validation": ["v*"], "holdout_shards": 2, "report_share": 0.5, "seed": 3}
    prepare = {"stage": "prepare", "config": config}
    data = summarize(prepare).data
    assert (data.patterns, data.holdout_shards, data.generated) == (("t*", "v*"), 2, None)
    data = summarize(prepare, {"stage": "generate", "config": {"preset": "smoke"}}).data
    assert (data.patterns, data.generated) == ((), {"preset": "smoke"})
