"""Folder of a local run: file names, lock, current view and published results."""

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.runs.state import RunState
from pipelines.runs.view import RunView, warning_lines
from yt8m.errors import ConfigError
from yt8m.storage import publish_directory, publish_file

LOCK_FILE = ".lock"
# The compiled pipeline of the last run, and its recipe with all settings applied.
PIPELINE_FILE = "pipeline.yaml"
RECIPE_FILE = "recipe.json"
# The artifacts of all steps, each in `steps/RUN/NODE/OUTPUT`, and KFP's cache, which refers to them.
ARTIFACTS_FOLDER = "steps"
CACHE_FOLDER = "steps/.kfp_cache"
# One log per node, and one for everything that KFP's local runner prints.
LOGS_FOLDER = "logs"
PIPELINE_LOG = "pipeline.log"
# One account per node of what its work was made of; see `pipelines.local.explain`.
WORK_FOLDER = "work"
REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.json"
EXPORT_FOLDER = "export"


def node_log(root: Path, node: str) -> Path:
    """Return the path of a node's log."""
    return root / LOGS_FOLDER / f"{node}.log"


@contextmanager
def lock_root(root: Path) -> Iterator[int]:
    """Lock a run's folder for this process. The operating system releases the lock when the process ends.

    Args:
        root: The run's folder, which is created if missing.

    Yields:
        File descriptor of the lock. A child process that inherits it holds the lock as well.

    Raises:
        ConfigError: Another run holds the lock.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = (root / LOCK_FILE).read_text().strip() or "unknown"
            raise ConfigError(
                f"--root {root}: in use by another run (process {holder}). Wait for it to end, or give another --root."
            ) from None
        (root / LOCK_FILE).write_text(f"{os.getpid()}\n")
        yield file.fileno()


def is_locked(root: Path) -> bool:
    """Return whether a run holds the lock of this folder."""
    path = root / LOCK_FILE
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def stop_run(root: Path) -> int:
    """Ask the process that executes the run in a folder to stop, and return its process id.

    Raises:
        ConfigError: No run is going on here, or its process is not known on this machine.
    """
    if not is_locked(root):
        raise ConfigError(f"{root}: no run is going on here, so that there is nothing to stop.")
    lock = root / LOCK_FILE
    holder = lock.read_text().strip()
    files = Path(f"/proc/{holder}/fd")
    # The number may be that of another process by now, or of a process on another machine.
    if not files.is_dir() or not any(file.exists() and file.samefile(lock) for file in files.iterdir()):
        raise ConfigError(
            f"{root}: the process of the run (number {holder or 'unknown'}) is not known on this machine. Press Ctrl-C "
            "where the run was started."
        )
    os.kill(int(holder), signal.SIGTERM)
    return int(holder)


def view_folder(root: Path) -> RunView:
    """Return the current view of the run in a folder.

    Raises:
        DataError: The state file is missing or damaged.
    """
    running = is_locked(root)
    state = RunState.load(root)
    nodes = {
        name: node.model_copy(update={"state": "stopped"}) if node.state == "running" and not running else node
        for name, node in state.nodes.items()
    }
    ended = "finished" if state.is_finished else "not running"
    notes = []
    if state.is_finished:
        notes = [*_warnings(root), f"Report: {root / REPORT_FILE}", f"Model: {root / EXPORT_FOLDER}"]
    if stale := state.count("stale"):
        notes.append(f"{stale} nodes are stale: a node they depend on was executed again after them.")
    return RunView(state.pipeline, nodes, "running" if running else ended, running, tuple(notes))


def _warnings(root: Path) -> list[str]:
    """Return lines with the warnings in a run's summary; none if it cannot be read."""
    try:
        return warning_lines(json.loads((root / SUMMARY_FILE).read_text()).get("warnings", ()))
    except (OSError, ValueError):
        return []


def publish_results(state: RunState) -> None:
    """Copy report, summary and exported model of a finished run from the steps' artifacts to the run's folder.

    Files of the model become hard links where the file system supports them.
    """
    report = state.nodes["report"].outputs
    for source, name in ((report["page"], REPORT_FILE), (report["summary"], SUMMARY_FILE)):
        with publish_file(state.root / name) as path:
            shutil.copyfile(source, path)
    with publish_directory(state.root / EXPORT_FOLDER) as folder:
        shutil.copytree(state.nodes["export"].outputs["exported"], folder, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
