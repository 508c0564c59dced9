"""Executes steps as KFP's local runner would, in forks of a process that has imported TensorFlow."""

from pipelines.local.warm_steps import run_step

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


def execute(end: str) -> int:
    arguments = ["--executor_input", INPUT, "--function_to_execute", "step"]
    return run_step(["sh", "-c", "what KFP does", SOURCE.format(end=end), *arguments], {"GREETING": "hello"})


def test_a_step_begins_with_tensorflow_and_its_own_environment(capsys):
    assert execute("pass") == 0
    printed = capsys.readouterr().out.splitlines()
    assert "warm: True" in printed
    assert "environment: hello" in printed


def test_both_streams_arrive_in_order(capsys):
    execute("pass")
    printed = capsys.readouterr().out.splitlines()
    assert printed.index("a warning of C") == printed.index("a result") + 1


def test_an_error_is_printed_and_told(capsys):
    assert execute("raise ValueError('no such shard')") == 1
    assert "ValueError: no such shard" in capsys.readouterr().out


def test_exit_codes_and_signals_are_told():
    assert execute("sys.exit(2)") == 2
    assert execute("os.kill(os.getpid(), 9)") == -9


def test_steps_leave_nothing_to_each_other():
    execute("sys.left = True")
    assert execute("sys.exit(hasattr(sys, 'left'))") == 0
