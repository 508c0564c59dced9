"""`yt8m evaluate` on a run: which videos count, and what it says of single classes."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from pipelines.cli import main
from pipelines.cli.by_class import rows_of, show_rows
from pipelines.runs.state import NodeState, RunState, State
from tests.support.videos import video_of, write_shard
from yt8m.class_metrics.figures import ClassFigures
from yt8m.data.partition import Partition
from yt8m.data.vocabulary.files import write_vocabulary
from yt8m.data.vocabulary.names import ClassNames
from yt8m.report.warnings.sources import beats_baseline
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.stages.result import StageResult

NAMES = ["red, dark", "green", "blue", *(f"kind {number}" for number in range(3, 9)), "every"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, shards: SimpleNamespace) -> Path:
    """Make the artifacts of a run with two models of random weights, one of them averaged and quantized."""
    from tests.support.toy_ensemble import (  # noqa: PLC0415 - imports Keras
        export_ensemble,
        write_member,
        write_quantized_model,
        write_weights,
    )

    root = tmp_path_factory.mktemp("finished")
    data = root / "data"
    data.mkdir()
    shards.describe(data, vocabulary="vocabulary.csv")
    write_vocabulary(data / "vocabulary.csv", dict(enumerate(NAMES)))

    def videos(first: int, count: int) -> list[Any]:
        return [shards.video_of(number, labels=[number % 7, 9]) for number in range(first, first + count)]

    for name, first, count in (("train0", 0, 20), ("train1", 20, 20), ("validate0", 100, 30), ("validate1", 130, 31)):
        shards.write(data / f"{name}.tfrecord", videos(first, count))
    shards.write(data / "test0.tfrecord", videos(200, 12))
    patterns: dict[str, Any] = {"training": (f"{data}/train*",), "validation": (f"{data}/validate*",)}
    for name, share in (("partition", 0.5), ("undivided", 0.0)):
        config = PrepareConfig(**patterns, holdout_shards=2, report_share=share, spec=shards.spec)
        prepare(config=config, output=root / name)
    write_quantized_model(root / "one", 1, spec=shards.spec)
    write_quantized_model(root / "two", 2, spec=shards.spec)
    write_member(root / "member", root / "one" / "quantized")
    weights = write_weights(root / "weights.json", {"one": 1.0})
    names = str(data / "vocabulary.csv")
    export_ensemble({"one": root / "one" / "quantized"}, weights, root, vocabulary=names)
    return root


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the state of a run with these artifacts and returns its root."""

    def write(partition: str = "partition", states: dict[str, State] | None = None) -> Path:
        outputs = {
            "prepare": {"partition": finished / partition},
            "train-one": {"model": finished / "two" / "float"},
            "average-one": {"averaged": finished / "one" / "float"},
            "quantize-one": {"member": finished / "member"},
            "train-two": {"model": finished / "two" / "float"},
            "export": {"exported": finished / "export"},
        }
        nodes = {
            name: NodeState(
                title=name,
                state=(states or {}).get(name, "done"),
                outputs={key: str(path) for key, path in made.items()},
            )
            for name, made in outputs.items()
        }
        root = tmp_path / "runs" / "first"
        root.mkdir(parents=True)
        RunState(root, "first", nodes).save()
        return root

    return write


def evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def figures(*arguments: object) -> dict[str, Any]:
    result = evaluate(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def expected(finished: Path, name: str, model: str = "one/float") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the probabilities of a model, the labels, and whether videos are in the part *report*."""
    from yt8m.data.reading import read_videos  # noqa: PLC0415 - TensorFlow
    from yt8m.models.files import load_model  # noqa: PLC0415 - Keras

    partition = Partition.load(finished / name)
    batch = next(
        read_videos(partition.holdout_uris, partition.spec, batch_size=500, with_groups=True).as_numpy_iterator()
    )
    inputs = {"frames": batch["frames"], "num_frames": batch["num_frames"]}
    scores = np.asarray(load_model(finished / model).model(inputs, training=False))
    return scores, batch["labels"], partition.division.in_report(batch["groups"])


def gap_of(scores: np.ndarray, labels: np.ndarray) -> float:
    """Compute GAP of all classes as its definition says."""
    order = np.argsort(-scores, axis=None)
    hits = labels.reshape(-1)[order]
    return float((np.cumsum(hits) / np.arange(1, hits.size + 1) * hits).sum() / hits.sum())


def test_a_model_of_a_run_is_measured_on_the_part_that_decided_nothing(finished: Path, run: Callable) -> None:
    root = run()
    found = figures("--run", root, "--model", "one")
    scores, labels, report = expected(finished, "partition")
    assert 0 < report.sum() < len(report) == 61
    assert (found["part"], found["videos"], found["shards"]) == ("report", report.sum(), 2)
    assert found["gap"] == pytest.approx(gap_of(scores[report], labels[report]), abs=1e-6)
    assert found["gap_low"] < found["gap"] < found["gap_high"]
    assert found["baseline_gap"] > 0
    assert (found["run"], found["model"], found["node"]) == (str(root), "one", "average-one")
    shown = evaluate("--run", root, "--model", "one").output
    assert f"model              one of {root} (node average-one)" in shown
    assert f"computed on        {report.sum()} of 61 hold-out videos of 2 shards: the part `report`" in shown
    assert f"gap_low            {found['gap_low']:.5f}" in shown
    assert found["beats_baseline"] is beats_baseline(found)
    verdict = "better than" if found["beats_baseline"] else "worthless: "
    assert f"verdict            {verdict}" in shown


@pytest.mark.parametrize(("gap", "said"), [(0.5, "better than label frequencies alone"), (0.22, "worthless: ")])
def test_a_worthless_model_is_called_so(
    finished: Path, run: Callable, monkeypatch: pytest.MonkeyPatch, gap: float, said: str
) -> None:
    figures = {"gap": gap, "baseline_gap": 0.2, "gain_error": 0.01, "gap_top_k": 20.0, "videos": 50.0}
    monkeypatch.setattr("yt8m.stages.evaluate.evaluate", lambda **_: StageResult(figures, {"part": "hold-out"}))
    shown = evaluate("--run", run("undivided"), "--model", "one").output
    assert f"verdict            {said}" in shown


@pytest.mark.slow
def test_an_undivided_hold_out_is_measured_as_a_whole(finished: Path, run: Callable) -> None:
    root = run("undivided")
    found = figures("--run", root, "--model", "two")
    scores, labels, _ = expected(finished, "undivided", "two/float")
    assert (found["part"], found["videos"], found["node"]) == ("hold-out", 61, "train-two")
    assert found["gap"] == pytest.approx(gap_of(scores, labels), abs=1e-6)
    assert "all 61 hold-out videos of 2 shards: the run chose by them, too" in evaluate("--run", root).output


@pytest.mark.slow
def test_names_choose_the_exported_model_final_weights_and_the_weights_of_a_node(run: Callable) -> None:
    root = run()
    found = {
        name: figures("--run", root, *options)
        for name, options in {
            "default": (),
            "export": ("--model", "export"),
            "quantized": ("--model", "quantize-one"),
            "trained": ("--model", "train-one"),
            "two": ("--model", "two"),
        }.items()
    }
    nodes = [each["node"] for each in found.values()]
    assert nodes == ["export", "export", "quantize-one", "train-one", "train-two"]
    assert found["default"]["gap"] == found["export"]["gap"] == pytest.approx(found["quantized"]["gap"], abs=1e-4)
    # The node train-one has the weights of the other model in this run.
    assert found["trained"]["gap"] == found["two"]["gap"] != found["export"]["gap"]


@pytest.mark.slow
def test_other_shards_count_as_a_whole(finished: Path, run: Callable) -> None:
    found = figures("--run", run(), "--input", finished / "data" / "test0.tfrecord")
    assert (found["part"], found["videos"], found["shards"]) == ("input", 12, 1)
    assert found["baseline_gap"] > 0
    assert "gap_select" not in found
    alone = figures("--model", finished / "export", "--input", finished / "data" / "test0.tfrecord")
    assert alone["gap"] == found["gap"]
    assert alone["part"] == "input"
    assert "baseline_gap" not in alone


def test_training_shards_are_told(finished: Path, run: Callable, caplog: pytest.LogCaptureFixture) -> None:
    figures("--run", run(), "--input", finished / "data" / "train*.tfrecord")
    assert "--input: 2 of 2 shards are training shards of " in caplog.text


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--run: missing. Give a run, or the folder of a model"),
        (["--model", "."], "--input: missing. A folder does not tell on which videos its model was trained"),
        (["--run", "RUN", "--model", "ome"], "has no model 'ome'. Did you mean 'one'? Known: export, one, two."),
        (["--run", "RUN", "--model", "quantize-two"], "has no model 'quantize-two'"),
        (["--run", "RUN", "--model", "."], "To evaluate a folder, leave out --run and give --input."),
        (["--run", "RUN", "--on-bad", "fail"], "--on-bad: only with --input"),
        (["--run", "RUN", "--layout", "id=x"], "--layout: only with --input"),
        (["--run", "RUN", "--by-class", "classes.txt"], "--by-class: expected a file that ends in .csv"),
        (["--run", "RUN", "--predictions", "/proc/x"], "'--predictions': /proc/x cannot be written: "),
        (["--run", "nowhere"], "nowhere: not a run on this machine, because nodes.json is missing"),
        (["--run", ""], "RUN: it is empty"),
    ],
)
def test_impossible_requests_are_refused(run: Callable, options: list[str], said: str) -> None:
    root = run()
    result = evaluate(*[root if each == "RUN" else each for each in options])
    assert (result.exit_code, said in result.stderr) == (2, True), result.output


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({"export": "waiting"}, "node export has no result to use; it is waiting. `yt8m run` with the run's recipe"),
        ({"export": "running"}, "node export has no result to use; it is stopped."),
        ({"export": "stale"}, "node export has no result to use; it is stale. A node that it depends on"),
        ({"prepare": "failed"}, "node prepare has no result to use; it is failed."),
    ],
)
def test_a_run_that_has_not_finished_is_refused(run: Callable, states: dict[str, State], said: str) -> None:
    result = evaluate("--run", run(states=states))
    assert (result.exit_code, said in result.stderr) == (2, True), result.output


def test_a_model_that_is_done_can_be_measured_before_the_run_ends(run: Callable) -> None:
    assert figures("--run", run(states={"export": "waiting"}), "--model", "one")["part"] == "report"


def test_a_run_of_another_version_is_refused(finished: Path, run: Callable, tmp_path: Path) -> None:
    content = json.loads((finished / "partition").read_text())
    (tmp_path / "partition").write_text(json.dumps(content | {"later": 1}))
    result = evaluate("--run", run(str(tmp_path / "partition")))
    assert (result.exit_code, "another version of yt8m made this run" in result.stderr) == (2, True), result.output


def test_artifacts_that_are_gone_are_named(run: Callable, tmp_path: Path) -> None:
    result = evaluate("--run", run(str(tmp_path / "partition")))
    assert (result.exit_code, f"{tmp_path}/partition: gone, although node prepare" in result.stderr) == (2, True)


def write_others(shard: Path) -> None:
    """Write other videos into a shard, which keeps its size."""
    size = shard.stat().st_size
    write_shard(shard, [video_of(number + 500, labels=[number % 7, 9]) for number in range(30)])
    assert shard.stat().st_size == size


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda shard: shard.unlink(), "validate0.tfrecord is gone. Put them back. Or name other labeled shards"),
        (lambda shard: os.truncate(shard, 100), "validate0.tfrecord has 100 bytes instead of"),
        (write_others, "the shard has changed since"),
    ],
)
def test_shards_that_are_gone_or_changed_are_named(
    finished: Path, run: Callable, tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    shutil.copytree(finished / "data", tmp_path / "data")
    text = (finished / "partition").read_text().replace(str(finished / "data"), str(tmp_path / "data"))
    (tmp_path / "partition").write_text(text)
    change(tmp_path / "data" / "validate0.tfrecord")
    result = evaluate("--run", run(str(tmp_path / "partition")), "--by-class", tmp_path / "classes.csv")
    assert (result.exit_code, said in result.stderr) == (2, True), result.output
    assert not (tmp_path / "classes.csv").exists()


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


@pytest.mark.slow
def test_as_many_predictions_count_in_gap_as_in_the_run(finished: Path, run: Callable, tmp_path: Path) -> None:
    root = run()
    state = RunState.load(root)
    record = {"node": "train-two", "stage": "train", "config": {"evaluation": {"gap_top_k": 2}}}
    (tmp_path / "record.json").write_text(json.dumps(record))
    outputs = {**state.nodes["train-two"].outputs, "record": str(tmp_path / "record.json")}
    state.nodes["train-two"] = state.nodes["train-two"].model_copy(update={"outputs": outputs})
    state.save()
    assert figures("--run", root, "--model", "two")["gap_top_k"] == 2
    assert figures("--run", root, "--model", "two", "--gap-top-k", 3)["gap_top_k"] == 3
    assert figures("--run", root, "--model", "one")["gap_top_k"] == 10


def test_the_tables_of_classes_without_names_have_no_column_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of([ClassFigures(0.5, 0.5, 0.25, 0.125, 1, 2, 3)], ClassNames(), None)
    show_rows(Console(width=100), rows)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    header, row = lines[1:]
    assert header.split() == ["class", "AP", "precision", "recall", "training", "videos"]
    assert row.split() == ["0", "0.500", "0.250", "0.125", "2"]
