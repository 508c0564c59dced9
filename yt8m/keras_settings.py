"""Settings of Keras, which must not depend on what the user's other projects need.

Keras reads process-wide settings when it is imported: a file `keras.json` in the user's home folder or in `KERAS_HOME`,
and environment variables. Another type of floats or backend would reach some stages and not others. This project has a
settings file of its own; only the backend can be chosen, with `KERAS_BACKEND`.
"""

import os
from importlib.util import find_spec
from pathlib import Path

from yt8m.errors import ConfigError

BACKENDS = ("tensorflow", "jax")

_HOME = Path(__file__).parent / "keras_home"
# Variables that would shorten trainings or change how models keep their variables.
_IGNORED = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED")


def use_own_settings() -> None:
    """Let Keras read this project's settings, in this process and those that it starts.

    It must be called before Keras is imported, which importing `yt8m` does.
    """
    os.environ["KERAS_HOME"] = str(_HOME)
    for name in _IGNORED:
        os.environ.pop(name, None)


def use_tensorflow() -> None:
    """Choose TensorFlow as the backend of this process, which must not have imported Keras."""
    os.environ["KERAS_BACKEND"] = BACKENDS[0]


def check_backend() -> None:
    """Check that the chosen backend can be used.

    Raises:
        ConfigError: `KERAS_BACKEND` names a backend that this project does not support, or that is not installed.
    """
    backend = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if backend not in BACKENDS:
        raise ConfigError(
            f"KERAS_BACKEND: expected {' or '.join(BACKENDS)}, received '{backend}'. Unset this environment variable "
            f"for the command; without it, the backend is {BACKENDS[0]}."
        )
    if find_spec(backend) is None:
        raise ConfigError(
            f"KERAS_BACKEND: the package {backend} is not installed. Unset the variable for this command or install "
            "the package."
        )
