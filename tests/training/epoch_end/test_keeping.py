from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tests.training import toy
from tests.training.test_loop import InterruptedTrainingError, assert_same_weights, interrupted_after
from yt8m.errors import ConfigError
from yt8m.models.inference import Predictor
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.epoch_end.holdout_sample import SampleFigures
from yt8m.training.loop import fit
from yt8m.training.steps import Steps
from yt8m.training.training_model import TrainingModel

EPOCHS = 4
KEPT = toy.CONFIG.model_copy(update={"epochs": EPOCHS})
LAST = KEPT.model_copy(update={"keep": "last"})
MEASURED = {"batch_norm_momentum": None}


class Scripted:
    """Sample that returns given GAPs, one after the other."""

    part = "select"

    def __init__(self, *gaps: float | None, loss: float | None = 1.0) -> None:
        self._gaps = iter(gaps)
        self._loss = loss

    def measure(self, predictor: Predictor, *, exclusive: bool) -> SampleFigures:
        assert not exclusive
        assert predictor(*toy.holdout()[:2]).shape == (toy.VIDEOS, toy.C)
        return SampleFigures(next(self._gaps), self._loss)


def epochs_of(number: int, folder, **changes):
    """Train a number of epochs and keep the last."""
    config = LAST.model_copy(update={"epochs": number, **changes})
    return toy.train(str(folder / f"{number}-epochs"), config)[0].network


@pytest.mark.parametrize(
    ("gaps", "kept"),
    [
        ([0.2, 0.6, 0.6, 0.1], 2),
        pytest.param([0.1, 0.2, 0.3, 0.4], 4, marks=pytest.mark.slow),
        pytest.param([0, 0, 0, 0], 1, marks=pytest.mark.slow),
    ],
)
def test_the_first_of_the_best_epochs_is_kept(tmp_path, gaps, kept):
    model, record = toy.train(str(tmp_path), KEPT, sample=Scripted(*gaps))
    assert (record.epoch, record.kept_epoch) == (EPOCHS, kept)
    assert_same_weights(model.network, epochs_of(kept, tmp_path))
    ends = [point for point in record.curve if point.step % toy.STEPS.steps_per_epoch == 0]
    assert [point.holdout_gap for point in ends] == gaps
    assert {point.holdout_loss for point in ends} == {1.0}
    assert {point.holdout_gap for point in record.curve if point not in ends} == {None}
    assert record.kept_point == ends[kept - 1]


@pytest.mark.parametrize("gaps", [[0.9, 0.5, 0.4, 0.3], pytest.param([None] * EPOCHS, marks=pytest.mark.slow)])
def test_keep_last_trains_as_if_nothing_was_measured(tmp_path, gaps):
    config = LAST.model_copy(update={"patience": 1})
    model, record = toy.train(str(tmp_path), config, sample=Scripted(*gaps))
    plain, before = toy.train(str(tmp_path / "plain"), LAST)
    assert_same_weights(model.network, plain.network)
    assert record.kept_epoch == EPOCHS
    assert [point.gap for point in record.curve] == [point.gap for point in before.curve]


def test_without_labels_in_the_sample_the_last_epoch_is_kept_and_a_warning_says_so(tmp_path, caplog):
    model, record = toy.train(str(tmp_path), KEPT.model_copy(update={"patience": 1}), sample=Scripted(*[None] * EPOCHS))
    assert (record.epoch, record.kept_epoch) == (EPOCHS, EPOCHS)
    assert_same_weights(model.network, epochs_of(EPOCHS, tmp_path))
    told = [record.message for record in caplog.records if "has a label" in record.message]
    assert len(told) == 1
    assert told[0].endswith("Therefore the last epoch is kept, and no training ends early.")


@pytest.mark.parametrize(
    ("patience", "done"),
    [
        pytest.param(1, 2, marks=pytest.mark.slow),
        (2, 3),
        pytest.param(3, 4, marks=pytest.mark.slow),
        pytest.param(None, 4, marks=pytest.mark.slow),
    ],
)
def test_patience_ends_a_training_and_the_best_epoch_stays(tmp_path, monkeypatch, patience, done):
    config = KEPT.model_copy(update={"patience": patience})
    model, record = toy.train(str(tmp_path), config, sample=Scripted(0.5, 0.4, 0.5, 0.45))
    assert (record.epoch, record.kept_epoch) == (done, 1)
    monkeypatch.setattr(toy, "read_epoch", None)
    again, same = toy.train(str(tmp_path), config, sample=Scripted())
    assert same == record
    assert_same_weights(model.network, again.network)


@pytest.mark.slow
def test_a_later_improvement_renews_the_patience(tmp_path):
    config = KEPT.model_copy(update={"patience": 2, "epochs": 6})
    _, record = toy.train(str(tmp_path), config, sample=Scripted(0.5, 0.4, 0.6, 0.4, 0.5, 0.9))
    assert (record.epoch, record.kept_epoch) == (5, 3)


class Inverted:
    """Sample on which a network becomes worse while it learns."""

    part = "select"

    def measure(self, predictor: Predictor, *, exclusive: bool) -> SampleFigures:
        figures = toy.Sample().measure(predictor, exclusive=exclusive)
        assert figures.gap is not None
        return SampleFigures(1 - figures.gap, figures.loss)


class Killed(Inverted):
    """The same sample, whose training is killed while it is measured."""

    def __init__(self, after: int) -> None:
        self._left = after

    def measure(self, predictor: Predictor, *, exclusive: bool) -> SampleFigures:
        figures = super().measure(predictor, exclusive=exclusive)
        self._left -= 1
        if not self._left:
            raise InterruptedTrainingError
        return figures


def killed_while_measured(epoch: int) -> Callable[..., None]:
    def train(folder: str, config, _) -> None:
        with pytest.raises(InterruptedTrainingError):
            toy.train(folder, config, sample=Killed(epoch))

    return train


def killed_after(steps: int) -> Callable[..., None]:
    def train(folder: str, config, monkeypatch) -> None:
        with interrupted_after(steps, monkeypatch):
            toy.train(folder, config, sample=Inverted())

    return train


@pytest.mark.parametrize("momentum", [0.9, None], ids=["moving", "measured"])
@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize(
    "kill", [killed_after(3), killed_after(9), killed_while_measured(1), killed_while_measured(3)]
)  # fmt: skip
@pytest.mark.slow
def test_a_killed_training_keeps_the_same_weights(tmp_path, monkeypatch, kill, keep, momentum):
    changes = {"checkpoint_every_steps": 2, "keep": keep, "batch_norm_momentum": momentum, "learning_rate": 0.05}
    config = KEPT.model_copy(update=changes)
    model, record = toy.train(str(tmp_path / "whole"), config, sample=Inverted())
    assert keep == "last" or record.kept_epoch < EPOCHS
    kill(str(tmp_path / "cut"), config, monkeypatch)
    continued, same = toy.train(str(tmp_path / "cut"), config, sample=Inverted())
    assert_same_weights(model.network, continued.network)
    assert (same.kept_epoch, same.curve) == (record.kept_epoch, record.curve)


@pytest.mark.slow
def test_a_learning_rate_that_makes_epochs_worse_does_not_spoil_the_model(tmp_path):
    huge = {"learning_rate": 3.0}
    model, record = toy.train(str(tmp_path / "best"), KEPT.model_copy(update=huge), sample=toy.Sample())
    gaps = [point.holdout_gap for point in record.curve if point.holdout_gap is not None]
    assert record.kept_point.holdout_gap == max(gaps) > gaps[-1]
    assert_same_weights(model.network, epochs_of(record.kept_epoch, tmp_path, **huge))


def diverging(epoch: int, skip: int):
    """Read batches whose labels are not numbers in the third epoch."""
    labels = float("nan") if epoch == 2 else 1.0
    return toy.read_epoch(epoch, skip).map(
        lambda x, y: (x, {"labels": tf.cast(y["labels"], "float32") * labels})
    )  # fmt: skip


GOOD = r"\. Until then, epoch 1 was the best, with a select GAP of 0\.5000"


@pytest.mark.parametrize(("config", "good"), [(KEPT, GOOD), pytest.param(LAST, "", marks=pytest.mark.slow)])
def test_a_diverged_training_fails_and_says_which_epoch_was_good(tmp_path, config, good):
    expected = rf"nan in epoch 3, step 1{good}\. Lower training.learning_rate or set training.clip_norm\.$"
    with pytest.raises(ConfigError, match=expected):
        fit(
            TrainingModel(toy.network()),
            diverging,
            steps=Steps.of(toy.VIDEOS, EPOCHS, toy.B),
            config=config,
            checkpoint=Checkpoint(str(tmp_path), "d" * 64),
            description="toy",
            sample=Scripted(0.5, 0.4, 0.3),
        )


def test_predictions_that_are_not_numbers_are_a_divergence(tmp_path):
    with pytest.raises(ConfigError, match=r"training: the predictions after epoch 1 are not numbers\. Lower"):
        toy.train(str(tmp_path), KEPT, sample=Scripted(None, loss=float("nan")))


def test_progress_says_on_what_a_gap_was_computed_and_ends_with_the_training(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("yt8m.progress.SECONDS_BETWEEN_LINES", 0)
    config = KEPT.model_copy(update={"patience": 1})
    toy.train(str(tmp_path), config, sample=Scripted(0.25, 0.5, 0.375))
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("toy: ")]
    steps = [line for line in lines if ", step " in line]
    assert all(", training GAP 0." in line or ", training GAP 1." in line for line in steps)
    assert not any("select" in line for line in steps[:4])
    assert all(line.endswith(", select GAP 0.2500 (epoch 1, best 1)") for line in steps[4:8])
    assert all(line.endswith(", select GAP 0.5000 (epoch 2, best 2)") for line in steps[8:])
    assert "select GAP 0.3750 (epoch 3, best 2)" in lines[-2]
    assert lines[-1].startswith("toy: 96/96 videos (100%)")
    assert lines[-1].endswith("ended early: no higher select GAP since epoch 2")
    assert "left" not in lines[-1]


def test_the_figures_of_the_sample_are_those_of_the_kept_weights(tmp_path):
    model, record = toy.train(str(tmp_path), KEPT.model_copy(update=MEASURED), sample=toy.Sample())
    again = toy.Sample().measure(toy.predictor(model.network), exclusive=False)
    assert again.gap == record.kept_point.holdout_gap
    assert again.loss == pytest.approx(record.kept_point.holdout_loss, rel=1e-6)
    assert np.isfinite(again.loss)
