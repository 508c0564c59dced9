"""Temporaries of killed processes are removed, and those of running processes stay."""

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
def test_a_publication_removes_temporaries_that_a_killed_process_left(tmp_path: Path, function: str) -> None:
    killed(function, tmp_path / "model")
    killed(function, tmp_path / "model.other")
    assert len(names_in(tmp_path)) == 2
    with getattr(storage, function)(tmp_path / "model"):
        pass
    left, model = names_in(tmp_path)
    assert left.startswith(".model.other.")
    assert model == "model"


def test_temporaries_in_a_folder_of_many_files_are_removed_by_a_new_process(tmp_path: Path) -> None:
    for number in range(1200):
        (tmp_path / f"{number}").touch()
    killed("publish_file", tmp_path / "model [1]")
    with storage.publish_file(tmp_path / "model [1]"):
        pass
    assert not [name for name in names_in(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("function", ["publish_file", "publish_directory"])
def test_temporaries_of_running_processes_stay(tmp_path: Path, function: str) -> None:
    publish = getattr(storage, function)
    with publish(tmp_path / "model") as slow:
        with publish(tmp_path / "model"):
            pass
        assert slow.exists()
    assert names_in(tmp_path) == ["model"]


def test_a_replaced_folder_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".model.abcd_123.tmp.old").mkdir()
    with storage.publish_directory(tmp_path / "model"):
        pass
    assert names_in(tmp_path) == ["model"]
