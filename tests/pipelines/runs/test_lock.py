import os
from pathlib import Path

import pytest

from pipelines.runs.lock import is_locked, lock_root
from yt8m.errors import ConfigError


def test_a_second_run_is_refused_and_told_who_holds_the_root(tmp_path: Path) -> None:
    told = rf"in use by another run \(process {os.getpid()}\)"
    with lock_root(tmp_path), pytest.raises(ConfigError, match=told), lock_root(tmp_path):
        pass


def test_the_lock_ends_with_its_context(tmp_path: Path) -> None:
    with lock_root(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    with lock_root(tmp_path):
        pass


def test_a_folder_without_a_run_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
