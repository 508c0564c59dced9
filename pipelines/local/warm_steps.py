"""Steps as processes that begin with TensorFlow imported.

A step of a small recipe spends most of its time on importing. Python's fork server does that once: it imports what
steps need, starts nothing, and every step is a fork of it.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

# Nothing of this project: a step executes the code as it is when it starts, which is what its cache key says.
IMPORTED = (
    "tensorflow",
    "keras",
    "kfp.dsl.executor_main",
    "matplotlib.figure",
    "pyarrow.parquet",
    "google.cloud.storage",
)
# Where KFP's command `sh -c SCRIPT SOURCE ARGUMENTS...` has the component's source; its script writes it to a file and
# calls the executor with the arguments.
_SOURCE = 3


def run_step(full_command: Sequence[str], env_vars: Mapping[str, str] | None = None) -> int:
    """Execute a step and prints what it prints; takes the place of KFP's function of this interface.

    Args:
        full_command: KFP's command for a lightweight component.
        env_vars: The step's environment, beside that of this process.

    Returns:
        The step's exit status.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(
        target=_execute, args=(writer, full_command[_SOURCE], full_command[_SOURCE + 1 :], dict(env_vars or {}))
    )
    process.start()
    writer.close()
    with reader, os.fdopen(os.dup(reader.fileno()), errors="replace") as printed:
        for line in printed:
            print(line, end="", flush=True)  # noqa: T201 - KFP indents what is printed
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _execute(output: Connection, source: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """What KFP's command does, in this process."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output.fileno(), stream.fileno())
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr] # lines appear at once
    output.close()
    os.environ.update(environment)
    from kfp.dsl.executor_main import executor_main  # noqa: PLC0415 imported already in the fork server

    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "ephemeral_component.py"
        program.write_text(source, encoding="utf-8")
        sys.argv = [program.name, "--component_module_path", str(program), *arguments]
        executor_main()
