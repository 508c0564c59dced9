import numpy as np
import pytest

from yt8m.errors import DataError
from yt8m.top_classes import top_classes


def test_ties_are_broken_by_the_smaller_class_also_at_the_edge_of_the_top_k():
    classes, scores = top_classes(np.array([[0.5, 0.7, 0.5, 0.7, 0.5], [0.0] * 5], np.float32), 3)
    assert classes.tolist() == [[1, 3, 0], [0, 1, 2]]
    assert scores[1].tolist() == [0, 0, 0]


def test_top_classes_are_those_of_a_full_sort():
    values = np.random.default_rng(0).integers(0, 40, (200, 90)).astype(np.float32)
    classes, _ = top_classes(values, 17)
    assert (classes == np.argsort(-values, axis=1, kind="stable")[:, :17]).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -0.5])
def test_numbers_that_are_no_probabilities_are_refused(bad: float):
    with pytest.raises(DataError, match="expected probabilities"):
        top_classes(np.full((1, 3), bad, np.float32), 2)
