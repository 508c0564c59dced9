"""New Python processes, and scripts imported as modules."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def run_python(code: str, *arguments: str | Path, **options: Any) -> str:
    """Run code in a new interpreter, and return its output.

    Args:
        code: Program to run.
        *arguments: Command-line arguments of the program.
        **options: Further options of `subprocess.run`.
    """
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_after(code: str) -> set[str]:
    """Return the names of the modules that a new interpreter has loaded after some code."""
    return set(run_python(f"{code}\nimport sys; print('\\nmodules:', *sys.modules)").rpartition("modules:")[2].split())


def load_script(path: Path) -> ModuleType:
    """Import a script that belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
