"""The optimizer of the published configurations."""

from typing import Any

import keras

from yt8m.training.config import TrainingConfig


def build_optimizer(config: TrainingConfig, averaging_decay: float | None = None) -> Any:
    """Adam with a learning rate in stairs and each gradient tensor clipped by its own norm.

    Args:
        config: The schedule.
        averaging_decay: Keeps an exponential moving average of the trainable weights with this decay, or none.

    Returns:
        A `keras.optimizers.Adam`.
    """
    schedule = keras.optimizers.schedules.ExponentialDecay(
        config.learning_rate,
        decay_steps=config.decay_examples / config.batch_size,
        decay_rate=config.learning_rate_decay,
        staircase=True,
    )
    average: dict[str, Any] = {"use_ema": True, "ema_momentum": averaging_decay} if averaging_decay is not None else {}
    # Keras' default epsilon is 1e-7; the winners trained with TensorFlow 1's.
    return keras.optimizers.Adam(schedule, epsilon=1e-8, clipnorm=config.clip_norm, **average)
