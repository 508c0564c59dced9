"""Processor, memory, disk, Docker engine and Keras on this machine."""

import os
import shutil
import socket
from importlib import metadata
from pathlib import Path

from rich.filesize import decimal

from pipelines.doctor.finding import Finding
from yt8m.errors import ConfigError
from yt8m.keras_settings import BACKENDS, check_backend
from yt8m.storage.local import why_unwritable
from yt8m.words import count

LEAST_MEMORY_BYTES = 2 * 10**9
"""Memory of the smallest runs, with room for the system: all processes of `yt8m run pipelines/recipes/smoke.yaml` take
1.3 GB together at most (their proportional set sizes)."""

LEAST_DISK_BYTES = 10**9
"""Free disk for a first run with generated videos. That of smoke.yaml leaves 6 MB; one with own videos needs more."""

_CGROUP = Path("/sys/fs/cgroup")
_DOCKER_SECONDS = 10


def check_processor(cgroup: Path = _CGROUP) -> Finding:
    """Count the cores that this process may use.

    Args:
        cgroup: Folder with the limits of the container, if this is one.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    limit = f", of which the container may use {int(quota) / int(period):g}" if quota.isdigit() else ""
    return Finding("CPU", f"{count(cores, 'core')}{limit}")


def check_memory(cgroup: Path = _CGROUP, least_bytes: int = LEAST_MEMORY_BYTES) -> Finding:
    """Measure the memory that this process may use.

    Args:
        cgroup: Folder with the limits of the container, if this is one.
        least_bytes: Memory below which a run may be killed.
    """
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _read(cgroup / "memory.max")
    usable = min(total, int(limit)) if limit.isdigit() else total
    text = f"{decimal(usable)}" + (" (the limit of the container)" if usable < total else "")
    if usable >= least_bytes:
        return Finding("Memory", text)
    return Finding(
        "Memory",
        f"{text}; runs need at least {decimal(least_bytes)}",
        "Use a machine with more memory, or raise the container's limit.",
    )


def check_folder(folder: Path, least_bytes: int = LEAST_DISK_BYTES) -> list[Finding]:
    """Check that runs can be written to a folder, and measure the free disk there.

    Args:
        folder: The working folder.
        least_bytes: Free disk below which a run may fail.
    """
    if why := why_unwritable(folder):
        written = Finding("Writing", f"{folder}: {why}", "Change to a folder of your own, and keep the runs there.")
    else:
        written = Finding("Writing", f"{folder} takes files")
    free = shutil.disk_usage(folder).free
    text = f"{decimal(free)} free in {folder}"
    if free >= least_bytes:
        return [written, Finding("Disk", text)]
    remedy = "Free some (`yt8m prune ROOT` removes what no run needs), or keep runs on another disk."
    return [written, Finding("Disk", f"{text}; a run should have {decimal(least_bytes)}", remedy)]


def check_docker() -> Finding:
    """Look for a Docker engine, which only `--runner docker` and `make image` need."""
    import docker  # noqa: PLC0415 slow to import
    from requests.exceptions import RequestException  # type: ignore[import-untyped]  # noqa: PLC0415

    address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    try:
        _connect(address)
        client = docker.from_env(timeout=_DOCKER_SECONDS)
        version = client.version()["Version"]
    except (docker.errors.DockerException, RequestException, OSError):
        return Finding("Docker", f"no engine answers at {address}; only `--runner docker` and `make image` need one")
    client.close()
    return Finding("Docker", f"engine {version}, for `--runner docker` and `make image`")


def _connect(address: str) -> None:
    """Try a socket of this machine, which Docker's client would leave open if nothing answers."""
    scheme, _, path = address.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_DOCKER_SECONDS)
            connection.connect(path)


def check_keras() -> Finding:
    """Check the backend of Keras and name the folder of its settings."""
    try:
        check_backend()
    except ConfigError as error:
        text, _, remedy = str(error).partition(". ")
        return Finding("Keras", text, remedy)
    backend = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    on_cpu = "; JAX has no GPU build here and trains on the CPU" if backend == "jax" else ""
    text = f"{metadata.version('keras')} on {backend}{on_cpu}; its settings are those in {os.environ['KERAS_HOME']}"
    return Finding("Keras", text)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""
