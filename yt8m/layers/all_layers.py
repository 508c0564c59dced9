"""All layers of a model."""

from typing import Any


def all_layers(model: Any) -> list[Any]:
    """Every layer of a Keras model, those inside its layers included.

    Keras' own `layers` are the outermost only, and it has no public name for the others: here is the one place that
    relies on a private one.

    Args:
        model: A built `keras.Model`.
    """
    return list(model._flatten_layers(include_self=False))
