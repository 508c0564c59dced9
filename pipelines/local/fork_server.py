"""Steps as forked processes in which TensorFlow is imported already.

A step of a small recipe spends most of its time on imports. Python's fork server imports once, and every step is a
fork of it.
"""

import logging
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

# No module of this project: a step must execute the code as it is when the step starts, as its cache key says.
IMPORTED = (
    "tensorflow",
    "keras",
    "kfp.dsl.executor_main",
    "matplotlib.figure",
    "pyarrow.parquet",
    "google.cloud.storage",
)
# Position of the component's source in KFP's command `sh -ec SCRIPT SOURCE ARGUMENTS...`. The script writes the source
# to a file and calls KFP's executor with the arguments.
_SOURCE = 3


def run_step(command: Sequence[str], printed: Callable[[str], None]) -> int:
    """Execute a step.

    Args:
        command: KFP's command for a lightweight component.
        printed: Called with each line of the step's output, both streams together.

    Returns:
        The step's exit status; negative for the signal that ended the step.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED) if _has_default_backend() else [])
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_execute, args=(writer, command[_SOURCE], command[_SOURCE + 1 :]))
    process.start()
    writer.close()
    with reader, os.fdopen(os.dup(reader.fileno()), errors="replace") as lines:
        for line in lines:
            printed(line.removesuffix("\n"))
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _has_default_backend() -> bool:
    """Return whether all steps have the same backend of Keras, which is chosen when it is imported."""
    return os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"


def _execute(output: Connection, source: str, arguments: Sequence[str]) -> None:
    """Do in this process what KFP's command does in a shell."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output.fileno(), stream.fileno())
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr] # so that lines arrive at once
    output.close()
    logging.basicConfig(stream=sys.stdout)  # keeps KFP's executor from logging its inputs
    from kfp.dsl.executor_main import executor_main  # noqa: PLC0415 imported already in the fork server

    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # of the step, which may leave large files there
        program = Path(folder) / "ephemeral_component.py"
        program.write_text(source, encoding="utf-8")
        sys.argv = [program.name, "--component_module_path", str(program), *arguments]
        executor_main()
