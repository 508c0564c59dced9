"""Keras model for training: a network with its loss, running GAP and averages."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from yt8m.losses import as_distribution, binary_crossentropy, categorical_crossentropy, mixed_targets
from yt8m.models.head import has_exclusive_classes
from yt8m.training.streaming_gap import StreamingGAP


class TrainingModel(keras.Model):
    """Wraps a network with its loss, its running GAP and optional averages of its batch statistics.

    The loss is the cross entropy with labels, and with soft targets if the data has them, plus the network's penalties.
    It is the categorical cross entropy for networks with a softmax head, and that of independent classes for others.

    Keras' optimizers average trainable weights only (`use_ema`). The moving means and variances of batch normalization
    are not trainable, so this model keeps their averages among its own weights.

    Args:
        network: Built `keras.Model` from `{"frames", "num_frames"}` to probabilities `(B, C)`.
        label_weight: Lambda of equation 2 for data with soft targets.
        averaging_decay: Decay of the averages of the batch statistics. None keeps no averages.
        class_weights: Factor of the cross entropy of each class, float32 `(C,)`. None weights all classes equally.

    Call arguments:
        inputs: Dict of `frames`, uint8 `(B, T, D)`, and `num_frames`, int32 `(B,)`.

    Targets:
        Dict of `labels` `(B, C)`; for students, `soft_targets` `(B, C)`; for videos with weights, `weights` `(B,)`.
    """

    def __init__(
        self,
        network: Any,
        label_weight: float = 1.0,
        averaging_decay: float | None = None,
        class_weights: npt.NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(name="training", dtype="float32")
        self.network = network
        self.label_weight = label_weight
        self.averaging_decay = averaging_decay
        self.exclusive = has_exclusive_classes(network)
        self.class_weights = class_weights
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
        return sum(self.losses, start=self._crossentropy(y, y_pred))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the mean loss, including penalties, and the GAP of the epoch so far."""
        del x, sample_weight
        self.gap.update_state(y["labels"], y_pred)
        return self.get_metrics_result()

    def _crossentropy(self, y: Any, y_pred: Any) -> Any:
        targets, soft_targets = y["labels"], y.get("soft_targets")
        if soft_targets is not None:
            soft_targets = as_distribution(soft_targets) if self.exclusive else soft_targets
            targets = mixed_targets(targets, soft_targets, self.label_weight)
        crossentropy = categorical_crossentropy if self.exclusive else binary_crossentropy
        return crossentropy(targets, y_pred, self.class_weights, y.get("weights"))

    def use_averages(self) -> None:
        """Replace weights and batch statistics of the network by their averages, permanently."""
        self.optimizer.finalize_variable_values(self.trainable_variables)
        if self.averaging_decay is not None:
            for statistic, average in zip(self._statistics(), self.averaged_statistics, strict=True):
                statistic.assign(average)
        for variable in self.network.weights:
            # Copies, because JAX frees the memory of variables that it updates in place, which averages would share.
            variable.assign(np.asarray(variable).copy())

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
