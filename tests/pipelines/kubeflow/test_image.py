import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.kubeflow.compile import version_name
from pipelines.kubeflow.image import ImageName, default_image, image_tag, pullable_image, step_image
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


DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("yt8m:1", ("", "yt8m", "1", "")),
        ("team/yt8m", ("", "team/yt8m", "", "")),
        ("registry.example.com/team/yt8m:0.1.0-3b9f", ("registry.example.com", "team/yt8m", "0.1.0-3b9f", "")),
        ("reg:5000/yt8m", ("reg:5000", "yt8m", "", "")),
        ("reg:5000/yt8m:A_1", ("reg:5000", "yt8m", "A_1", "")),
        ("localhost/yt8m:1", ("localhost", "yt8m", "1", "")),
        ("127.0.0.1:5000/yt8m", ("127.0.0.1:5000", "yt8m", "", "")),
        ("europe-docker.pkg.dev/p/r/yt8m:1", ("europe-docker.pkg.dev", "p/r/yt8m", "1", "")),
        (f"ghcr.io/x/yt8m@{DIGEST}", ("ghcr.io", "x/yt8m", "", DIGEST)),
        (f"ghcr.io/x/yt8m:1@{DIGEST}", ("ghcr.io", "x/yt8m", "1", DIGEST)),
    ],
)
def test_names_of_images_are_divided_as_docker_does(image: str, parts: tuple[str, ...]) -> None:
    assert ImageName.parse(image) == parts


@pytest.mark.parametrize(
    "image", ["", "Yt8m:1", "ghcr.io/x/yt8m:", "ghcr.io/x/yt8m@sha256:12", "https://ghcr.io/x/yt8m:1", "ghcr.io/x y"]
)
def test_what_names_no_image_is_refused(image: str) -> None:
    with pytest.raises(ConfigError, match="not the name of a container image"):
        ImageName.parse(image)


@pytest.mark.parametrize(
    ("template", "image", "expected"),
    [
        ("{image}", f"reg/yt8m@{DIGEST}", f"reg/yt8m@{DIGEST}"),
        ("{image}-gpu", "reg.io/yt8m:TAG", "reg.io/yt8m:TAG-gpu"),
        ("{image}-gpu", "reg:5000/yt8m:TAG", "reg:5000/yt8m:TAG-gpu"),
        ("{image}-gpu", "reg:5000/yt8m", "reg:5000/yt8m:latest-gpu"),
        ("other.io/gpu:1", f"reg.io/yt8m@{DIGEST}", "other.io/gpu:1"),
    ],
)
def test_the_names_of_cpu_and_gpu_images_follow_from_one(template: str, image: str, expected: str) -> None:
    assert step_image(template, image) == expected


def test_no_other_name_follows_from_a_digest() -> None:
    with pytest.raises(
        ConfigError, match=r"steps need the image \{image\}-gpu, but no other name follows from a digest"
    ):
        step_image("{image}-gpu", f"reg.io/yt8m:1@{DIGEST}")


def test_the_gpu_build_is_not_the_image_of_a_pipeline_with_both() -> None:
    with pytest.raises(ConfigError, match=r"GPU build.*Give the CPU build, reg.io/yt8m:1; .*follows from it"):
        step_image("{image}-gpu", "reg.io/yt8m:1-gpu")
    assert step_image("{image}", "reg.io/yt8m:1-gpu") == "reg.io/yt8m:1-gpu"


def test_a_cluster_needs_a_name_with_a_registry() -> None:
    assert pullable_image("reg:5000/yt8m:1") == "reg:5000/yt8m:1"
    for image, example, hub in (
        ("yt8m:1", "registry.example.com/team/yt8m:1", "docker.io/library/yt8m:1"),
        ("me/yt8m:1", "registry.example.com/me/yt8m:1", "docker.io/me/yt8m:1"),
    ):
        with pytest.raises(ConfigError, match=rf"no registry.* {example}\. .* {hub}\."):
            pullable_image(image)
    with pytest.raises(ConfigError, match=f"--image is missing.*{default_image()}.*make image.*make push"):
        pullable_image("")


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("reg:5000/yt8m:0.1.0-Ab_1", "0.1.0-ab-1"),
        ("reg:5000/yt8m", ""),
        (f"reg.io/yt8m:0.1.0@{DIGEST}", "0123456789ab"),
    ],
)
def test_versions_are_named_after_the_tag_or_the_digest(image: str, words: str) -> None:
    name = version_name("smoke", image, ({}, {}))
    assert name.removeprefix("smoke-").rpartition("-")[0] == words
