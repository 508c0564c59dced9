from pathlib import Path
from types import ModuleType

import pytest

from tests.support.paths import REPOSITORY
from tests.support.python import load_script

SCRIPT = REPOSITORY / "manifests" / "base" / "mirror_logs.py"
NAME = "events.out.tfevents.1.host"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script(SCRIPT)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Logs of two runs, one of them in a subfolder, and another file."""
    for path in (f"store/train-a/train/{NAME}", f"store/{NAME}", "store/train-a/checkpoint"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"first")
    return tmp_path / "store"


def test_only_logs_are_copied_with_their_folders(script: ModuleType, store: Path, tmp_path: Path) -> None:
    script.mirror(str(store), tmp_path / "copy")
    copied = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert copied == {f"train-a/train/{NAME}", NAME}


def test_new_content_of_a_log_is_appended_to_the_open_copy(script: ModuleType, store: Path, tmp_path: Path) -> None:
    script.mirror(str(store), tmp_path / "copy")
    with (tmp_path / "copy" / NAME).open("rb") as reader:
        assert reader.read() == b"first"
        (store / NAME).write_bytes(b"first, second")
        assert script.mirror(str(store), tmp_path / "copy") == len(b", second")
        assert reader.read() == b", second"
    assert script.mirror(str(store), tmp_path / "copy") == 0


def test_an_empty_store_is_no_problem(script: ModuleType, tmp_path: Path) -> None:
    assert script.mirror(str(tmp_path), tmp_path / "copy") == 0
