"""Conventions of layout and docstrings that no linter checks."""

import ast
import re
from functools import cache
from pathlib import Path

import grimp
import pytest

from tests.support.paths import REPOSITORY

PACKAGES = ("yt8m", "components", "pipelines")
LEAST_LINES = 40
MOST_MODULES = 15
# Lines of Python in `pipelines` per line in `yt8m`, so that the code around Kubeflow stays smaller than the library it
# serves.
MOST_PIPELINE_SHARE = 0.6
# Folders with one module per layer, per model or per command.
LARGE_FOLDERS = {"yt8m/layers", "yt8m/models", "pipelines/cli"}
# First words of docstrings of functions, which should begin with a verb.
NO_VERB = re.compile(r"(The|A|An|What|Whether|Where|How|Which|Why|It|This|If|When)\b")


def files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)


def test_no_small_module_has_a_single_importer() -> None:
    # A stage is a module of its own, which its component imports.
    modules = [path for path in files() if path.stem not in {"__init__", "__main__"} and path.parent.name != "stages"]
    small = {module_of(path) for path in modules if lines_of(path) < LEAST_LINES}
    importers = {name: imports().find_modules_that_directly_import(name) for name in small}
    assert {name: found for name, found in importers.items() if len(found) == 1} == {}


def test_no_module_only_forwards() -> None:
    def forwards(path: Path) -> bool:
        statements = ast.parse(path.read_text()).body
        kept = [each for each in statements if not isinstance(each, (ast.Import, ast.ImportFrom, ast.Expr))]
        names = {
            target.id
            for each in kept
            if isinstance(each, ast.Assign)
            for target in each.targets
            if isinstance(target, ast.Name)
        }
        return len(kept) == len(names) and names <= {"__all__"}

    assert [module_of(path) for path in files() if path.stem not in {"__init__", "__main__"} and forwards(path)] == []


def test_folders_have_few_modules() -> None:
    counts: dict[str, int] = {}
    for path in files():
        folder = str(path.parent.relative_to(REPOSITORY))
        counts[folder] = counts.get(folder, 0) + (path.stem != "__init__")
    large = {folder: count for folder, count in counts.items() if count > MOST_MODULES}
    assert {folder: count for folder, count in large.items() if folder not in LARGE_FOLDERS} == {}


def test_pipelines_stay_small() -> None:
    pipelines, library = (sum(map(lines_of, (REPOSITORY / name).rglob("*.py"))) for name in ("pipelines", "yt8m"))
    assert pipelines < MOST_PIPELINE_SHARE * library


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_what_is_in_it(package: str) -> None:
    silent = [
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / package).rglob("__init__.py")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_docstrings_of_functions_begin_with_a_verb() -> None:
    found = []
    for path in [*files(), *sorted((REPOSITORY / "benchmarks").rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not is_property(node):
                docstring = ast.get_docstring(node) or ""
                if NO_VERB.match(docstring):
                    found.append(f"{path.relative_to(REPOSITORY)}:{node.lineno} {docstring.splitlines()[0]}")
    assert found == []


def is_property(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {name.id for each in function.decorator_list for name in ast.walk(each) if isinstance(name, ast.Name)}
    return bool(names & {"property", "cached_property"})
