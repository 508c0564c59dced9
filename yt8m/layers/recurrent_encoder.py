"""Recurrent encoder of a video."""

from typing import Any

import keras

from yt8m.layers.batch_normalization import BatchNormalization

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


@keras.saving.register_keras_serializable("yt8m")
class OpenGates(keras.initializers.Initializer):
    """Initial bias of a GRU: 1 for the update and reset gates, 0 for the candidate, as in TensorFlow 1.

    A class, because Keras makes both directions of a bidirectional layer from the settings of one.
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return the bias `(3 * units,)`, ordered update, reset, candidate."""
        units = shape[0] // 3
        return keras.ops.concatenate([keras.ops.ones(2 * units, dtype), keras.ops.zeros(units, dtype)])


class RecurrentEncoder(keras.layers.Layer):
    """Encodes a video by the final state of a forward recurrent layer on top of a bidirectional one.

    The final state is the one after the last real frame: the cell state `c` of an LSTM, not its output, or the state
    `h` of a GRU.

    Args:
        units: Number of units of the forward layer, even. Each direction of the bidirectional layer has half of them.
        cell: `"lstm"` (forget bias initially 1) or `"gru"` (reset gate before the recurrent product; biases of the
            gates initially 1).
        projection: Whether `relu6(BN(x P))` with `units` units precedes the recurrent layers.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `True` on the first frames, `False` on padding after them; `None` if all
            frames are real.
        training: Whether batch normalization uses the statistics of the batch.

    Output shape:
        `(B, units)`.

    Weights:
        With a projection, `projection/kernel` `(D, units)` = P and `projection_normalization/*` `(units,)`. The cells
        `bidirectional/forward_half/<cell>_cell`, `bidirectional/backward_half/<cell>_cell` and `forward/<cell>_cell`
        have the sizes units / 2, units / 2 and units, and the weights `kernel` `(inputs, gates * size)`,
        `recurrent_kernel` `(size, gates * size)` and `bias` `(gates * size,)`. The gates are ordered input, forget,
        candidate, output in an LSTM, and update, reset, candidate in a GRU.

    Reference:
        - Hochreiter and Schmidhuber, 1997; [Cho et al., 2014](https://arxiv.org/abs/1406.1078); the winners' code.
    """

    def __init__(self, units: int, cell: str = "lstm", projection: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        assert units % 2 == 0
        self.cell = cell
        options: dict[str, Any] = {"dtype": self.dtype_policy}
        self.projection = (
            keras.layers.Dense(units, use_bias=False, name="projection", **options) if projection else None
        )
        if projection:
            self.projection_normalization = BatchNormalization(name="projection_normalization", **options)
        if cell == "gru":
            options |= {"reset_after": False, "bias_initializer": OpenGates()}
        both_ways = CELLS[cell](units // 2, return_sequences=True, name="half", **options)
        self.bidirectional = keras.layers.Bidirectional(both_ways, name="bidirectional", dtype=self.dtype_policy)
        self.forward = CELLS[cell](units, return_state=True, name="forward", **options)

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        if self.projection:
            self.projection.build(frames_shape)
            frames_shape = (*frames_shape[:-1], self.projection.units)
            self.projection_normalization.build(frames_shape)
        self.bidirectional.build(frames_shape)
        self.forward.build((*frames_shape[:-1], self.forward.units))

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*frames_shape[:-2], self.forward.units)

    def call(self, frames: Any, frame_mask: Any = None, training: bool | None = None) -> Any:
        if self.projection:
            projected = self.projection(frames)
            projected = self.projection_normalization(projected, frame_mask=frame_mask, training=training)
            frames = keras.ops.relu6(projected)
        both_ways = self.bidirectional(frames, mask=frame_mask, training=training)
        _, *states = self.forward(both_ways, mask=frame_mask, training=training)
        return states[-1]  # LSTM: [h, c]; GRU: [h]
