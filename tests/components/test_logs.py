import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

NOISY = "import os\nos.write(2, b'from C++')\n"


def printed(code: str, folder: Path) -> str:
    """Return what a process prints that made its logs quiet."""
    code = f"from components.logs import quiet_logs\nquiet_logs()\n{code}"
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def test_messages_while_tensorflow_is_imported_are_hidden_and_later_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(f"{NOISY}name = __name__")
    code = "import os, tensorflow\nos.write(2, b'later ')\nprint(tensorflow.name)"
    assert printed(code, tmp_path) == "later tensorflow\n"


def test_messages_of_a_failing_import_are_shown(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(f"{NOISY}raise RuntimeError('broken')")
    log = printed("import tensorflow", tmp_path)
    assert log.startswith("from C++Traceback")
    assert log.endswith("RuntimeError: broken\n")


def test_other_modules_are_found_as_always(tmp_path: Path) -> None:
    (tmp_path / "tensorflow_io.py").write_text(NOISY)
    assert printed("import tensorflow_io", tmp_path) == "from C++"


@pytest.mark.slow
def test_the_real_tensorflow_is_imported_without_messages(tmp_path: Path) -> None:
    code = "import tensorflow, inspect\nprint(tensorflow.constant(2).numpy(), len(inspect.getsource(tensorflow)) > 0)"
    assert printed(code, tmp_path) == "2 True\n"


def test_only_warnings_are_logged_even_after_kfp_set_up_its_own_log(tmp_path: Path) -> None:
    code = """
import logging
for name in ("botocore.credentials", "matplotlib.font_manager", "root"):
    logging.getLogger(name).info("noise")
logging.getLogger("yt8m.storage").warning("a copy is damaged")
"""
    assert printed(code, tmp_path) == "WARNING: a copy is damaged\n"
    kfp = "import logging\nlogging.basicConfig(level=logging.INFO, format='KFP %(message)s', force=True)\nquiet_logs()"
    assert printed(kfp + code, tmp_path) == "KFP a copy is damaged\n"
