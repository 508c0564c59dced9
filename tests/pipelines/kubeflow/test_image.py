import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.kubeflow.image import default_image, image_tag
from yt8m import __version__
from yt8m.errors import ConfigError
from yt8m.identity import PROJECT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy everything that goes into an image, and `pipelines`, which does not."""
    unneeded = shutil.ignore_patterns("__pycache__")
    for folder in ("yt8m", "components", "requirements", "docker", "pipelines"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=unneeded)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("yt8m/losses.py", "OTHER = 1", True),
        ("yt8m/losses.py", "def f(x: int): ...", True),
        ("yt8m/losses.py", "# A comment.", False),
        ("yt8m/losses.py", '"""A docstring."""', False),
        ("yt8m/report/templates/headline.j2", "", True),
        ("yt8m/new.py", "", True),
        ("components/step.py", "OTHER = 1", True),
        ("yt8m/storage/s3.py", "OTHER = 1", True),
        ("yt8m/errors.py", "OTHER = 1", True),
        ("requirements/cpu.lock", "", True),
        ("docker/Dockerfile", "", True),
        ("requirements/dev.lock", "", False),
        ("pipelines/cli/run.py", "OTHER = 1", False),
        ("yt8m/__pycache__/losses.cpython-311.pyc", "", False),
    ],
)
def test_the_tag_changes_with_what_is_in_the_image_and_with_nothing_else(
    project: Path, file: str, text: str, changes: bool
) -> None:
    before = image_tag(project)
    path = project / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as appended:
        appended.write(f"{text}\n")
    assert (image_tag(project) != before) == changes


def test_a_changed_annotation_of_a_function_changes_the_tag(project: Path) -> None:
    before = image_tag(project)
    path = project / "yt8m" / "losses.py"
    path.write_text(path.read_text().replace(" -> ", " -> object or ", 1))
    assert image_tag(project) != before


def test_a_renamed_file_changes_the_tag(project: Path) -> None:
    before = image_tag(project)
    (project / "yt8m" / "losses.py").rename(project / "yt8m" / "loss.py")
    assert image_tag(project) != before


def test_the_same_code_has_the_same_tag_anywhere_and_it_begins_with_the_version(project: Path) -> None:
    assert default_image() == f"yt8m:{image_tag(project)}"
    assert image_tag(project).startswith(f"{__version__}-")


def test_make_gets_the_same_names_without_the_project_being_installed() -> None:
    command = [sys.executable, "-I", "-S", "-c", "import runpy, sys; sys.path.insert(0, '.'); "]
    command[-1] += "runpy.run_module('pipelines.kubeflow.image', run_name='__main__')"
    done = subprocess.run([*command, "gpu"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{default_image('gpu')}\n"
    assert done.stdout == f"{default_image()}-gpu\n"


def test_without_a_checkout_an_image_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no docker/Dockerfile here.*--image"):
        image_tag(tmp_path)
