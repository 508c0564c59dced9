"""Imports TensorFlow without what it prints."""

import os
import sys
from importlib import import_module
from tempfile import TemporaryFile


def import_quietly(module: str) -> None:
    """Import a module that imports TensorFlow, which prints some lines then whatever its level of logging is.

    Args:
        module: Its name. If it cannot be imported, what was printed is shown.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)  # the lines come from C++, which does not know `sys.stderr`
        try:
            import_module(module)
        except BaseException:
            printed.seek(0)
            os.write(terminal, printed.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
