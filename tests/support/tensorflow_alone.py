"""A virtual environment with TensorFlow and its dependencies only."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import REPOSITORY

LOCK = REPOSITORY / "requirements" / "cpu.lock"
TENSORFLOW = "tensorflow-cpu"


def locked_requirements() -> str:
    """Return the entries of the lock file that TensorFlow needs, with versions and hashes."""
    blocks = re.split(r"^(?=\S)", LOCK.read_text(), flags=re.MULTILINE)
    by_name = {block.partition("==")[0]: block for block in blocks if "==" in block}
    # Comments below a package name the packages that need it.
    needed_by = {
        name: set(re.findall(r"^ +# +(?:via +)?(\S+)$", block, re.MULTILINE)) for name, block in by_name.items()
    }
    needed = {TENSORFLOW}
    while new := {name for name, users in needed_by.items() if users & needed} - needed:
        needed |= new
    return "".join(by_name[name] for name in sorted(needed))


def make_environment(folder: Path) -> Path:
    """Make the environment, and return its interpreter.

    Raises:
        subprocess.CalledProcessError: It cannot be made, for instance without a network.
    """
    subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
    (folder / "requirements.txt").write_text(locked_requirements())
    python = folder / "environment" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "--no-compile"]
    subprocess.run([*pip, "--require-hashes", "-r", folder / "requirements.txt"], check=True)
    return python
