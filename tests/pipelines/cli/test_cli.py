import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from yt8m import __version__

COMMANDS = ("plan", "run", "submit", "status", "rerun", "logs", "compile", "evaluate", "predict", "data")


def test_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert __version__ in result.output


def test_help_lists_all_commands() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.output for name in COMMANDS)


def test_help_imports_neither_tensorflow_nor_keras_nor_kfp() -> None:
    code = """
import sys
from click.testing import CliRunner
from pipelines.cli import main
assert CliRunner().invoke(main, ["--help"]).exit_code == 0
assert not {"tensorflow", "keras", "kfp", "numpy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("command", [[name] for name in COMMANDS] + [["data", "generate"], ["data", "check"]])
def test_every_command_has_help(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "no-such-recipe.yaml"],
        ["run", "no-such-recipe.yaml", "--root", "DIR"],
        ["run", "no-such-recipe.yaml"],
        ["compile", "no-such-recipe.yaml", "-o", "x.yaml"],
        ["status", "no-such-root"],
        ["no-such-command"],
        ["plan", "--no-such-option"],
    ],
)
def test_unusable_arguments_end_with_code_2_and_a_message(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(tmp_path / "root") if part == "DIR" else part for part in arguments])
    assert result.exit_code == 2
    assert "Error: " in result.output
