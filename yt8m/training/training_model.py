"""Keras model for training: a network with its loss, running GAP and averages."""

from typing import Any

import keras
import numpy as np

from yt8m.losses import binary_crossentropy, distillation_loss
from yt8m.training.streaming_gap import StreamingGAP


class TrainingModel(keras.Model):
    """Wraps a network with its loss, its running GAP and optional averages of its batch statistics.

    The loss is the cross entropy with labels, and with soft targets if the data has them, plus the network's penalties.

    Keras' optimizers average trainable weights only (`use_ema`). The moving means and variances of batch normalization
    are not trainable, so this model keeps their averages among its own weights.

    Args:
        network: Built `keras.Model` from `{"frames", "num_frames"}` to probabilities `(B, C)`.
        label_weight: Lambda of equation 2 for data with soft targets.
        averaging_decay: Decay of the averages of the batch statistics. None keeps no averages.

    Call arguments:
        inputs: Dict of `frames`, uint8 `(B, T, D)`, and `num_frames`, int32 `(B,)`.

    Targets:
        Dict of `labels` `(B, C)` and, for students, `soft_targets` `(B, C)`.
    """

    def __init__(self, network: Any, label_weight: float = 1.0, averaging_decay: float | None = None) -> None:
        super().__init__(name="training", dtype="float32")
        self.network = network
        self.label_weight = label_weight
        self.averaging_decay = averaging_decay
        self.gap = StreamingGAP()
        self.averaged_statistics = [] if averaging_decay is None else [self._average_of(v) for v in self._statistics()]

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the network's probabilities `(B, C)`."""
        return self.network(inputs, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Compute cross entropy plus penalties, and update the averages of the batch statistics in training."""
        del x
        assert sample_weight is None
        if training:
            self._update_averages()
        if "soft_targets" in y:
            loss = distillation_loss(y["labels"], y["soft_targets"], y_pred, self.label_weight)
        else:
            loss = binary_crossentropy(y["labels"], y_pred)
        return sum(self.losses, start=loss)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the mean loss, including penalties, and the GAP of the epoch so far."""
        del x, sample_weight
        self.gap.update_state(y["labels"], y_pred)
        return self.get_metrics_result()

    def use_averages(self) -> None:
        """Replace weights and batch statistics of the network by their averages, permanently."""
        self.optimizer.finalize_variable_values(self.trainable_variables)
        if self.averaging_decay is not None:
            for statistic, average in zip(self._statistics(), self.averaged_statistics, strict=True):
                statistic.assign(average)

    def _statistics(self) -> list[Any]:
        return list(self.network.non_trainable_weights)

    def _average_of(self, statistic: Any) -> Any:
        name = f"{statistic.path.replace('/', '_')}_average"
        average = self.add_weight(shape=statistic.shape, dtype=statistic.dtype, trainable=False, name=name)
        # A copy, because JAX cannot update two variables in place that share memory.
        average.assign(np.asarray(statistic).copy())
        return average

    def _update_averages(self) -> None:
        if self.averaging_decay is None:
            return
        for statistic, average in zip(self._statistics(), self.averaged_statistics, strict=True):
            average.assign(average * self.averaging_decay + statistic * (1 - self.averaging_decay))
