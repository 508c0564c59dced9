"""The identity of work: everything that answers whether the same work was done before.

Four names depend on it: the cache key of a pipeline's node, the checkpoint of a training, the folder of soft targets
and the tag of the container image. All of them use the normal form of source files, so that a changed comment never
repeats a training.

Only the standard library is imported, because `make image` runs where the project is not installed.
"""

import copy
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yt8m.normal_form import normal_form

if TYPE_CHECKING:
    import grimp

PROJECT = Path(__file__).parents[1]

INFRASTRUCTURE: Mapping[str, str] = {
    "components.earlier_work": "finds and copies results of the same work",
    "components.step": "wraps every stage: passes arguments on and writes records, computes nothing",
    "yt8m.errors": "exceptions and their texts; a step that raises one has no result",
    "yt8m.identity": "decides whether work is repeated, not what comes out of it",
    "yt8m.progress": "progress lines in logs",
    "yt8m.report.node_page": "draws a node's page for the user interface after the work is done",
    "yt8m.stages.named_files": "refuses files that a later step cannot read; computes nothing",
    "yt8m.storage": "moves bytes and verifies their checksums, whichever way they travel",
    "yt8m.training.tensorboard": "logs for TensorBoard, which no step reads",
}
"""Modules and packages that do not change the result of a stage, each with the reason. The image's tag counts them."""

MEASURING: Mapping[str, str] = {
    "yt8m.predictions": "stored predictions of a finished model",
    "yt8m.stages.evaluate": "measures a finished model",
    "yt8m.training.holdout": "predicts and scores the hold-out; a training takes from it the loss of its sample alone",
}
"""Modules that measure models and decide nothing about weights or soft targets, each with the reason.

They are part of a node's key, so that a change repeats the step, but not of the name of its checkpoint or sidecars, so
that the step finds the finished weights or soft targets and only measures again. `yt8m.training.streaming_gap` is not
among them: it runs within the training step, its state is in the checkpoint, and its curve cannot be measured again.
Neither is `yt8m.metrics`, whose GAP decides which epoch of a training is kept.
"""

PACKAGES = ("tensorflow", "keras")
"""Packages whose version is part of the identity: they compute what a stage returns."""

# Files that code reads at run time.
_DATA_SUFFIXES = (".j2", ".json", ".css", ".js", ".svg")
_LOCK = PROJECT / "requirements" / "cpu.lock"
_KEY_DIGITS = 12
MARK_DIGITS = 6
"""Digits of the mark of a run's data in keys."""


def digest(**parts: Any) -> str:
    """Return the SHA-256 of plain JSON data, in hexadecimal."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def work_key(**parts: Any) -> str:
    """Return the key of a node's work: a short digest of all parts that determine it, which are plain JSON data."""
    return digest(**parts)[:_KEY_DIGITS]


def marked(key: str, mark: str) -> str:
    """Return a key with the mark of the data that a run reads; see `unmarked`."""
    return f"{key}.{mark}" if mark else key


def unmarked(key: str) -> str:
    """Return the part of a key that does not depend on the data, which cannot be read from everywhere."""
    return key.partition(".")[0]


def work_name(key: str, attempt: str) -> str:
    """Return the name under which a node keeps files.

    Args:
        key: The node's key; see `work_key`.
        attempt: Name of a deliberate repetition, which must not find the files of earlier attempts. Empty if the work
            is not repeated.
    """
    return f"{key}-{attempt}" if attempt else key


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(directory: Path) -> str:
    """Return the SHA-256 over names and content of all files in a folder, in hexadecimal."""
    result = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        result.update(path.relative_to(directory).as_posix().encode() + b"\0")
        result.update(bytes.fromhex(file_digest(path)))
    return result.hexdigest()


def package_versions() -> dict[str, str]:
    """Return the versions of `PACKAGES`: as locked in a checkout of the project, otherwise as installed.

    The builds of TensorFlow for CPUs and GPUs count as the same package, so that keys do not depend on the image.
    """
    if _LOCK.exists():
        return locked_versions(_LOCK)
    return {package: _installed_version(package) for package in PACKAGES}


def locked_versions(lock: Path) -> dict[str, str]:
    """Read the versions of `PACKAGES` from a requirements file.

    Raises:
        ValueError: A package is missing, or has several versions.
    """
    text = lock.read_text(encoding="utf-8")
    versions = {}
    for package in PACKAGES:
        found = set(re.findall(rf"^{package}(?:-cpu)?==([^\s;\\]+)", text, re.MULTILINE))
        if len(found) != 1:
            raise ValueError(f"{lock}: expected one version of {package}, received {len(found)}. Run `make lock`.")
        versions[package] = found.pop()
    return versions


def _installed_version(package: str) -> str:
    for name in (f"{package}-cpu", package):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"


def behavior(
    modules: Iterable[str],
    architectures: Collection[str],
    registered: Collection[str],
    *,
    without: Collection[str] = (),
) -> dict[str, str]:
    """Hash every file that decides what modules do.

    These are the modules themselves and everything they import within the project, directly or not, without
    `INFRASTRUCTURE`, and the data files that this code reads. Source files are hashed in their normal form. The
    registry imports the modules of all architectures, of which only some are executed; the others do not count.

    Args:
        modules: Modules to start from, for instance `yt8m.stages.train`.
        architectures: Architectures of the models at hand.
        registered: All architectures; each is a module in `yt8m.models`.
        without: Modules and packages that do not count, for instance `MEASURING`.

    Returns:
        16 hexadecimal digits by path, relative to the project.
    """
    unused = frozenset(f"yt8m.models.{name}" for name in set(registered) - set(architectures)) | frozenset(without)
    names: set[str] = set()
    for module in modules:
        names |= _import_closure(module, unused)
    sources = {name: _source_of(name) for name in sorted(names)}
    hashes = {}
    for name, path in sources.items():
        # KFP reads a step's interface from the annotations of the component's function.
        hashes[path] = hash_file(path, annotations=name.startswith("components."))
        if path.name == "__init__.py":
            hashes |= {file: hash_file(file) for file in _data_files(path.parent, sources.values())}
    return {path.relative_to(PROJECT).as_posix(): each for path, each in hashes.items()}


def hash_file(path: Path, *, annotations: bool = False) -> str:
    """Hash a file's content: Python in its normal form, everything else byte for byte.

    Args:
        path: The file.
        annotations: Whether annotations of functions count; see `normal_form`.

    Returns:
        16 hexadecimal digits.
    """
    content = path.read_bytes()
    if path.suffix == ".py":
        content = normal_form(content, annotations=annotations).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _data_files(package: Path, sources: Collection[Path]) -> list[Path]:
    """Find a package's data files that are read by the given sources.

    A file counts if a module that mentions it, or its folder within the package, is among the sources. A file that no
    module mentions always counts.
    """
    entries = [path for path in sorted(package.iterdir()) if not (path / "__init__.py").exists()]
    modules = {path: path.read_text(encoding="utf-8") for path in entries if path.suffix == ".py"}
    found: list[Path] = []
    for entry in entries:
        files = entry.rglob("*") if entry.is_dir() else [entry]
        data = sorted(path for path in files if path.suffix in _DATA_SUFFIXES)
        readers = [path for path, text in modules.items() if f'"{entry.name}"' in text] if data else []
        if not readers or any(path in sources for path in readers):
            found += data
    return found


@cache
def _import_closure(module: str, unused: frozenset[str]) -> frozenset[str]:
    graph = _import_graph(module.partition(".")[0], unused)
    found = {module}
    while True:
        # Importing a module also runs the packages around it.
        packages = {parent for name in found for parent in _packages_around(name)}
        grown = (found | packages) & graph.modules
        grown |= {name for member in grown for name in graph.find_upstream_modules(member)}
        if grown == found:
            return frozenset(found)
        found = grown


@cache
def _import_graph(package: str, unused: frozenset[str]) -> "grimp.ImportGraph":
    import grimp  # noqa: PLC0415 - absent where images are built

    if not unused:
        packages = sorted({package, "yt8m"})
        # grimp would write its cache into the current directory.
        graph = grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
    else:
        graph = copy.deepcopy(_import_graph(package, frozenset()))
    for name in list(graph.modules):
        if any(_is_within(name, each) for each in unused or INFRASTRUCTURE):
            graph.remove_module(name)
    return graph


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _packages_around(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _source_of(module: str) -> Path:
    path = PROJECT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
