"""The worked examples of CONTRIBUTING.md, applied to a copy of the project as they are written there."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

# One model of one family, which is also the ensemble.
TINY_RECIPE = """
name: tiny
data: {generate: {preset: smoke}, holdout_shards: 4}
training: {epochs: 1, batch_size: 32}
families:
  dbof:
    candidates:
      dbof: {model: {architecture: dbof, num_clusters: 8, hidden_units: 8}}
ensemble: {search: {trials: 20}}
"""


def insert_after(path: Path, line: str, text: str) -> None:
    before = path.read_text()
    assert before.count(line) == 1, f"{path.name}: {line!r}"
    path.write_text(before.replace(line, line + text))


def blocks_of(section: str, language: str) -> list[str]:
    """Return the code blocks of a section of the document."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    (found,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(rf"```{language}\n(.*?)```", found, flags=re.DOTALL)


def copy_project(names: tuple[str, ...], folder: Path) -> None:
    for name in (*names, "yt8m", "tests/support", "tests/conftest.py", "pyproject.toml"):
        source, copy = REPOSITORY / name, folder / name
        copy.parent.mkdir(exist_ok=True, parents=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, copy, ignore=ignored) if source.is_dir() else shutil.copy(source, copy)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def successful(folder: Path, *arguments: str) -> str:
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_the_worked_example_of_a_new_architecture_passes_the_tests_of_models(tmp_path: Path):
    """Follow the steps of the document in a copy, except for the demo's recipe."""
    copy_project(("README.md", "docs", "benchmarks/support", "tests/models", "tests/docs"), tmp_path)
    blocks = blocks_of("Adding a model architecture", "python")
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
    successful(tmp_path, "-m", "docs.generate_models_page")
    chosen = "moments or known or nearest or documented"
    passed = successful(tmp_path, "-m", "pytest", "-q", "tests/models", "tests/docs", "-k", chosen)
    assert int(re.search(r"(\d+) passed", passed)[1]) > 20


@pytest.mark.slow
def test_the_worked_example_of_a_new_stage_touches_one_place_and_runs(tmp_path: Path):
    project, recipe, root = tmp_path / "project", tmp_path / "tiny.yaml", tmp_path / "run"
    tests = ("tests/components", "tests/stages", "tests/pipelines/test_stages.py")
    copy_project(("components", "pipelines", *tests), project)
    before = digests(project)
    function, component, test = blocks_of("Adding a stage", "python")
    (registered,), (switched_on,) = (blocks_of("Adding a stage", language) for language in ("diff", "yaml"))
    (project / "yt8m" / "stages" / "count_labels.py").write_text(function)
    (project / "components" / "count_labels.py").write_text(component)
    last = re.search(r"^    Stage\(\"report\", .*\n", (project / "pipelines" / "stages.py").read_text(), re.MULTILINE)[
        0
    ]
    insert_after(project / "pipelines" / "stages.py", last, registered.removeprefix("+"))
    (project / "tests" / "stages" / "test_count_labels.py").write_text(test)
    after = digests(project)
    assert {name for name in after if after[name] != before.get(name)} == {
        "yt8m/stages/count_labels.py",
        "components/count_labels.py",
        "pipelines/stages.py",
        "tests/stages/test_count_labels.py",
    }

    chosen = ("tests/stages/test_count_labels.py", "tests/components/test_components.py", tests[-1])
    assert "passed" in successful(project, "-m", "pytest", "-q", *chosen)
    recipe.write_text(TINY_RECIPE + switched_on)
    yt8m = ("-m", "pipelines")
    refused = run(project, *yt8m, "plan", str(recipe), "--set", "stages.count_lables={}")
    assert "stages.count_lables: unknown key 'count_lables'. Did you mean 'count_labels'?" in refused.stderr
    refused = run(project, *yt8m, "plan", str(recipe), "--set", "stages.count_labels.top=0")
    assert "stages.count_labels.top: input should be greater than 0. Received: 0." in refused.stderr
    assert re.search(r"count-labels +after prepare", successful(project, *yt8m, "plan", str(recipe), "--nodes"))
    successful(project, *yt8m, "run", str(recipe), "--root", str(root))
    assert re.search(r"count-labels.* done", successful(project, *yt8m, "status", str(root)))
    summary = json.loads((root / "summary.json").read_text())
    assert "count_labels" in {node["stage"] for node in summary["nodes"]}
    successful(project, *yt8m, "rerun", str(root), "count-labels", "--set", "stages.count_labels.top=2")
    records = [json.loads(path.read_text()) for path in (root / "records" / "count-labels").glob("*.json")]
    assert {record["config"]["top"] for record in records} == {5, 2}
