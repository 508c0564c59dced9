"""No package or data file is lost between the repository and an installation."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

PACKAGES = ("yt8m", "components", "pipelines")
DATA = {".yaml", ".j2", ".typed"}
# Names that tools skip because they usually hold build output.
SKIPPED_NAMES = {"build", "dist", "env", "venv", "node_modules"}


def files_of_packages() -> list[str]:
    """Return the paths of all modules and data files, relative to the repository."""
    files = (path for package in PACKAGES for path in (REPOSITORY / package).rglob("*"))
    return sorted(str(path.relative_to(REPOSITORY)) for path in files if path.suffix in {".py", *DATA})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy, so that the repository keeps no build output."""
    folder = tmp_path_factory.mktemp("build")
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder / name)
    build = "from setuptools.build_meta import build_wheel; build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=folder, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_all_modules_and_data_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert set(files_of_packages()) <= set(archive.namelist())


def test_git_ignores_no_module_or_data_file() -> None:
    git = ["git", "-C", str(REPOSITORY)]
    if not shutil.which("git") or subprocess.run([*git, "rev-parse"], capture_output=True, check=False).returncode:
        pytest.skip("not a git repository")
    paths = "\n".join(files_of_packages())
    command = [*git, "check-ignore", "--no-index", "--stdin"]
    ignored = subprocess.run(command, input=paths, capture_output=True, text=True, check=False).stdout
    assert ignored == ""


def test_no_package_has_a_name_that_tools_skip() -> None:
    assert not SKIPPED_NAMES & {part for path in files_of_packages() for part in Path(path).parts}


def test_the_image_gets_every_package_of_the_steps() -> None:
    rules = (REPOSITORY / "docker" / "Dockerfile.dockerignore").read_text().split()
    assert {"!yt8m", "!components"} <= set(rules)
    assert [rule for rule in rules if not rule.startswith("!")] == ["*", "**/__pycache__"]
