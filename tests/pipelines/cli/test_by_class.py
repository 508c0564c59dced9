"""`yt8m evaluate --by-class` on a run: what it says of single classes."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipelines.cli.by_class import rows_of, show_rows
from tests.pipelines.cli.conftest import NAMES, evaluate, expected, figures
from yt8m.class_metrics.figures import ClassFigures
from yt8m.data.vocabulary.names import ClassNames


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def expected_rows(measured: tuple, deciding: tuple) -> list[tuple[float | None, ...]]:
    """Compute average precision, precision and recall of every class, by counting at every score."""
    rows: list[tuple[float | None, ...]] = []
    for number in range(measured[0].shape[1]):
        scores, labels = measured[0][:, number], measured[1][:, number] != 0
        other, other_labels = deciding[0][:, number], deciding[1][:, number] != 0
        best, threshold = -1.0, None
        for cut in sorted(set(other[other_labels].tolist()), reverse=True):
            right = ((other >= cut) & other_labels).sum()
            f1 = 2 * right / ((other >= cut).sum() + other_labels.sum())
            if f1 > best:
                best, threshold = f1, cut
        order = np.argsort(-scores)
        hits = labels[order]
        average = (np.cumsum(hits) / np.arange(1, len(hits) + 1) * hits).sum() / max(hits.sum(), 1)
        said = scores >= threshold if threshold is not None else np.zeros(len(scores), bool)
        right = (said & labels).sum()
        rows.append(
            (
                average if labels.any() else None,
                right / said.sum() if threshold is not None and said.any() else None,
                right / labels.sum() if threshold is not None and labels.any() else None,
            )
        )
    return rows


def check_rows(rows: list[dict[str, str]], expected_figures: list[tuple[float | None, ...]]) -> None:
    for row, wanted in zip(rows, expected_figures, strict=True):
        given = [float(row[key]) if row[key] else None for key in ("average_precision", "precision", "recall")]
        assert given == [None if each is None else pytest.approx(each, abs=1e-6) for each in wanted], row


def test_thresholds_come_from_select_and_figures_from_report(finished: Path, run: Callable, tmp_path: Path) -> None:
    result = evaluate("--run", run(), "--model", "one", "--by-class", tmp_path / "classes.csv")
    assert result.exit_code == 0, result.output
    scores, labels, report = expected(finished, "partition")
    rows = read_rows(tmp_path / "classes.csv")
    check_rows(rows, expected_rows((scores[report], labels[report]), (scores[~report], labels[~report])))
    assert [row["name"] for row in rows] == NAMES
    assert [int(row["index"]) for row in rows] == list(range(10))
    assert [int(row["training_videos"]) for row in rows] == [6, 6, 6, 6, 6, 5, 5, 0, 0, 40]
    assert [int(row["videos"]) for row in rows] == (labels[report] != 0).sum(axis=0).tolist()
    assert [int(row["select_videos"]) for row in rows] == (labels[~report] != 0).sum(axis=0).tolist()
    cut = np.float32(rows[9]["threshold"])
    assert int(rows[9]["predicted_videos"]) == (scores[report][:, 9] >= cut).sum()
    assert rows[7]["threshold"] == rows[7]["average_precision"] == ""
    assert "the part `select` of the run's hold-out" in result.output
    assert "every" in result.output


@pytest.mark.slow
def test_thresholds_for_other_shards_come_from_the_whole_hold_out_if_it_is_not_divided(
    finished: Path, run: Callable, tmp_path: Path
) -> None:
    file, root = tmp_path / "classes.csv", run("undivided")
    places = ["--run", root, "--model", "one", "--input", finished / "data" / "validate1.tfrecord", "--by-class", file]
    assert figures(*places)["thresholds_from"] == "hold-out"
    scores, labels, _ = expected(finished, "undivided")
    check_rows(read_rows(file), expected_rows((scores[30:], labels[30:]), (scores, labels)))
    assert "on the run's hold-out (61 videos)" in " ".join(evaluate(*places).output.split())


@pytest.mark.slow
def test_thresholds_for_other_shards_come_from_the_run(finished: Path, run: Callable, tmp_path: Path) -> None:
    places = ["--input", finished / "data" / "validate1.tfrecord", "--by-class", tmp_path / "classes.csv"]
    found = figures("--run", run(), "--model", "one", *places)
    scores, labels, report = expected(finished, "partition")
    check_rows(
        read_rows(tmp_path / "classes.csv"),
        expected_rows((scores[30:], labels[30:]), (scores[~report], labels[~report])),
    )
    assert (found["thresholds_from"], found["part"], found["videos"]) == ("select", "input", 31)
    assert [each["name"] for each in found["classes"]] == NAMES


@pytest.mark.parametrize("with_run", [True, False])
def test_without_a_part_that_decides_thresholds_come_from_the_same_videos(
    finished: Path, run: Callable, tmp_path: Path, with_run: bool
) -> None:
    file = tmp_path / "classes.csv"
    pattern = finished / "data" / "validate*.tfrecord"
    of_run = ["--run", run("undivided"), "--model", "one"]
    options = of_run if with_run else ["--model", finished / "one" / "float", "--input", pattern]
    result = evaluate(*options, "--by-class", file)
    assert result.exit_code == 0, result.output
    scores, labels, _ = expected(finished, "undivided")
    rows = read_rows(file)
    check_rows(rows, expected_rows((scores, labels), (scores, labels)))
    assert rows[0]["name"] == NAMES[0]
    assert (rows[0]["training_videos"] == "6") is with_run
    assert "on the same videos, so that precision and recall are higher than on new ones" in result.output


@pytest.mark.parametrize("width", [48, 80, 200])
def test_the_tables_of_classes_fit_into_any_terminal(width: int) -> None:
    names = {number: f"a rather long name of class {number} [bold]" for number in range(30)}
    given = [ClassFigures(number / 30, 0.5, 0.25, 0.125, 1, 2, 3) for number in range(29)]
    rows = rows_of([*given, ClassFigures(None, None, None, None, 0, 0, None)], ClassNames(names), [7] * 30)
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    show_rows(console, rows)
    lines = console.export_text().splitlines()
    console.file.close()
    assert all(len(line) <= width for line in lines)
    shown = [line.split()[0] for line in lines if line.split()[:1] and line.split()[0].isdecimal()]
    assert shown == [*["28", "27", "26", "25", "24"], *["4", "3", "2", "1", "0"], "1"]
    assert ("a rather long name of class 28 [bold]" in "\n".join(lines)) is (width > 80)
    assert "0.933" in "\n".join(lines)
    assert lines[-1] == "1 class without a video to measure them on."


def test_the_tables_of_classes_without_names_have_no_column_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of([ClassFigures(0.5, 0.5, 0.25, 0.125, 1, 2, 3)], ClassNames(), None)
    show_rows(Console(width=100), rows)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    header, row = lines[1:]
    assert header.split() == ["class", "AP", "precision", "recall", "training", "videos"]
    assert row.split() == ["0", "0.500", "0.250", "0.125", "2"]
