from pathlib import Path

import pytest

from yt8m.ensembling.files import Combination, EnsembleWeights, TeacherSelection
from yt8m.errors import ConfigError

ENSEMBLE = {
    "members": {"a": 0.75, "b": 0.25},
    "sizes": {"a": "8", "b": "auto"},
    "size_bytes": 10,
    "budget_bytes": 20,
    "method": "ours",
    "gap_select": 0.6,
    "gap": 0.4,
    "gap_float": 0.41,
}


def test_ensemble_weights_are_read_as_written(tmp_path: Path):
    weights = EnsembleWeights.parse(ENSEMBLE, "test")
    weights.save(tmp_path / "weights.json")
    assert EnsembleWeights.load(tmp_path / "weights.json") == weights


@pytest.mark.parametrize("members", [{}, {"a": 0.5, "b": 0.4}, {"a": 1.0, "b": 0.0}, {"a": 2.0, "b": -1.0}])
def test_weights_that_do_not_sum_to_one_or_are_not_positive_are_refused(members: dict[str, float]):
    with pytest.raises(ConfigError, match="test:"):
        EnsembleWeights.parse(ENSEMBLE | {"members": members, "sizes": dict.fromkeys(members, "8")}, "test")


@pytest.mark.parametrize("sizes", [{"a": "8"}, {"a": "8", "b": "8", "c": "8"}, {"a": "8", "b": "../4"}])
def test_every_member_has_one_size_which_can_name_a_folder(sizes: dict[str, str]):
    with pytest.raises(ConfigError, match=r"test: .*(expected a size of each|sizes\.b)"):
        EnsembleWeights.parse(ENSEMBLE | {"sizes": sizes}, "test")


def test_a_selection_is_read_as_written(tmp_path: Path):
    rows = (
        Combination(members=("a", "b"), gap_select=0.5, gap=0.4),
        Combination(members=("a", "c"), gap_select=0.25, gap=0.45),
    )
    selection = TeacherSelection(chosen=("a", "b"), gap_select=0.5, gap=0.4, combinations=rows)
    selection.save(tmp_path / "selection.json")
    assert TeacherSelection.load(tmp_path / "selection.json") == selection


def test_another_file_is_named_in_the_error(tmp_path: Path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"other\.json: chosen: required"):
        TeacherSelection.load(tmp_path / "other.json")
