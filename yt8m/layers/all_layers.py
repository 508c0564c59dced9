"""Traversal of all layers of a model."""

from typing import Any


def all_layers(model: Any) -> list[Any]:
    """Return every layer of a Keras model, including layers inside layers.

    Keras' `model.layers` holds only the outermost layers, and Keras has no public way to list the others. Therefore
    this function, and nothing else, calls a private method of Keras.

    Args:
        model: A built `keras.Model`.
    """
    return list(model._flatten_layers(include_self=False))
