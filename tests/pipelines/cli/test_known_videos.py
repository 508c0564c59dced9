"""`yt8m evaluate --run --input` tells which of the measured videos the run has read before."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.cli import known_videos
from pipelines.cli.known_videos import compare_with_run
from tests.pipelines.cli.conftest import evaluate
from yt8m.data.partition import Partition
from yt8m.data.scan import hold_out_all
from yt8m.stages.result import StageResult


@pytest.fixture
def write(tmp_path: Path, shards: SimpleNamespace) -> Callable[..., str]:
    """Return a function that writes videos of these numbers into a new shard."""

    def made(*numbers: int) -> str:
        path: str = shards.write(
            tmp_path / "new.tfrecord", [shards.video_of(number, labels=[number % 7, 9]) for number in numbers]
        )
        return path

    return made


def compare(uris: list[str], partition: Partition) -> Any:
    return compare_with_run(hold_out_all(uris, partition.spec, "skip"), partition, "RUN")


def test_videos_of_both_sides_are_found_in_other_shards(finished: Path, write: Callable[..., str]) -> None:
    """Half of the hold-out decided; the fixture has training videos from 0 and hold-out videos from 100."""
    known = Partition.load(finished / "partition")
    uri = write(300, 0, 21, *range(100, 161))
    found = compare([uri], known)
    assert (found.in_training, found.in_select) == (2, known.division.select_videos)
    assert 0 < found.in_select < 61
    learned, decided = found.warnings
    assert f"2 of 64 videos have the ids of training videos of RUN, for instance '0000' in {uri}." in learned
    assert f"{found.in_select} of 64 videos have the ids of videos that decide in RUN (the part `select` of" in decided
    assert compare([write(300, 301)], known) == (0, 0, ())


def test_all_videos_of_a_hold_out_that_is_not_divided_decide(finished: Path, write: Callable[..., str]) -> None:
    found = compare([write(300, 100, 160)], Partition.load(finished / "undivided"))
    assert (found.in_training, found.in_select) == (0, 2)
    assert "2 of 3 videos have the ids of videos that decide in RUN (its hold-out)" in found.warnings[0]


def test_what_was_not_compared_is_said(
    finished: Path, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = Partition.load(finished / "partition")
    uri = write(300, 0, 100)
    monkeypatch.setattr(known_videos, "_MOST_BYTES", 1000)
    found = compare([uri], known)
    assert (found.in_training, found.in_select) == (None, None)
    for side, said in zip(("training", "hold-out"), found.warnings, strict=True):
        assert f"no shard of 1 is a {side} shard of RUN. Only whole shards were compared with this side" in said
        assert "kB, at most 1.0 kB are read for this." in said
    # Copies of whole shards are recognized by their checksum.
    copies = [str(tmp_path / "a"), str(tmp_path / "b")]
    for uri, copy in zip((known.training_uris[0], known.holdout_uris[0]), copies, strict=True):
        shutil.copy(uri, copy)
    learned, decided = compare(copies, known).warnings
    assert f"1 of 2 shards are training shards of RUN, for instance {copies[0]}. Figures on videos that" in learned
    assert f"1 of 2 shards are hold-out shards of RUN, for instance {copies[1]}." in decided


@pytest.mark.parametrize("change", ["gone", "other content"])
def test_a_run_whose_shards_have_changed_is_compared_as_far_as_it_can_be(
    finished: Path, tmp_path: Path, write: Callable[..., str], change: str
) -> None:
    known = Partition.load(finished / "partition")
    first, second = known.training
    replaced = {
        "gone": first.model_copy(update={"uri": str(tmp_path / "gone.tfrecord")}),
        "other content": first.model_copy(update={"checksum": "0"}),
    }
    found = compare([write(0, 21)], known.model_copy(update={"training": (replaced[change], second)}))
    assert found.in_training == (None if change == "gone" else 2)
    said = {
        "gone": f"not the ids of videos: of its shards, {tmp_path / 'gone.tfrecord'} is gone.",
        "other content": f"1 of these have changed since it read them, for instance {first.uri}.",
    }
    assert said[change] in found.warnings[-1]


def test_the_command_warns_and_has_the_numbers(finished: Path, run: Callable, write: Callable[..., str]) -> None:
    root, uri = run(), write(300, 0, 1, *range(100, 120))
    result = evaluate("--run", root, "--input", uri, "--json")
    found = json.loads(result.stdout)
    assert found["videos_in_training"] == 2
    assert 0 < found["videos_in_select"] < 20
    assert f"2 of 23 videos have the ids of training videos of {root}" in found["warnings"][0]
    shown = evaluate("--run", root, "--input", uri).stdout
    assert "videos_in_training 2\n" in shown
    assert f"videos_in_select   {found['videos_in_select']}\n" in shown
    own = json.loads(evaluate("--run", root, "--json").stdout)
    assert not {"videos_in_training", "videos_in_select", "warnings"} & own.keys()


def test_the_shards_of_the_run_are_told(finished: Path, run: Callable, caplog: pytest.LogCaptureFixture) -> None:
    assert evaluate("--run", run(), "--input", finished / "data" / "train*.tfrecord").exit_code == 0
    assert "--input: 40 of 40 videos have the ids of training videos of " in caplog.text


@pytest.mark.parametrize(("number", "doubtful"), [(300, False), (0, True)])
def test_a_verdict_on_known_videos_refers_to_the_warning(
    run: Callable, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch, number: int, doubtful: bool
) -> None:
    measured = {"gap": 0.5, "baseline_gap": 0.2, "gain_error": 0.01, "gap_top_k": 20.0, "videos": 1.0}
    monkeypatch.setattr("yt8m.stages.evaluate.evaluate", lambda **_: StageResult(measured, {"part": "hold-out"}))
    shown = evaluate("--run", run(), "--input", write(number)).stdout
    assert ("better than label frequencies alone, but see the warnings" in shown) is doubtful
