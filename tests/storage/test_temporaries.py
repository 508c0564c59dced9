"""What killed processes leave is removed; what others are writing is not."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import names_in
from yt8m import storage

KILLED = """
import os, signal, sys
from pathlib import Path
from yt8m import storage
with getattr(storage, sys.argv[1])(Path(sys.argv[2])) as path:
    (path / "part" if path.is_dir() else path).write_text("part")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(function: str, target: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, function, target], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("function", ["publish_file", "publish_directory"])
def test_the_next_publication_removes_what_a_killed_one_left_of_the_same_target(tmp_path: Path, function: str) -> None:
    killed(function, tmp_path / "model")
    killed(function, tmp_path / "model.other")
    assert len(names_in(tmp_path)) == 2
    with getattr(storage, function)(tmp_path / "model"):
        pass
    left, model = names_in(tmp_path)
    assert left.startswith(".model.other.")
    assert model == "model"


@pytest.mark.parametrize("function", ["publish_file", "publish_directory"])
def test_what_others_are_writing_stays(tmp_path: Path, function: str) -> None:
    publish = getattr(storage, function)
    with publish(tmp_path / "model") as slow:
        with publish(tmp_path / "model"):
            pass
        assert slow.exists()
    assert names_in(tmp_path) == ["model"]


def test_a_folder_that_was_moved_away_when_its_process_died_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".model.abcd_123.tmp.old").mkdir()
    with storage.publish_directory(tmp_path / "model"):
        pass
    assert names_in(tmp_path) == ["model"]
