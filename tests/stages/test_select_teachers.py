from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tests.support.predictions import dense, gap_of_mean, halved, members, multi_hot
from yt8m.ensembling.files import TeacherSelection
from yt8m.errors import ConfigError, DataError
from yt8m.metrics import StreamingMetrics
from yt8m.predictions import Predictions
from yt8m.stages.select_teachers import SelectConfig, select_teachers


def stored(folder: Path, found: list[Predictions]) -> dict[str, Path]:
    paths = {f"m{i}": folder / f"m{i}.predictions" for i in range(len(found))}
    for path, member in zip(paths.values(), found, strict=True):
        member.save(path)
    return paths


def test_every_combination_is_scored_and_the_best_chosen(tmp_path: Path):
    found = members(5)
    output = tmp_path / "selection.json"
    result = select_teachers(predictions=stored(tmp_path, found), config=SelectConfig(), output=output)
    expected = {}
    for chosen in combinations(range(5), 3):
        metrics = StreamingMetrics(60)
        metrics.update(sum(dense(found[i]) for i in chosen) / np.float32(3), multi_hot(found[0]))
        expected[tuple(f"m{i}" for i in chosen)] = metrics.result()["gap"]
    selection = TeacherSelection.load(output)
    assert {row.members: row.gap_select for row in selection.combinations} == pytest.approx(expected, abs=1e-6)
    gaps = [row.gap_select for row in selection.combinations]
    assert gaps == sorted(gaps, reverse=True)
    assert selection.chosen == max(expected, key=lambda key: expected[key])
    assert result.metrics == {"gap": selection.gap, "gap_select": selection.gap, "combinations": 10.0}
    assert result.details["part"] == "hold-out"
    best = {"members": list(selection.chosen), "gap_select": selection.gap, "gap": selection.gap}
    assert result.details["table"][0] == best


def test_one_part_of_the_hold_out_chooses_and_the_other_is_reported(tmp_path: Path):
    found = members(3, noise=1.5)
    output = tmp_path / "selection.json"
    # The first member, the best one, is useless on the videos that decide.
    found[0].scores[::2] = 0
    result = select_teachers(predictions=stored(tmp_path, halved(found)), config=SelectConfig(size=1), output=output)
    selection = TeacherSelection.load(output)
    assert selection.chosen == ("m1",)
    decisive, reported = np.arange(0, 400, 2), np.arange(1, 400, 2)
    assert selection.gap_select == pytest.approx(gap_of_mean(found[1:2], np.ones(1), decisive), abs=1e-6)
    assert selection.gap == pytest.approx(gap_of_mean(found[1:2], np.ones(1), reported), abs=1e-6)
    assert selection.gap < max(row.gap for row in selection.combinations)
    assert result.details["part"] == "report"


def test_the_size_of_a_combination_is_configurable(tmp_path: Path):
    output = tmp_path / "selection.json"
    select_teachers(predictions=stored(tmp_path, members(3)), config=SelectConfig(size=1), output=output)
    # Each member has more noise than the one before.
    assert TeacherSelection.load(output).chosen == ("m0",)


@pytest.mark.parametrize(("candidates", "teachers"), [(1, 1), (2, 2), (3, 3), (4, 3)])
def test_three_candidates_teach_unless_there_are_fewer(tmp_path: Path, candidates: int, teachers: int):
    found = select_teachers(
        predictions=stored(tmp_path, members(candidates)), config=SelectConfig(), output=tmp_path / "selection.json"
    )
    assert len(found.details["chosen"]) == found.details["settings"]["ensemble_size"]["value"] == teachers


def test_fewer_candidates_than_teachers_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"at least 3 candidates, received 2 \(m0, m1\)"):
        select_teachers(predictions=stored(tmp_path, members(2)), config=SelectConfig(size=3), output=tmp_path / "out")


def changed(member: Predictions, what: str) -> Predictions:
    match what:
        case "order":
            return replace(member, ids=member.ids[::-1].copy())
        case "videos":
            return members(1, videos=10)[0]
        case "top_k":
            return members(1, top_k=30)[0]
        case "classes":
            return replace(member, num_classes=61)
        case _:
            return replace(member, labels=(member.labels + 1).astype(np.uint16))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("order", "different ids at video 0, 'v00000' and 'v00399'"),
        ("videos", "different number of videos, 400 and 10"),
        ("top_k", "different numbers of classes stored per video, 60 and 30"),
        ("classes", "different number of classes, 60 and 61"),
        ("labels", "the same videos with different labels"),
    ],
)
def test_predictions_of_other_videos_are_refused_naming_both_files(tmp_path: Path, what: str, message: str):
    found = members(3)
    paths = stored(tmp_path, [found[0], found[1], changed(found[2], what)])
    with pytest.raises(DataError, match=rf"m0\.predictions and .*m2\.predictions: {message}"):
        select_teachers(predictions=paths, config=SelectConfig(), output=tmp_path / "out")


def test_predictions_with_too_few_classes_are_refused(tmp_path: Path):
    paths = stored(tmp_path, members(3, top_k=10))
    with pytest.raises(DataError, match=r"m0\.predictions: expected at least the top 20 .* received the top 10"):
        select_teachers(predictions=paths, config=SelectConfig(), output=tmp_path / "out")
