"""The end of an epoch: the network is measured on a sample of the hold-out, and its weights may be kept."""

from typing import Any

import numpy as np
import numpy.typing as npt

from yt8m.models.inference import Predictor, keras_predictor
from yt8m.training.config import TrainingConfig
from yt8m.training.epoch_end.batch_statistics import BatchStatistics, read_state, write_state
from yt8m.training.epoch_end.holdout_sample import Sample, SampleFigures
from yt8m.training.steps import Steps, TrainingRecord
from yt8m.training.training_model import TrainingModel


class Keeping:
    """Measures a network after every epoch, and keeps the weights that become the model.

    With `keep: best`, these are the weights of the epoch with the highest GAP on the sample, the first of equals. If
    the sample has no GAP, because none of its videos has a label, and with `keep: last`, the last epoch counts.

    Args:
        model: Training model around the network.
        config: What is kept, and when a training ends early.
        sample: Videos on which the network is measured. None measures nothing.
        statistics: Measurement of the batch statistics. None leaves the moving statistics as the training moved them.
    """

    def __init__(
        self, model: TrainingModel, config: TrainingConfig, sample: Sample | None, statistics: BatchStatistics | None
    ) -> None:
        self._model = model
        self._config = config
        self._sample = sample
        self._statistics = statistics
        self._predictor: Predictor = keras_predictor(model.network)
        self.weights: list[npt.NDArray[Any]] = []
        """All weights of the kept epoch, measured statistics among them. Empty if those of the last epoch are kept."""

    @property
    def part(self) -> str:
        """Part of the hold-out to which the sample belongs."""
        return self._sample.part if self._sample else "hold-out"

    def end_epoch(self, record: TrainingRecord) -> tuple[SampleFigures | None, bool]:
        """Measure the network after an epoch, and keep its weights if they are better than those kept before.

        The training can continue as if nothing was measured.

        Args:
            record: Record of the epochs before.

        Returns:
            The figures, None without a sample, and whether this epoch is now the one to keep.
        """
        if self._sample is None:
            return None, True
        network = self._model.network
        state = read_state(network)
        if self._statistics:
            self._statistics.measure()
        figures = self._sample.measure(self._predictor, exclusive=self._model.exclusive)
        best = record.kept_point.holdout_gap if record.kept_epoch else None
        better = self._config.keep == "last" or figures.gap is None or best is None or figures.gap > best
        if better and self._config.keep == "best":
            self.weights = _copy_weights(network)
        write_state(network, state)
        return figures, better

    def is_finished(self, record: TrainingRecord, steps: Steps) -> bool:
        """Return whether all epochs are done, or the last ones have brought no higher GAP."""
        if record.epoch >= steps.epochs:
            return True
        patience = self._config.patience if self._config.keep == "best" else None
        return patience is not None and record.step == 0 and record.epoch - record.kept_epoch >= patience

    def finish(self) -> bool:
        """Give the network the weights that are kept, for good.

        Returns:
            Whether `weights` have changed, and must be saved so that they are not measured again.
        """
        network = self._model.network
        if self.weights:
            for variable, value in zip(network.weights, self.weights, strict=True):
                variable.assign(value)
            return False
        self._model.use_averages()
        if not self._statistics:
            return False
        self._statistics.measure()
        self.weights = _copy_weights(network)
        return True


def _copy_weights(network: Any) -> list[npt.NDArray[Any]]:
    return [np.asarray(variable).copy() for variable in network.weights]
