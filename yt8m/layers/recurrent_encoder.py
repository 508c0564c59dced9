"""Recurrent encoder of a video."""

from typing import Any

import keras

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


class RecurrentEncoder(keras.layers.Layer):
    """Encodes a video by the final state of a forward recurrent layer on top of a bidirectional one.

    The final state is the one after the last real frame: the cell state `c` of an LSTM, not its output, or the state
    `h` of a GRU.

    Args:
        units: Number of units of the forward layer, even. Each direction of the bidirectional layer has half of them.
        cell: `"lstm"` (forget bias initially 1) or `"gru"` (reset gate before the recurrent product).
        projection: Whether a dense layer of `units` units with relu6 precedes the recurrent layers.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `True` on the first frames, `False` on padding after them; `None` if all
            frames are real.
        training: Passed to the recurrent layers.

    Output shape:
        `(B, units)`.

    Weights:
        With a projection, `projection/kernel` `(D, units)` and `projection/bias`. The cells
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
            keras.layers.Dense(units, activation="relu6", name="projection", **options) if projection else None
        )
        if cell == "gru":
            options["reset_after"] = False
        both_ways = CELLS[cell](units // 2, return_sequences=True, name="half", **options)
        self.bidirectional = keras.layers.Bidirectional(both_ways, name="bidirectional", dtype=self.dtype_policy)
        self.forward = CELLS[cell](units, return_state=True, name="forward", **options)

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        if self.projection:
            self.projection.build(frames_shape)
            frames_shape = (*frames_shape[:-1], self.projection.units)
        self.bidirectional.build(frames_shape)
        self.forward.build((*frames_shape[:-1], self.forward.units))

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*frames_shape[:-2], self.forward.units)

    def call(self, frames: Any, frame_mask: Any = None, training: bool | None = None) -> Any:
        if self.projection:
            frames = self.projection(frames)
        both_ways = self.bidirectional(frames, mask=frame_mask, training=training)
        _, *states = self.forward(both_ways, mask=frame_mask, training=training)
        return states[-1]  # LSTM: [h, c]; GRU: [h]
