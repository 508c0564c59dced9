"""Execution of steps in forks of a process that has imported TensorFlow."""

import os
from pathlib import Path

import pytest

from pipelines.local.fork_server import run_step

SOURCE = """
import os, sys

def step():
    print("warm:", "tensorflow" in sys.modules)
    print("user:", os.environ["HOME"])
    print("a result")
    os.write(2, b"a warning of C\\n")
    {end}
"""
INPUT = '{"inputs": {}, "outputs": {"outputFile": "/dev/null"}}'


def execute(end: str) -> tuple[int, list[str]]:
    """Return the exit status and the output of a step."""
    arguments = ["--executor_input", INPUT, "--function_to_execute", "step"]
    printed: list[str] = []
    command = ["sh", "-ec", "KFP's script", SOURCE.format(end=end), *arguments]
    return run_step(command, printed.append), printed


@pytest.mark.slow
def test_a_step_starts_with_tensorflow_imported_and_the_environment_of_the_worker():
    status, printed = execute("pass")
    assert status == 0
    assert printed[:2] == ["warm: True", f"user: {os.environ['HOME']}"]


@pytest.mark.slow
def test_both_streams_of_the_step_arrive_in_order_without_kfp_s_log():
    _, printed = execute("pass")
    assert printed[2:] == ["a result", "a warning of C"]


def test_an_exception_is_printed_and_gives_exit_status_1():
    status, printed = execute("raise ValueError('no such shard')")
    assert status == 1
    assert "ValueError: no such shard" in printed


def test_warnings_of_loggers_are_printed():
    _, printed = execute("import logging; logging.getLogger('yt8m').warning('no page')")
    assert printed[-1] == "WARNING:yt8m:no page"


def test_exit_status_and_signals_are_returned():
    assert execute("sys.exit(2)")[0] == 2
    assert execute("os.kill(os.getpid(), 9)")[0] == -9


@pytest.mark.parametrize("end", ["pass", "raise ValueError"])
def test_temporary_files_of_a_step_are_removed_even_if_it_fails(end):
    _, printed = execute(f"import tempfile; print('made', tempfile.mkdtemp()); {end}")
    folder = Path(next(line for line in printed if line.startswith("made ")).removeprefix("made "))
    assert not folder.exists()


def test_steps_share_no_state():
    execute("sys.left = True")
    assert execute("sys.exit(hasattr(sys, 'left'))")[0] == 0
