"""Recurrent networks as video descriptors."""

from typing import Any

import keras

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


class RecurrentEncoder(keras.layers.Layer):
    """Reads the frames in order: a bidirectional layer, then a forward one, whose final state describes the video.

    The state is the last real frame's: the LSTM's cell state `c` (not its output), the GRU's `h`.

    Args:
        units: Units of the forward layer; half as many each way in the bidirectional one. Even.
        cell: `"lstm"` (forget bias initially 1) or `"gru"` (reset gate before the recurrent product).
        projection: Whether a dense relu6 layer of `units` units comes first.
        **kwargs: As for every Keras layer.

    Call arguments:
        frames: Float tensor `(B, T, D)`.
        frame_mask: Bool tensor `(B, T)`, `True` on the first frames, `False` on padding after them; `None` if all
            frames are real.
        training: Passed on to the recurrent layers.

    Output shape:
        `(B, units)`.

    Weights:
        With a projection `projection/kernel` `(D, units)` and `projection/bias`. Then, of sizes units / 2, units / 2
        and units, under `bidirectional/forward_half/<cell>_cell`, `bidirectional/backward_half/<cell>_cell` and
        `forward/<cell>_cell`: `kernel` `(inputs, gates * size)`, `recurrent_kernel` `(size, gates * size)`, `bias`
        `(gates * size,)`. Order of the gates: LSTM input, forget, candidate, output; GRU update, reset, candidate.

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
