from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from yt8m.errors import DataError
from yt8m.predictions import Predictions, PredictionsBuilder


def small(top_k: int = 3) -> Predictions:
    builder = PredictionsBuilder(5, top_k)
    probabilities = [[0.1, 0.9, 0.2, 0.3, 0.0], [0.5, 0.4, 0.3, 0.2, 0.1]]
    builder.append([b"aaaa", b"b"], probabilities, [[0, 1, 0, 0, 1], [0] * 5], [True, False])
    builder.append(["cccc"], [[0.0, 0.0, 0.0, 0.0, 1.0]], [[1, 0, 0, 0, 0]])
    return builder.build()


def test_builder_keeps_the_best_classes_in_order_and_the_labels_of_every_video():
    predictions = small()
    assert predictions.ids.tolist() == [b"aaaa", b"b", b"cccc"]
    assert predictions.classes.tolist() == [[1, 3, 2], [0, 1, 2], [4, 0, 1]]
    np.testing.assert_allclose(predictions.scores[0], [0.9, 0.3, 0.2], rtol=1e-6)
    assert predictions.label_ptr.tolist() == [0, 2, 2, 3]
    assert predictions.labels.tolist() == [1, 4, 0]
    assert predictions.report.tolist() == [True, False, False]
    assert (predictions.num_videos, predictions.top_k, predictions.num_classes) == (3, 3, 5)


def test_top_k_is_at_most_the_number_of_classes():
    assert small(top_k=100).top_k == 5


def test_saved_predictions_are_loaded_unchanged(tmp_path: Path):
    predictions = small()
    predictions.save(tmp_path / "p.safetensors")
    loaded = Predictions.load(tmp_path / "p.safetensors")
    for name in ("ids", "classes", "scores", "label_ptr", "labels", "report"):
        saved, read = getattr(predictions, name), getattr(loaded, name)
        assert saved.dtype == read.dtype
        assert (saved == read).all()
    assert loaded.num_classes == 5


def test_the_parts_of_a_divided_hold_out_are_disjoint():
    predictions = small()
    assert predictions.part == "report"
    assert predictions.rows_report.tolist() == [0]
    assert predictions.rows_select.tolist() == [1, 2]


def test_both_parts_of_a_hold_out_that_is_not_divided_are_the_whole():
    predictions = replace(small(), report=np.zeros(3, np.bool_))
    assert predictions.part == "hold-out"
    assert predictions.rows_report.tolist() == predictions.rows_select.tolist() == [0, 1, 2]


def test_some_rows_have_their_own_labels():
    part = small().rows(np.array([2, 0]))
    assert part.ids.tolist() == [b"cccc", b"aaaa"]
    assert part.label_ptr.tolist() == [0, 1, 3]
    assert part.labels.tolist() == [0, 1, 4]
    assert part.report.tolist() == [False, True]


def test_no_videos_can_be_saved_and_loaded(tmp_path: Path):
    PredictionsBuilder(5).build().save(tmp_path / "empty")
    assert Predictions.load(tmp_path / "empty").num_videos == 0


@pytest.mark.parametrize("content", [None, b"", b"not safetensors at all"])
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes | None):
    path = tmp_path / "other"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"other: expected the predictions of a model"):
        Predictions.load(path)
