from pathlib import Path
from types import SimpleNamespace

import pytest

from components.inputs import Inputs
from yt8m.errors import DataError
from yt8m.storage.local import LocalStore
from yt8m.storage.stores import STORES
from yt8m.yaml_files import dump_line


def test_numbered_artifacts_are_collected_in_order_by_name() -> None:
    given = {f"model_{number}": SimpleNamespace(path=f"/m{number}") for number in range(1, 12)}
    names = " ".join(f"n{number}" for number in range(1, 12))
    arguments = {**given, "model_12": None, "names": names}
    inputs = Inputs(arguments, {})
    assert inputs.numbered("model") == [Path(f"/m{number}") for number in range(1, 12)]
    assert inputs.fan_in("model")["n11"] == Path("/m11")
    assert inputs.numbered("other") == []
    assert Inputs({"names": ""}, {}).fan_in("model") == {}


class FolderStore(LocalStore):
    """An object store with its objects in a folder, as `mem://objects/NAME`."""

    remote = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list_uris(self, pattern: str) -> list[str]:
        return [uri.replace(str(self._folder), "mem://objects") for uri in super().list_uris(self._local(pattern))]

    def exists(self, uri: str) -> bool:
        return super().exists(self._local(uri))

    def stage_in(self, uri: str) -> Path:
        return Path(self._local(uri))

    def _local(self, uri: str) -> str:
        return uri.replace("mem://objects", str(self._folder))


def test_imported_artifacts_are_used_where_they_are_or_copied_from_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STORES, "mem", FolderStore(tmp_path))
    (tmp_path / "member" / "model").mkdir(parents=True)
    (tmp_path / "member" / "model" / "config.json").write_text("{}")
    (tmp_path / "member" / "predictions").write_text("12")
    imported = {
        "here": str(tmp_path / "member"),
        "there": "mem://objects/member",
        "file": "mem://objects/member/predictions",
    }
    given = {
        "member_1": SimpleNamespace(path=str(tmp_path / "own"), uri=f"gs://{tmp_path}/own"),
        "imported": dump_line(imported),
        "names": "own",
    }
    found = Inputs(given, {}).fan_in("member")
    assert list(found) == ["own", "here", "there", "file"]
    assert found["here"] == tmp_path / "member"
    assert found["there"] != tmp_path / "member"
    assert (found["there"] / "model" / "config.json").read_text() == "{}"
    assert (found["there"] / "predictions").read_text() == found["file"].read_text() == "12"


def test_a_missing_imported_artifact_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^imported: dbof7: .*gone does not exist\..* take dbof7 out"):
        Inputs({"names": "", "imported": dump_line({"dbof7": str(tmp_path / "gone")})}, {}).fan_in("member")
