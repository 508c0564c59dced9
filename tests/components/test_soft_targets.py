"""What the component `soft_targets` passes to its stage, and what its record says."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from components.soft_targets import soft_targets
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest
from yt8m.stages.result import StageResult
from yt8m.stages.soft_targets import SoftTargetsConfig

MANIFEST = SoftTargetManifest(
    teachers=("a",), num_classes=1, encoding=SoftTargetEncoding(), partition_digest="", recipe_hash="", sidecars={},
    videos=0,
)  # fmt: skip


class Call(Protocol):
    def __call__(self, node: str, *, worker: int = 0, workers: int = 1, attempt: str = "") -> dict[str, Any]: ...


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Function that calls the component and returns what it passes to its stage."""

    def called(node: str, *, worker: int = 0, workers: int = 1, attempt: str = "") -> dict[str, Any]:
        given: dict[str, Any] = {}

        def stage(**passed: Any) -> StageResult:
            given.update(passed)
            MANIFEST.save(passed["output"])
            return StageResult({})

        monkeypatch.setattr("yt8m.stages.soft_targets.soft_targets", stage)
        artifact = SimpleNamespace(path=str(tmp_path / "artifact"), uri="file:///artifact")
        (tmp_path / "manifest").unlink(missing_ok=True)
        manifest = SimpleNamespace(path=str(tmp_path / "manifest"), uri="file:///manifest")
        soft_targets(
            node=node, config=SoftTargetsConfig().dump_changes(), names="a b", root=str(tmp_path), key="k1",
            worker=worker, workers=workers, partition=artifact, manifest=manifest, model_1=artifact, model_2=artifact,
            attempt=attempt,
        )  # fmt: skip
        return given

    return called


def family_of(root: Path, node: str) -> str:
    """Return the family in the record of a node."""
    family: str = json.loads((root / "records" / node / "k1.json").read_text())["family"]
    return family


def test_a_resumed_step_finds_its_files_and_a_deliberate_repetition_does_not(call: Call) -> None:
    first = call("soft-targets-dbof")["output_uri"]
    assert call("soft-targets-dbof")["output_uri"] == first
    assert call("soft-targets-dbof", attempt="again")["output_uri"] != first


def test_workers_have_different_folders(call: Call) -> None:
    folders = {call(f"soft-targets-dbof-part-{number}", workers=2)["output_uri"] for number in (1, 2)}
    assert len(folders) == 2


def test_models_have_their_names_and_all_are_teachers_without_a_selection(call: Call) -> None:
    given = call("soft-targets-dbof")
    assert list(given["models"]) == ["a", "b"]
    assert given["selection"] is None


def test_the_record_names_the_family_without_the_part(call: Call, tmp_path: Path) -> None:
    call("soft-targets-dbof-part-2", worker=1, workers=2)
    assert family_of(tmp_path, "soft-targets-dbof-part-2") == "dbof"
    call("soft-targets-dbof-part-2")  # a family of this name
    assert family_of(tmp_path, "soft-targets-dbof-part-2") == "dbof-part-2"
