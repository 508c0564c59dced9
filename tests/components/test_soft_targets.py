"""Folders in which the component `soft_targets` stores its files."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.kubeflow.pipeline import find_component
from yt8m.stages.result import StageResult


@pytest.fixture
def folder_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Function that calls the component and returns the folder that it passes to its stage."""

    def call(node: str, attempt: str = "") -> str:
        given = {}
        monkeypatch.setattr(
            "yt8m.stages.soft_targets.soft_targets", lambda **all_: given.update(all_) or StageResult({})
        )
        identity = {"node": node, "stage": "soft_targets", "name": "", "family": "dbof", "facts": {}}
        artifact = SimpleNamespace(path=str(tmp_path / "artifact"), uri="file:///artifact")
        find_component("soft_targets").python_func(
            node=json.dumps(identity), config="{}", names="[]", root=str(tmp_path), key="k1", worker=0, workers=1,
            partition=artifact, manifest=artifact, metrics=artifact, attempt=attempt,
        )  # fmt: skip
        return str(given["output_uri"])

    return call


def test_a_resumed_step_finds_its_files_and_a_deliberate_repetition_does_not(folder_of) -> None:
    first = folder_of("soft-targets-dbof")
    assert folder_of("soft-targets-dbof") == first
    assert folder_of("soft-targets-dbof", attempt="again") != first


def test_workers_have_different_folders(folder_of) -> None:
    assert folder_of("soft-targets-dbof-part-1") != folder_of("soft-targets-dbof-part-2")
