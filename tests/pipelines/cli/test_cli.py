from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.kubeflow.image import default_image
from tests.support.paths import SMOKE
from tests.support.python import modules_after
from yt8m import __version__

COMMANDS = ("plan", "run", "submit", "status", "rerun", "logs", "fetch", "compile", "evaluate", "predict", "data")


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
from click.testing import CliRunner
from pipelines.cli import main
assert CliRunner().invoke(main, ["--help"]).exit_code == 0
"""
    assert not {"tensorflow", "keras", "kfp", "numpy"} & modules_after(code)


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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", str(SMOKE), "--root", "file"], "'file' is a file"),
        (["run", str(SMOKE), "--root", "file/root"], "file/root: Not a directory"),
        (["compile", str(SMOKE), "-o", "file/p.yaml"], "file is no folder. Give another place."),
        (["compile", str(SMOKE), "-o", "folder.yaml"], "'folder.yaml' is a directory"),
        (["compile", str(SMOKE), "-o", "p.csv"], "p.csv: expected a file that ends in .yaml"),
        (["evaluate", "--model", "file", "--input", "x"], "'file' is a file"),
        (["evaluate", "--model", ".", "--input", "x", "--predictions", "folder.yaml"], "is a directory"),
    ],
)
def test_an_unusable_path_is_named(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder.yaml").mkdir()
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_compile_makes_the_folder_it_writes_to(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["compile", str(SMOKE), "-o", str(tmp_path / "new" / "folder" / "p.yaml")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "new" / "folder" / "p.yaml").stat().st_size > 0


@pytest.mark.parametrize(("image", "is_told"), [("", True), ("yt8m:1", True), ("reg.example/yt8m:1", False)])
def test_compile_says_which_image_no_cluster_can_pull(tmp_path: Path, image: str, is_told: bool) -> None:
    given = ["--image", image] if image else []
    result = CliRunner().invoke(main, ["compile", str(SMOKE), "-o", str(tmp_path / "p.yaml"), *given])
    assert result.exit_code == 0, result.output
    told = f"The image {image or default_image()} has no registry, so no cluster can pull it: give --image."
    assert (told in result.output) == is_told


def test_the_help_of_submit_names_the_variable_of_the_experiment() -> None:
    assert "KF_PIPELINES_DEFAULT_EXPERIMENT_NAME" in CliRunner().invoke(main, ["submit", "--help"]).output
