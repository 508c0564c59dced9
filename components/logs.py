"""Logs of steps that have our own lines only."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from tempfile import TemporaryFile
from types import ModuleType

# Its C++ code prints lines while it is imported, whatever its logging level.
_TENSORFLOW = "tensorflow"


def quiet_logs() -> None:
    """Keep everything but our own lines, warnings and errors out of the log of this process.

    Libraries announce credentials, fonts and optimizations, and KFP's executor prints all inputs.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logging.getLogger().setLevel(logging.WARNING)
    if _TENSORFLOW not in sys.modules and not any(isinstance(each, _QuietFinder) for each in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(MetaPathFinder):
    """Finds TensorFlow and makes its import quiet."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module like Python itself, but only TensorFlow."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == _TENSORFLOW else None
        if spec and spec.loader:
            spec.loader.exec_module = partial(_execute_quietly, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def _execute_quietly(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    with hidden_messages():
        execute(module)


@contextmanager
def hidden_messages() -> Iterator[None]:
    """Hide what is printed to standard error, for instance by an import of TensorFlow, unless there is an exception."""
    sys.stderr.flush()
    log = os.dup(2)
    with TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)  # C++ does not use `sys.stderr`
        try:
            yield
        except BaseException:
            printed.seek(0)
            os.write(log, printed.read())
            raise
        finally:
            os.dup2(log, 2)
            os.close(log)
