"""Python and the installed packages, compared with the lock of the environment."""

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from pipelines.doctor.finding import Finding
from yt8m.identity import PROJECT
from yt8m.words import count

OLDEST, NEWEST = (3, 11), (3, 13)
"""Versions of Python that pyproject.toml allows."""

LOCKS = PROJECT / "requirements"
CPU_LOCK, GPU_LOCK = "dev.lock", "dev-gpu.lock"

# Number of packages to name.
_NAMED = 4


def check_python() -> Finding:
    """Check the version of Python."""
    text = f"{platform.python_version()} ({sys.executable}) on {platform.system()} {platform.machine()}"
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return Finding("Python", text)
    return Finding("Python", f"{text}; expected 3.11 to 3.13", "Run `make env PYTHON=/path/to/python3.11`.")


def check_packages(locks: Path = LOCKS) -> Finding:
    """Compare the installed packages with the lock of the environment's kind.

    Args:
        locks: Folder of the locks.
    """
    lock, make = (locks / GPU_LOCK, "make env GPU=1") if is_gpu_environment() else (locks / CPU_LOCK, "make env")
    if not lock.exists():
        return Finding("Packages", f"{lock} does not exist, as in an installation without the project's files")
    wanted = dict(locked_packages(lock))
    differences = [text for name, version in wanted.items() if (text := _difference(name, version))]
    both = _installed("tensorflow") and _installed("tensorflow-cpu")
    if both:
        differences.insert(0, "tensorflow and tensorflow-cpu overwrite each other's files")
    if not differences:
        return Finding("Packages", f"{count(len(wanted), 'package')} exactly as in {lock.name}")
    named = "; ".join(differences[:_NAMED])
    more = f"; and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
    again = f"Remove .venv and run `{make}`" if both else f"Run `{make}`"
    return Finding(
        "Packages",
        f"{count(len(differences), 'difference')} from {lock.name}: {named}{more}",
        f"{again}, and use the programs in .venv/bin.",
    )


def locked_packages(lock: Path) -> Iterator[tuple[str, str]]:
    """Iterate over names and versions of the packages that a lock has for this machine."""
    for line in lock.read_text("utf-8").splitlines():
        if line[:1].isalnum():
            requirement = Requirement(line.rstrip(" \\"))
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement.name, str(requirement.specifier).removeprefix("==")


def is_gpu_environment() -> bool:
    """Return whether TensorFlow's build for GPUs is installed. The build for CPUs has another name on Linux x86_64."""
    is_linux = sys.platform == "linux" and platform.machine() == "x86_64"
    return is_linux and bool(_installed("tensorflow")) and not _installed("tensorflow-cpu")


def _difference(name: str, version: str) -> str:
    found = _installed(name)
    if not found:
        return f"{name} is missing"
    return "" if found == version else f"{name} {found} instead of {version}"


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
