"""`yt8m evaluate` on a run: which videos and which model count, and what it refuses."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.runs.state import RunState, State
from tests.pipelines.cli.conftest import evaluate, expected, figures
from tests.support.videos import video_of, write_shard
from yt8m.report.warnings.sources import beats_baseline
from yt8m.stages.result import StageResult


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
            "8 bits": ("--model", "quantize-one@8"),
            "trained": ("--model", "train-one"),
            "two": ("--model", "two"),
        }.items()
    }
    nodes = [each["node"] for each in found.values()]
    assert nodes == ["export", "export", "quantize-one", "quantize-one", "train-one", "train-two"]
    assert found["default"]["gap"] == found["export"]["gap"] == pytest.approx(found["quantized"]["gap"], abs=1e-4)
    assert found["8 bits"]["gap"] == found["quantized"]["gap"]
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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--run: missing. Give a run, or the folder of a model"),
        (["--model", "."], "--input: missing. A folder does not tell on which videos its model was trained"),
        (["--run", "RUN", "--model", "ome"], "has no model 'ome'. Did you mean 'one'? Known: export, one, two."),
        (["--run", "RUN", "--model", "quantize-two"], "has no model 'quantize-two'"),
        (["--run", "RUN", "--model", "quantize-one@4"], "no size '4' in "),
        (["--run", "RUN", "--model", "one@8"], "one@8: only quantized models have sizes"),
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
