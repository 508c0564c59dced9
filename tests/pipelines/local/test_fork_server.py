"""Executes steps as KFP's local runner would, in forks of a process that has imported TensorFlow."""

from pipelines.local.fork_server import run_step

SOURCE = """
import os, sys

def step():
    print("warm:", "tensorflow" in sys.modules)
    print("environment:", os.environ["GREETING"])
    print("a result")
    os.write(2, b"a warning of C\\n")
    {end}
"""
INPUT = '{"inputs": {}, "outputs": {"outputFile": "/dev/null"}}'


def execute(end: str) -> tuple[int, list[str]]:
    """The exit status of a step and the lines that it printed."""
    arguments = ["--executor_input", INPUT, "--function_to_execute", "step"]
    printed: list[str] = []
    command = ["sh", "-ec", "what KFP does", SOURCE.format(end=end), *arguments]
    return run_step(command, {"GREETING": "hello"}, printed.append), printed


def test_a_step_begins_with_tensorflow_and_its_own_environment():
    status, printed = execute("pass")
    assert status == 0
    assert printed[:2] == ["warm: True", "environment: hello"]


def test_only_what_the_step_prints_is_printed_both_streams_in_order():
    _, printed = execute("pass")
    assert printed[2:] == ["a result", "a warning of C"]


def test_an_error_is_printed_and_told():
    status, printed = execute("raise ValueError('no such shard')")
    assert status == 1
    assert "ValueError: no such shard" in printed


def test_warnings_of_loggers_are_printed():
    _, printed = execute("import logging; logging.getLogger('yt8m').warning('no page')")
    assert printed[-1] == "WARNING:yt8m:no page"


def test_exit_codes_and_signals_are_told():
    assert execute("sys.exit(2)")[0] == 2
    assert execute("os.kill(os.getpid(), 9)")[0] == -9


def test_steps_leave_nothing_to_each_other():
    execute("sys.left = True")
    assert execute("sys.exit(hasattr(sys, 'left'))")[0] == 0
