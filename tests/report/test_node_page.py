"""Pages of single nodes from made-up records; `tests/components/test_node_pages.py` tests those of real nodes."""

import json
import subprocess
import sys

import pytest

from tests.report.conftest import curve
from tests.support.html_page import Page, assert_self_contained
from yt8m.errors import ConfigError
from yt8m.report.node_page import render_node_page

SECTIONS = {
    "average": ["averaging", "curves"],
    "prepare": ["data"],
    "quantize": ["quantization"],
    "search_weights": ["ensemble", "search"],
    "select_teachers": ["selection"],
    "train": ["curves"],
}


def render(record):
    return render_node_page(record, SECTIONS[record["stage"]])


@pytest.fixture
def records(full_run):
    """Return one record per stage."""
    return {record["stage"]: record for record in reversed(full_run)}


@pytest.mark.parametrize("stage", SECTIONS)
def test_a_page_has_every_figure_of_the_node_and_nothing_from_elsewhere(records, stage):
    text = render(records[stage])
    page = Page(text)
    assert_self_contained(text)
    assert page.open == []
    assert set(records[stage]["metrics"].values()) <= {value for value, _ in page.numbers}
    assert records[stage]["node"] in page.text
    assert "summary.json" not in page.text


@pytest.mark.parametrize("stage", ["train", "average"])
def test_a_training_shows_both_its_curves(records, stage):
    records[stage]["details"]["curve"] = curve(0.7)
    page = Page(render(records[stage]))
    assert len(page.all("svg")) == 1
    assert {"GAP", "loss"} <= {word.strip() for word in page.words}
    assert page.text.count(f"{records[stage]['name']}, training") == 2
    assert page.text.count(f"{records[stage]['name']}, select") == 2
    assert [word.strip() for word in page.words].count("step") == 2


def test_all_combinations_are_listed_and_the_chosen_one_is_marked(records):
    record = records["select_teachers"]
    record["details"] |= {"table": [{"members": [f"m{i}"], "gap": 0.5} for i in range(120)], "chosen": ["m7"]}
    page = Page(render(record))
    assert {f"m{i}" for i in range(120)} <= {word.strip() for word in page.words}
    assert [attributes for attributes in page.all("tr") if attributes.get("class") == "chosen"] == [{"class": "chosen"}]
    assert all("open" in attributes for attributes in page.all("details"))


def test_a_table_has_no_columns_that_only_other_nodes_fill(records):
    for stage in ("quantize", "search_weights"):
        page = Page(render(records[stage]))
        assert [attributes for attributes in page.all("span") if attributes.get("class") == "none"] == []


@pytest.mark.parametrize(
    ("stage", "heading"),
    [
        ("train", "train-logistic: GAP 0.70100 on 1,190 report videos, 2.08 MB"),
        ("average", "average-dbof-a: GAP 0.76800 on 1,190 report videos, 1.69 MB"),
        ("select_teachers", "select-netvlad: GAP 0.79200 on the report videos"),
        ("search_weights", "search-weights: GAP 0.80413 on 1,190 report videos, 7 members"),
        ("prepare", "prepare: 9,600 training videos, 2,400 hold-out videos"),
    ],
)
def test_the_heading_says_the_result_in_words(records, stage, heading):
    text = render(records[stage])
    shown = Page(text[text.index("<h1>") : text.index("</h1>") + 5]).text
    assert " ".join(shown.split()).replace(" ,", ",") == heading


def test_an_invalid_record_is_refused(records):
    with pytest.raises(ConfigError, match=r"train-.*: metrics.gap"):
        render({**records["train"], "metrics": {"gap": "high"}})


def test_pages_without_plots_do_not_import_matplotlib(records):
    code = (
        "import json, sys; from yt8m.report.node_page import render_node_page\n"
        "render_node_page(json.load(sys.stdin), sys.argv[1:]); sys.exit('matplotlib' in sys.modules)"
    )
    for stage, imported in {"select_teachers": 0, "quantize": 0, "search_weights": 1}.items():
        done = subprocess.run(
            [sys.executable, "-c", code, *SECTIONS[stage]], input=json.dumps(records[stage]), text=True, check=False
        )
        assert done.returncode == imported


def test_a_node_with_a_warning_has_it_at_the_head_of_its_page(records):
    assert "Training far above" not in Page(render(records["train"])).text
    records["train"]["metrics"]["training_gap"] = 0.99
    records["train"]["metrics"]["kept_epoch"] = 9.0  # not in the curve
    text = render(records["train"])
    head = Page(text[text.index("<header>") : text.index("</header>") + 9]).text
    assert "1 warning" in head
    assert "GAP 0.990 on the training videos, during the training, but 0.701 on 1,190 report videos." in head
