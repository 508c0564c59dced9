"""The benchmark that combines the tables of several runs, tested through its output."""

import copy
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.report.conftest import FAMILIES
from tests.support.paths import REPOSITORY
from yt8m.records.record import NodeRecord
from yt8m.report.summarize import build_summary

SCRIPT = REPOSITORY / "benchmarks" / "tables_over_seeds.py"

STUDENTS = {
    f"{family}-{letter}-student": {"learn_from": family, "baseline": f"{family}-{letter}"}
    for family in FAMILIES
    for letter in "ab"
}

Tables = dict[str, dict[str, list[str]]]


def changed(records: list[dict[str, Any]], node: str, **metrics: float) -> list[dict[str, Any]]:
    """Copy the records of a run and change the figures of one node."""
    other = copy.deepcopy(records)
    (record,) = (each for each in other if each["node"] == node)
    record["metrics"] |= metrics
    return other


def printed(folder: Path, *runs: list[dict[str, Any]]) -> Tables:
    """Run the script; return its tables as title -> first cell -> the other cells."""
    paths = [folder / f"{number}.json" for number in range(len(runs))]
    for path, records in zip(paths, runs, strict=True):
        path.write_text(
            build_summary([NodeRecord.parse(record, record["node"]) for record in records], STUDENTS).model_dump_json()
        )
    output = subprocess.run([sys.executable, SCRIPT, *paths], check=True, capture_output=True, text=True).stdout
    tables: Tables = {}
    blocks = output.strip().split("\n\n")
    for title, table in zip(blocks[::2], blocks[1::2], strict=True):
        rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:])
        tables[title.partition(",")[0]] = {first: rest for first, *rest in rows}
    return tables


def spread(values: list[float]) -> str:
    return f"{statistics.mean(values):+.4f} ± {statistics.stdev(values):.4f}"


def test_averaging_has_a_row_per_family_over_its_models_and_runs_beside_the_paper(tmp_path, full_run) -> None:
    other = changed(full_run, "average-rnn-a", gap_before=0.7, gap_after=0.71)
    models = [each for each in full_run if each["node"].startswith("average-rnn")]
    table = printed(tmp_path, full_run, other)["Averaging by family"]
    assert table["rnn"] == [spread([0.0021] * (2 * len(models) - 1) + [0.01]), "+0.0034"]
    assert table["dbof"][1] == "+0.0022"


def test_the_sign_of_distillation_is_shown_for_every_run(tmp_path, full_run) -> None:
    other = changed(full_run, "average-dbof-a-student", gap=0.7)
    gain, each, paper = printed(tmp_path, full_run, other)["Distillation by family"]["dbof"]
    gains = [(0.0042 + 0.0046) / 2, (0.7 - 0.768 + 0.0046) / 2]
    assert gain == spread(gains)
    assert each == ", ".join(f"{value:+.4f}" for value in gains)
    assert paper == "+0.0041"


def test_teachers_together_are_compared_with_the_best_candidate_though_it_was_not_chosen(tmp_path, full_run) -> None:
    # The chosen candidates are a, b and c; the best one is d.
    best, ensemble, gain = printed(tmp_path, full_run)["Teachers"]["netvlad"]
    assert [float(cell) for cell in (best, ensemble, gain)] == pytest.approx([0.784, 0.792, 0.008])


def test_kinds_of_classes_quantization_and_members_are_printed(tmp_path, full_run) -> None:
    other = copy.deepcopy(full_run)
    (search,) = (each for each in other if each["stage"] == "search_weights")
    for member in search["details"]["members"]:
        member["weight"] *= member["name"] != "rnn-b-student"
    tables = printed(tmp_path, full_run, other)
    assert set(tables["GAP by kind of class"]) == {"frequent", "rare_frames", "variance", "order", "co_occurrence"}
    assert all(sum("**" in cell for cell in row) == 1 for row in tables["GAP by kind of class"].values())
    assert tables["Quantization"]["rnn-a-student"] == ["0.77250 ± 0.00000", "0.77246 ± 0.00000", "1.100", "0.286"]
    assert tables["Ensemble"]["netfv-a-student"] == ["2 of 2", "0.276", "14.3%", "0.200 ± 0.000"]
    assert tables["Ensemble"]["rnn-b-student"] == ["1 of 2", "0.276", "14.3%", "0.050"]
