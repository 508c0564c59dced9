import os
import subprocess
import sys
from pathlib import Path

import pytest

NOISY = "import os\nos.write(2, b'from C++')\n"


def run(code: str, folder: Path) -> str:
    """Return the standard error of a process."""
    code = f"from pipelines.cli.quiet_import import import_quietly\n{code}"
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    ).stderr


def test_messages_of_an_import_are_hidden_and_later_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    assert run("import_quietly('noisy')\nimport os\nos.write(2, b'later')", tmp_path) == "later"


def test_messages_of_a_failing_import_are_shown(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(f"{NOISY}raise RuntimeError('broken')")
    printed = run("import_quietly('noisy')", tmp_path)
    assert printed.startswith("from C++Traceback")
    assert printed.endswith("RuntimeError: broken\n")


@pytest.mark.slow
def test_commands_hide_messages_of_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    code = f"from pipelines.cli import main\nmain(['data', 'check', {str(tmp_path / 'empty')!r}])"
    printed = run(code, tmp_path)
    assert "checking: 1/1 shards" in printed
    assert "absl" not in printed
    assert "oneDNN" not in printed
