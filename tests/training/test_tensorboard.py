import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from tests.training import toy
from yt8m.training.checkpoint import Checkpoint
from yt8m.training.loop import fit
from yt8m.training.steps import Steps
from yt8m.training.training_model import TrainingModel


def test_logs_hold_loss_gap_and_learning_rate(tmp_path):
    record = fit(
        TrainingModel(toy.network()),
        toy.read_epoch,
        steps=Steps.of(toy.VIDEOS, 2, toy.B),
        config=toy.CONFIG,
        checkpoint=Checkpoint(str(tmp_path / "checkpoints"), "d" * 64),
        description="toy",
        tensorboard_uri=str(tmp_path / "logs"),
        sample=toy.Sample(),
    )
    (written,) = (tmp_path / "logs" / "train").iterdir()  # files of one second have no order
    assert written.is_file()
    logs = EventAccumulator(str(tmp_path / "logs" / "train")).Reload()
    assert {"epoch_loss", "epoch_gap", "epoch_learning_rate"} <= set(logs.Tags()["tensors"])
    assert [event.step for event in logs.Tensors("epoch_loss")] == [0, 1]
    holdout = EventAccumulator(str(tmp_path / "logs" / "validation")).Reload()
    for name in ("loss", "gap"):
        logged = [make_ndarray(event.tensor_proto).item() for event in holdout.Tensors(f"epoch_{name}")]
        expected = [getattr(point, f"holdout_{name}") for point in record.curve]
        assert logged == pytest.approx([value for value in expected if value is not None])
