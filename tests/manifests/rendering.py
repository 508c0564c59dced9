"""Rendered overlays, and what is in their objects."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import REPOSITORY

MANIFESTS = REPOSITORY / "manifests"
OVERLAYS = ("gke", "plain")
# Changes that the comments of the overlays describe: optional components, and standalone Pipelines.
EVERYTHING = ("  # - ../../", "  - ../../")
STANDALONE = (
    ("namespace: yt8m", "namespace: kubeflow"),
    ("  - ../../components/profile\n  - ../../components/quota\n", "  - ../../components/standalone\n"),
    ("newName: REGISTRY/yt8m", "newName: registry.example/yt8m"),
    ("newTag: TAG", 'newTag: "2"'),
)

needs_kubectl = pytest.mark.skipif(
    not (shutil.which("kubectl") or "CI" in os.environ), reason="kubectl is not installed"
)


def render(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def render_changed(folder: Path, overlay: str, *changes: tuple[str, str]) -> list[dict[str, Any]]:
    """Render an overlay after the changes that its comments describe."""
    shutil.copytree(MANIFESTS, folder / "manifests")
    path = folder / "manifests" / "overlays" / overlay / "kustomization.yaml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return render(path.parent)


def named(objects: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and name in ("", each["metadata"]["name"])]
    return found


def names(objects: list[dict[str, Any]], kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in objects if each["kind"] == kind}


def pods(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from (each["spec"]["template"]["spec"] for each in objects if each["kind"] in ("Deployment", "Job"))


def containers(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for pod in pods(objects):
        yield from pod["containers"]


def values(data: Any, key: str) -> Iterator[Any]:
    """Yield all values of a key, at any depth."""
    if isinstance(data, dict):
        yield from (value for name, value in data.items() if name == key)
        data = list(data.values())
    if isinstance(data, list):
        for each in data:
            yield from values(each, key)
