"""Traversal of all layers of a model."""

from typing import Any


def all_layers(model: Any) -> list[Any]:
    """Return every layer of a Keras model, including layers inside layers.

    Keras' `model.layers` holds only the outermost layers. There is no public way to the others, so this function uses
    a private method of Keras; nothing else does.

    Args:
        model: A built `keras.Model`.
    """
    return list(model._flatten_layers(include_self=False))
