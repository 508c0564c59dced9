import json
import re
from collections import Counter

import pytest

from tests.support.html_page import Page, assert_self_contained
from yt8m.models import ARCHITECTURES
from yt8m.records.record import NodeRecord
from yt8m.report.node_page import render_node_page
from yt8m.report.page import render_page
from yt8m.report.summarize import build_summary

SECTIONS = ["models", "averaging", "quantization", "distillation", "ensemble", "search", "selection", "kinds", "curves"]


def build(records, students=None):
    return build_summary([NodeRecord(**record) for record in records], students)


@pytest.fixture
def summary(full_run, students):
    return build(full_run, students)


@pytest.fixture
def page(summary):
    return Page(render_page(summary))


def numbers_in(data):
    if isinstance(data, bool) or data is None or isinstance(data, str):
        return
    if isinstance(data, dict | list):
        for item in data.values() if isinstance(data, dict) else data:
            yield from numbers_in(item)
    else:
        yield float(data)


def test_every_number_of_the_page_is_in_the_summary(summary, page):
    known = set(numbers_in(json.loads(summary.model_dump_json())))
    assert page.numbers
    assert [value for value, _ in page.numbers if value not in known] == []


def test_every_figure_of_the_tables_is_on_the_page(summary, page):
    shown = {value for value, _ in page.numbers}
    data = json.loads(summary.model_dump_json())
    for row in data["tables"]["quantization"]:
        row["variables"] = [variable | {"shape": None} for variable in row["variables"]]
    parts = [
        data["final"],
        data["tables"],
        data["search"],
        data["export"],
        data["selections"],
        data["class_kinds"],
        data["models"],
    ]
    assert [number for number in numbers_in(parts) if number not in shown] == []


def test_shown_scores_are_the_exact_ones_rounded(page):
    scores = [(value, text) for value, text in page.numbers if re.fullmatch(r"0\.\d{5}", text)]
    assert len(scores) > 100
    assert all(abs(value - float(text)) <= 0.5e-5 + 1e-12 for value, text in scores)


def test_every_section_is_there_and_named(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert set(SECTIONS) <= set(ids)
    labels = [attributes["aria-labelledby"] for attributes in page.all("section")]
    assert set(labels) <= set(ids)


def test_the_page_is_well_formed_and_ids_are_unique(page):
    assert page.open == []
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert [name for name, times in ids.items() if times > 1] == []


def test_figures_refer_to_their_own_parts_only(page):
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    used = [value for _, attributes in page.elements for key, value in attributes.items() if key.endswith("href")]
    values = " ".join(str(value) for _, attributes in page.elements for value in attributes.values())
    clips = re.findall(r"url\(#([^)]+)\)", values)
    assert used
    assert {reference.removeprefix("#") for reference in used} | set(clips) <= ids


def test_the_page_loads_nothing_and_runs_nothing(summary):
    assert_self_contained(render_page(summary))


def test_tables_and_figures_are_accessible_to_screen_readers(page):
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(cell.get("scope") in {"col", "row", "colgroup", "rowgroup"} for cell in page.all("th"))
    figures = page.all("svg")
    assert len(figures) == 3
    assert all(figure["role"] == "img" and figure["aria-labelledby"] for figure in figures)
    assert ("html", {"lang": "en"}) in page.elements


def test_colors_of_figures_follow_the_theme(summary):
    text = render_page(summary)
    inside = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "var(--series-1)" in inside
    assert re.findall(r"#[0-9a-f]{6}\b", inside) == []


def colors(text):
    """Return the color of each architecture's name on a page."""
    found = re.findall(r'class="family" style="--color: var\(--series-(\d)\)">([^<]+)<', text)
    assert found
    return {family: {color for color, name in found if name == family} for _, family in found}


@pytest.mark.slow
def test_an_architecture_has_the_same_color_in_any_run_and_on_any_page(full_run, summary):
    whole = colors(render_page(summary))
    assert all(len(numbers) == 1 for numbers in whole.values())
    known = set(ARCHITECTURES) & set(whole)
    assert len({min(whole[family]) for family in known}) == len(known)
    for family in whole:
        records = [record for record in full_run if record.get("family") == family]
        assert colors(render_page(build(records)))[family] == whole[family]
        record = next(record for record in records if record["stage"] == "train")
        assert colors(render_node_page(record, ["curves"]))[family] == whole[family]


def test_registered_architectures_have_different_colors_and_others_keep_theirs(minimal_run):
    def color_of(family):
        return min(colors(render_node_page({**minimal_run[1], "family": family}, []))[family])

    assert len({color_of(family) for family in ARCHITECTURES}) == len(ARCHITECTURES)
    assert color_of("transformer") == color_of("transformer")


def test_a_curve_has_the_color_of_its_architecture(minimal_run):
    text = render_node_page(minimal_run[1], ["curves"])
    (color,) = colors(text)["dbof"]
    assert set(re.findall(r"stroke: var\(--series-(\d)\)", text)) == {color}


def test_names_are_shown_as_they_are_and_never_as_markup(minimal_run):
    name = "<script>alert('$x_1$')</script>&\"ε"
    other = [record | {"node": record["node"] + "2", "name": name} for record in minimal_run[1:]]
    text = render_page(build([*minimal_run, *other]))
    assert "<script" not in text
    assert name in Page(text).text


@pytest.mark.slow
def test_equal_runs_give_equal_pages(summary):
    assert render_page(summary) == render_page(summary)


def test_missing_parts_of_a_run_are_stated_in_a_sentence(minimal_run):
    page = Page(render_page(build(minimal_run)))
    for sentence in (
        "This run did not search for an ensemble and did not export a model.",
        "The recipe does not average weights.",
        "This run did not quantize any model.",
        "The recipe has no students, so nothing was distilled.",
        "This run did not search for an ensemble.",
        "The recipe does not choose teachers.",
    ):
        assert sentence in page.text
    assert "load" not in [attributes.get("id") for attributes in page.all("h2")]


def test_a_run_without_any_record_still_gives_a_page():
    page = Page(render_page(build([])))
    assert "This run did not train any model." in page.text
    assert page.all("table") == []


def test_keeping_the_flat_average_is_explained(full_run):
    for record in full_run:
        if record["stage"] == "search_weights":
            record["details"]["guard"] |= {"taken": "flat", "gain_over_flat": 0.0004}
    page = Page(render_page(build(full_run)))
    assert "gain over the flat average is +0.00040 (standard error 0.00071;" in page.text
    assert "at least 2 standard errors are required)." in page.text
    assert "The gain may be chance, so the flat average is used." in page.text


def test_the_cost_of_quantization_to_the_ensemble_is_stated(page):
    said = "On 1,190 report videos, the chosen ensemble has GAP 0.80418 before quantization and 0.80413 after it."
    assert said in page.text


def test_the_page_says_how_bits_were_chosen(full_run):
    checks = [{"bytes": 900, "gap_loss": 0.0004}, {"bytes": 800, "gap_loss": 0.0007}]
    variables = [{"name": "pooling/kernel[:, 0:256]", "bits": 3, "quantized": True, "loss_2_bits": 0.00123}]
    allocation = {"videos": 256, "checked_videos": 1210, "checks": checks, "seconds": 7.5, "variables": variables}
    for record in full_run:
        if record["node"] == "quantize-rnn-a-student":
            record["details"]["allocation"] = allocation
    summary = build(full_run)
    (row,) = (row for row in summary.tables.quantization if row.choice)
    assert (row.model, row.choice["checks"], list(row.variables)) == ("rnn-a-student", checks, variables)
    text = Page(render_page(summary)).text
    assert "The bits of rnn-a-student were chosen in 7.50 s: each piece" in text
    assert "on 256 videos that decide, and 2 whole models on 1,210." in text
    assert "Variables of rnn-a-student in the bits of auto, with what the model expects to lose of its GAP" in text


def test_the_page_says_why_there_is_no_ensemble_in_8_bits(full_run, page):
    said = "No ensemble of members in 8 bits, as in the paper, is among these"
    assert said not in page.text
    for record in full_run:
        record["details"].pop("paper_point", None)
    assert said in Page(render_page(build(full_run))).text


def test_long_tables_are_truncated_with_a_note(full_run):
    for record in full_run:
        if record["node"] == "select-netvlad":
            record["details"]["table"] = [{"members": [f"m{place}"], "gap": 0.5} for place in range(120)]
    page = Page(render_page(build(full_run)))
    assert "the best 40 of 120; all are in summary.json" in page.text


@pytest.mark.parametrize(("classes", "name"), [pytest.param(20.0, "GAP@20", marks=pytest.mark.slow), (3.0, "GAP@3")])
def test_the_head_says_how_many_predictions_count_in_gap(full_run, classes, name):
    for record in full_run:
        if "gap_top_k" in record["metrics"]:
            record["metrics"]["gap_top_k"] = classes
    html = render_page(build(full_run))
    assert f"One exported model: {name} <" in html
    assert f"<dt>{name} on 1,190 report videos</dt>" in html
    assert f"GAP is {name}, the global average precision over the {name[4:]} most likely classes" in html
    assert "<dt>Accuracy</dt>" not in html


def test_the_head_gives_the_accuracy_where_every_video_has_one_label(full_run):
    for record in full_run:
        if record["stage"] == "export":
            record["metrics"] |= {"accuracy": 0.81234, "balanced_accuracy": 0.71234}
    html = render_page(build(full_run))
    assert re.search(r"<dt>Accuracy</dt><dd>.*0\.81234.*</dd><dd class=\"more\">.*0\.71234", html)


@pytest.mark.slow
def test_every_table_and_plot_of_gap_says_on_which_videos_it_was_computed(full_run, page):
    text = render_page(build(full_run))
    captions = [re.sub("<[^>]*>", "", each) for each in re.findall(r"<caption>(.*?)</caption>", text, re.DOTALL)]
    columns = re.findall(r"<th[^>]*>([^<]*GAP[^<]*)</th>", text)
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert sum("GAP" in table for table in tables) >= 8
    for table, caption in zip(tables, captions, strict=True):
        if "GAP" in table and "paper" not in caption:
            heads = " ".join(re.findall(r"<th[^>]*>([^<]*)</th>", table))
            assert "1,190 report videos" in caption or ("GAP, select" in heads and "GAP, report" in heads), caption
    assert "GAP, select" in columns
    assert "GAP on 1,190 report videos" in page.text  # the plot of the models, and the headline
    assert "1,210 select videos, searched on" in page.text  # the plot of the frontier
    assert "all members in 8 bits, as in the paper" in page.text
    assert "1.93 MB with GAP 0.80377." in text
    assert "netvlad-a-student (4), netvlad-b-student (4)" in page.text
    assert "rnn-b-student (all in 8 bits, as in the paper)" in page.text
    assert "netvlad-a, training" in page.text  # the curves
    assert "netvlad-a, select" in page.text


@pytest.mark.slow
def test_curves_of_a_weighted_loss_say_that_the_hold_out_s_is_not(full_run, page):
    note = "Compare its lines with each other, not with its dots."
    assert note not in page.text
    full_run[0]["config"]["spec"] = full_run[0]["config"]["spec"] | {"layout": {"weight": "w"}}
    assert note in Page(render_page(build(full_run))).text


def test_the_head_says_what_was_measured_and_what_was_decided(page):
    said = "Measured on 1,190 report videos, which no model was trained on and on which nothing was decided."
    assert said in page.text
    assert "decided on 1,210 select videos, another part of the hold-out." in page.text
    assert "0.78712 to 0.82012 with 95% probability; standard error 0.00840" in page.text


def test_the_head_does_not_say_that_hold_out_videos_are_new_if_some_are_training_videos(full_run):
    full_run[0]["metrics"]["holdout_videos_in_training"] = 3.0
    text = Page(render_page(build(full_run))).text
    assert "Measured on 1,190 report videos, on which nothing was decided." in text
    assert "no model was trained on" not in text


def test_the_head_says_that_figures_of_the_papers_protocol_are_too_high(full_run):
    for record in full_run:
        if "part" in record["details"]:
            record["details"]["part"] = "hold-out"
        for key in ("videos", "select_videos", "report_videos"):
            if key in record["metrics"]:
                record["metrics"][key] = 2400.0
    page = Page(render_page(build(full_run)))
    assert "Measured on 2,400 hold-out videos" in page.text
    assert "decided on the same videos, as in the paper (data.report_share: 0), so that the figures" in page.text
    assert "GAP, report" not in page.text
    assert "netvlad-a, hold-out" in page.text


def test_figures_of_test_videos_are_beside_the_headline(full_run):
    for record in full_run:
        if record["stage"] == "export":
            record["metrics"] |= {"test_gap": 0.79, "test_gap_low": 0.77, "test_gap_high": 0.81, "test_videos": 1500.0}
    page = Page(render_page(build(full_run)))
    assert "GAP@20 on 1,500 test videos0.79000 0.77000 to 0.81000 with 95% probability" in page.text


def test_settings_are_listed_with_values_and_reasons_once_for_equal_steps(full_run):
    summary = build(full_run)
    trained = [record["node"] for record in full_run if record["stage"] == "train"]
    rows = {row.key: row for row in summary.settings}
    assert len(summary.settings) == 2
    assert rows["batch_size"].nodes == tuple(trained)
    assert (rows["batch_size"].value, rows["batch_size"].automatic) == (64, True)
    page = Page(render_page(summary))
    assert "9,600 training videos / 150 steps" in page.text
    assert f"{', '.join(trained[:5])} and {len(trained) - 5} more" in page.text


def test_texts_of_warnings_are_shown_as_they_are_and_never_as_markup(minimal_run):
    minimal_run[1]["metrics"] |= {"training_gap": 0.99, "kept_epoch": 9.0}
    minimal_run[1]["node"] = "train-<b>"
    text = render_page(build(minimal_run))
    assert "<code>train-&lt;b&gt;</code>" in text


def test_the_plot_of_models_names_the_best_one_where_everything_is_decided() -> None:
    models = [
        {"node": name, "stage": "train", "name": name, "family": "dbof", "metrics": {"gap": gap, "gap_select": select}}
        for name, gap, select in (("a", 0.6, 0.55), ("b", 0.58, 0.62))
    ]
    page = render_page(build(models))
    assert "The best on the videos that decide is b, with GAP 0.58000" in page
    assert '<td class="best"><data value="0.62">' in page
    assert page.count('class="best"') == 1
