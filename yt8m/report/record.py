"""Records: the JSON file in which each node of a run stores what it did and its figures.

A record is the file of the node's KFP `Metrics` artifact. The report reads nothing else:

    {"node": "evaluate-dbof1", "stage": "evaluate", "name": "dbof1", "family": "dbof",
     "config": {"batch_size": 128, "top_k": 100},
     "metrics": {"gap": 0.8311, "map": 0.41, "hit_at_1": 0.9, "perr": 0.8, "bytes": 1234567},
     "details": {"gap_by_kind": {"order": 0.4}}, "seconds": 6.2}

The file of a node that collects several others holds a list of records.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, FiniteFloat

from yt8m.config import Config
from yt8m.errors import DataError


class NodeRecord(Config):
    """Identity, configuration and figures of a node.

    Attributes:
        node: Name of the node, unique in the run, for instance `evaluate-quantized-netvlad1`.
        stage: Name of a function in `yt8m.stages`, for instance `evaluate`.
        name: Model that the node works on. Empty if there is none or several.
        family: Architecture of that model. For `select_teachers` and `soft_targets`, the recipe's family or group of
            teachers.
        config: Configuration of the stage. For the `train` stage of a student it also has `learn_from`, the family or
            group of its teachers, and `baseline`, the candidate with the same configuration and training that learned
            from labels alone (empty if none).
        metrics: Figures of the stage by name.
        details: Tables and curves, in the stage's format.
        seconds: Duration of the node in seconds, if measured.
    """

    node: str
    stage: str
    name: str = ""
    family: str = ""
    config: dict[str, Any] = Field(default={})
    metrics: dict[str, FiniteFloat] = Field(default={})
    details: dict[str, Any] = Field(default={})
    seconds: FiniteFloat | None = None


def load_records(paths: Iterable[Path]) -> list[NodeRecord]:
    """Read record files, each with one record or a list of records.

    Returns:
        One record per node, in order of first appearance.

    Raises:
        DataError: A file is not JSON, or two records of one node differ.
        ConfigError: A record lacks a field or has an unknown one.
    """
    found: dict[str, NodeRecord] = {}
    for path in paths:
        for record in _read_file(path):
            if found.setdefault(record.node, record) != record:
                raise DataError(
                    f"{path}: expected one record of node {record.node!r}, received two that differ. "
                    "Give the records of one run only."
                )
    return list(found.values())


def _read_file(path: Path) -> Iterator[NodeRecord]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a record of a node: {error}. Rerun the node that wrote it.") from None
    for item in data if isinstance(data, list) else [data]:
        yield NodeRecord.parse(item, str(path))
