"""Imports of TensorFlow without its messages."""

from importlib import import_module

from components.logs import hidden_messages


def import_quietly(module: str) -> None:
    """Import a module that imports TensorFlow, and hide what is printed to standard error unless the import fails.

    Some of TensorFlow's messages ignore its logging level.
    """
    with hidden_messages():
        import_module(module)
