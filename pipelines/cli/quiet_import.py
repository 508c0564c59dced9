"""Imports of TensorFlow without its messages."""

import os
import sys
from importlib import import_module
from tempfile import TemporaryFile


def import_quietly(module: str) -> None:
    """Import a module that imports TensorFlow, and hide what is printed to standard error unless the import fails.

    Some of TensorFlow's messages ignore its logging level.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)  # TensorFlow's C++ code does not use `sys.stderr`
        try:
            import_module(module)
        except BaseException:
            printed.seek(0)
            os.write(terminal, printed.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
