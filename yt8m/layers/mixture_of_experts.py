"""The mixture-of-experts head."""

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from yt8m.layers.logistic import log_odds

# The most an expert can be made to say at the start.
_MOST = 0.99


class MixtureOfExperts(keras.layers.Layer):
    """Predicts each class by a few logistic experts, mixed by gates that may also choose to say no.

    `gates = softmax` over `M + 1` of a dense layer without bias, `experts = sigmoid` of a dense layer with bias,
    `p = sum over m <= M of gate_m * expert_m`.

    Args:
        num_classes: Number of classes `C`.
        num_mixtures: Experts `M` per class.
        gate_rank: Rank of the gates' matrix; `None` for a full one.
        l2_penalty: `lambda` of `lambda * ||W||^2 / 2` on the matrices of gates and experts.
        **kwargs: As for every Keras layer.

    Call arguments:
        inputs: Float tensor `(B, H)`.

    Output shape:
        `(B, C)`, float32 probabilities.

    Weights:
        `gates/kernel` `(H, C * (M + 1))`, `experts/kernel` `(H, C * M)`, `experts/bias` `(C * M,)`:
        column `c * M + m` is expert `m` of class `c` (gates: `c * (M + 1) + m`, the last one says no). With a rank r,
        `gates_low_rank/kernel` `(H, r)` and `gates/kernel` `(r, C * (M + 1))`.

    Reference:
        - YouTube-8M's `MoeModel` ([Abu-El-Haija et al., 2016](https://arxiv.org/abs/1609.08675), section 5.2.3);
          low-rank gates as in [Miech et al., 2017](https://arxiv.org/abs/1706.06905).
    """

    def __init__(
        self,
        num_classes: int,
        num_mixtures: int,
        gate_rank: int | None,
        l2_penalty: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.num_mixtures = num_mixtures
        options = {"kernel_regularizer": keras.regularizers.L2(l2_penalty / 2), "dtype": self.dtype_policy}
        self.gates_low_rank = (
            keras.layers.Dense(gate_rank, use_bias=False, name="gates_low_rank", **options) if gate_rank else None
        )
        self.gates = keras.layers.Dense(num_classes * (num_mixtures + 1), use_bias=False, name="gates", **options)
        self.experts = keras.layers.Dense(num_classes * num_mixtures, name="experts", **options)

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        self.experts.build(inputs_shape)
        if self.gates_low_rank:
            self.gates_low_rank.build(inputs_shape)
            inputs_shape = (*inputs_shape[:-1], self.gates_low_rank.units)
        self.gates.build(inputs_shape)

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], self.num_classes)

    def call(self, inputs: Any) -> Any:
        C, M = self.num_classes, self.num_mixtures
        gate_inputs = self.gates_low_rank(inputs) if self.gates_low_rank else inputs
        gate_logits = keras.ops.reshape(self.gates(gate_inputs), (-1, C, M + 1))
        gates = keras.ops.softmax(keras.ops.cast(gate_logits, "float32"))
        expert_logits = keras.ops.reshape(self.experts(inputs), (-1, C, M))
        experts = keras.ops.sigmoid(keras.ops.cast(expert_logits, "float32"))
        return keras.ops.sum(gates[:, :, :M] * experts, axis=-1)

    def start_at(self, probabilities: ArrayLike) -> None:
        """Set the experts' biases so that features of 0 give these probabilities.

        Args:
            probabilities: `(C,)`, within (0, 1); at most `0.99 * M / (M + 1)` can be reached, as the gates start out
                even and one of them says no.
        """
        M = self.num_mixtures
        experts = np.minimum(np.asarray(probabilities, np.float64) * (M + 1) / M, _MOST)
        self.experts.bias.assign(np.repeat(log_odds(experts), M))
