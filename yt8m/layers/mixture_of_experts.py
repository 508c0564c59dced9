"""Mixture-of-experts head."""

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from yt8m.layers.logistic import log_odds

# Largest initial probability of an expert.
_LARGEST_INITIAL_PROBABILITY = 0.99


class MixtureOfExperts(keras.layers.Layer):
    """Predicts each class with a mixture of logistic experts and one constant expert that predicts 0.

    The gates are the softmax over `M + 1` outputs of a dense layer without bias, the experts the sigmoid of a dense
    layer with bias: `p = sum over m < M of gate_m * expert_m`, with `m` from 0.

    Args:
        num_classes: Number of classes `C`.
        num_mixtures: Number of logistic experts `M` per class.
        gate_rank: Rank of the weight matrix of the gates. `None` does not factor it.
        l2_penalty: Factor `lambda` of the penalty `lambda * ||W||^2 / 2` on the weight matrices of gates and experts.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Float tensor `(B, H)`.

    Output shape:
        `(B, C)`, float32 probabilities.

    Weights:
        `gates/kernel` `(H, C * (M + 1))`, `experts/kernel` `(H, C * M)`, `experts/bias` `(C * M,)`:
        column `c * M + m` belongs to expert `m` of class `c`. Column `c * (M + 1) + m` of the gates belongs to the same
        expert, and column `c * (M + 1) + M` to the constant one. With a rank r, the gates have `gates_low_rank/kernel`
        `(H, r)` and `gates/kernel` `(r, C * (M + 1))`.

    Reference:
        - YouTube-8M's `MoeModel` ([Abu-El-Haija et al., 2016](https://arxiv.org/abs/1609.08675), section 5.3.3);
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

    def set_initial_predictions(self, probabilities: ArrayLike) -> None:
        """Set the biases of the experts so that the layer predicts given probabilities for inputs of 0.

        Args:
            probabilities: Array `(C,)` with values in (0, 1). At most `0.99 * M / (M + 1)` can be reached, because all
                gates are equal at first and one of them belongs to the constant expert.
        """
        M = self.num_mixtures
        experts = np.minimum(np.asarray(probabilities, np.float64) * (M + 1) / M, _LARGEST_INITIAL_PROBABILITY)
        self.experts.bias.assign(np.repeat(log_odds(experts), M))
