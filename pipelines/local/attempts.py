"""Marks of deliberate repetitions in a local run's folder, by node and key.

A repetition must not find what was made before, but later runs must find what the repetition made. So the folder keeps
the mark of the last repetition of each work, also for recipes that are run in between.
"""

from collections.abc import Collection
from pathlib import Path

from pydantic import Field

from pipelines.kubeflow.rerun import mark_attempts
from pipelines.kubeflow.spec import ATTEMPT_PARAMETER, Spec, SpecGraph
from yt8m.config import ConfigFile
from yt8m.errors import ConfigError, StorageError

ATTEMPTS_FILE = "attempts.json"


class _Attempts(ConfigFile):
    """The mark of the last repetition of each work: mark by key by node."""

    marks: dict[str, dict[str, str]] = Field(default={})


def keep_attempts(root: Path, spec: Spec, nodes: Collection[str] = ()) -> Spec:
    """Return a copy of a pipeline in which steps have the marks of the last repetitions of their works.

    Args:
        root: The run's folder.
        spec: The pipeline.
        nodes: The steps that may get a mark. Empty means all of them.
    """
    graph, marks = SpecGraph(spec), _read(root).marks
    found = {name: marks.get(name, {}).get(graph.constant(name, "key"), "") for name in nodes or graph.nodes}
    marked = mark_attempts(spec, {name: mark for name, mark in found.items() if mark})
    SpecGraph(marked).update_records(tuple(graph.nodes))
    return marked


def save_attempts(root: Path, spec: Spec, nodes: Collection[str]) -> None:
    """Keep the marks that some steps of a pipeline have."""
    graph, marks = SpecGraph(spec), _read(root).marks
    for name in nodes:
        if attempt := graph.constant(name, ATTEMPT_PARAMETER):
            marks.setdefault(name, {})[graph.constant(name, "key")] = attempt
    _Attempts(marks=marks).save(root / ATTEMPTS_FILE)


def _read(root: Path) -> _Attempts:
    try:
        return _Attempts.load(root / ATTEMPTS_FILE)
    except (ConfigError, StorageError):  # another version wrote it, or there is none
        return _Attempts()
