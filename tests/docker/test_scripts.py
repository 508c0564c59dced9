"""Scripts that build and push images, run with a Docker client that only logs its arguments."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.kubeflow.image import default_image
from yt8m.identity import PROJECT

CLIENT = """#!/usr/bin/env bash
echo "$*" >> {log}
case "$1 $2" in
  "build --help") echo "  --secret" ;;
  "image inspect")
    for image in {images}; do if [[ ${{@: -1}} == "$image" ]]; then echo "$image@sha256:feed"; exit; fi; done
    exit 1 ;;
esac
"""
Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def run(tmp_path: Path, log: Path) -> Script:
    """Run a script with an engine that has the given images."""

    def script(*command: str, images: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
        client = tmp_path / "docker"
        client.write_text(CLIENT.format(log=log, images=" ".join(images)))
        client.chmod(0o755)
        environment = {**os.environ, "DOCKER": str(client), "PYTHON": sys.executable, **variables}
        path = str(PROJECT / "docker" / command[0])
        return subprocess.run(
            [path, *command[1:]], capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
        )

    return script


def calls(log: Path, name: str) -> list[str]:
    return [line for line in log.read_text().splitlines() if line.split()[0] == name and "--help" not in line]


@pytest.mark.slow
def test_an_image_has_the_name_of_the_code_and_labels_with_its_base_image(run: Script, log: Path) -> None:
    done = run("build.sh", "gpu", images=("python:3.11-slim",), BASE_IMAGE="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == default_image("gpu")
    (call,) = calls(log, "build")
    for option in (
        f"--tag {default_image('gpu')}",
        "--build-arg PROCESSOR=gpu",
        "--build-arg BASE_IMAGE=python:3.11-slim",
        "--build-arg BASE_DIGEST=sha256:feed",
    ):
        assert option in call
    assert not calls(log, "pull")


def test_a_missing_base_image_is_pulled(run: Script, log: Path) -> None:
    run("build.sh", "cpu", BASE_IMAGE="registry.example/python:1")
    assert calls(log, "pull") == ["pull -q registry.example/python:1"]


def test_the_built_image_is_pushed_unchanged(run: Script, log: Path) -> None:
    done = run("push.sh", "gpu", "registry.example/team", images=(default_image("gpu"),))
    assert done.returncode == 0, done.stderr
    name = f"registry.example/team/{default_image('gpu')}"
    assert calls(log, "tag") == [f"tag {default_image('gpu')} {name}"]
    assert calls(log, "push") == [f"push {name}"]
    assert not calls(log, "build")


def test_an_image_that_was_not_built_is_not_pushed(run: Script, log: Path) -> None:
    done = run("push.sh", "gpu", "registry.example/team", images=(default_image(),))
    assert done.returncode == 2
    assert f"{default_image('gpu')} does not exist. Build it first: make image TARGET=gpu" in done.stderr
    assert not calls(log, "push")


def test_every_processor_has_a_lock_for_the_dockerfile() -> None:
    text = (PROJECT / "docker" / "Dockerfile").read_text()
    assert "COPY requirements/${PROCESSOR}.lock" in text
    assert all((PROJECT / "requirements" / f"{processor}.lock").exists() for processor in ("cpu", "gpu"))
