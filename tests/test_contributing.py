import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY


def insert_after(path: Path, line: str, text: str) -> None:
    before = path.read_text()
    assert before.count(line) == 1, f"{path.name}: {line!r}"
    path.write_text(before.replace(line, line + text))


@pytest.mark.slow
def test_the_worked_example_of_a_new_architecture_passes_the_tests_of_models(tmp_path: Path):
    """Does what the document says, in its order, to a copy; only the demo's recipe is left as it is."""
    for name in ("yt8m", "docs", "tests/models", "tests/docs", "tests/support", "tests/conftest.py", "pyproject.toml"):
        source, copy = REPOSITORY / name, tmp_path / name
        copy.parent.mkdir(exist_ok=True, parents=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    architecture, layer, registered, formulas, compared, small, explained, documented = blocks
    package, tests = tmp_path / "yt8m", tmp_path / "tests" / "models"
    (package / "models" / "moments.py").write_text(architecture)
    (package / "layers" / "moments.py").write_text(layer)
    insert_after(package / "models" / "__init__.py", "from yt8m.models import dbof, logistic,", " moments,")
    insert_after(package / "models" / "__init__.py", "\nARCHITECTURES: dict[str, Architecture] = {\n", registered)
    insert_after(tests / "test_parity.py", "\n    return x.mean(0)\n", "\n\n" + formulas)
    insert_after(tests / "test_parity.py", "\nPOOLINGS = {\n", compared)
    insert_after(tests / "conftest.py", "\nSMALL: dict[str, dict[str, Any]] = {\n", small)
    generator = tmp_path / "docs" / "generate_models_page.py"
    insert_after(generator, "\nFORMULAS = {\n", explained)
    insert_after(generator, "\nEXAMPLES: dict[str, ModelConfig] = {\n", documented)

    def run(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("docs/generate_models_page.py")
    chosen = "moments or known or nearest or documented"
    passed = run("-m", "pytest", "-q", "tests/models", "tests/docs", "-k", chosen)
    assert int(re.search(r"(\d+) passed", passed)[1]) > 20
