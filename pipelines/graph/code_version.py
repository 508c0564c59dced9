"""Which version of our code a node runs: part of its cache key, so that changed code is run again, and only that."""

import copy
import hashlib
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import grimp

# Every step goes through these.
STEP_MODULE = "components.step"
# Files that a package's code reads at run time.
DATA_SUFFIXES = (".j2", ".json", ".css", ".js", ".svg")


def code_version(stage: str, families: Iterable[str], all_families: Iterable[str]) -> str:
    """Hash the sources of everything a stage imports within this project.

    The registry of model families imports all of them, but a node runs the code of some; the others do not
    count, so that work on one family leaves the models of the others alone.

    Args:
        stage: The stage's module in `yt8m.stages`.
        families: The model families whose models the node handles.
        all_families: All model families; each is a module in `yt8m.models`.

    Returns:
        16 hexadecimal digits.
    """
    unused = frozenset(f"yt8m.models.{family}" for family in set(all_families) - set(families))
    digest = hashlib.sha256()
    for module in sorted(_imported(f"yt8m.stages.{stage}", unused) | _imported(STEP_MODULE, unused)):
        for path in _files(module):
            digest.update(f"{module}/{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def _imported(module: str, unused: frozenset[str]) -> frozenset[str]:
    graph = _graph(unused)
    found = {module}
    while True:
        # Importing a module also runs the packages around it.
        packages = {parent for name in found for parent in _parents(name)}
        grown = found | packages
        grown |= {name for member in grown for name in graph.find_upstream_modules(member)}
        if grown == found:
            return frozenset(found)
        found = grown


@cache
def _graph(unused: frozenset[str]) -> grimp.ImportGraph:
    if not unused:
        # The cache would be a folder wherever the user happens to be.
        return grimp.build_graph("yt8m", "components", exclude_type_checking_imports=True, cache_dir=None)
    graph = copy.deepcopy(_graph(frozenset()))
    for module in unused & graph.modules:
        graph.remove_module(module)
    return graph


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _files(module: str) -> list[Path]:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin)
    if source.name != "__init__.py":
        return [source]
    beside = [path for path in source.parent.iterdir() if not (path / "__init__.py").exists()]
    data = [path for entry in beside for path in (entry.rglob("*") if entry.is_dir() else [entry])]
    return [source, *sorted(path for path in data if path.suffix in DATA_SUFFIXES)]
