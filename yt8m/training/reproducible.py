"""What a training sets up before its model is built."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from yt8m.training.config import TrainingConfig


@contextmanager
def seeded_and_precise(config: TrainingConfig) -> Iterator[None]:
    """Build models inside with the configuration's seed and precision; the old precision comes back afterwards.

    Args:
        config: Names both.
    """
    before = keras.config.dtype_policy()
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
