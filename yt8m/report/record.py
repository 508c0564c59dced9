"""The JSON record that every node of a run leaves behind: what it was and which figures came out.

A record is the file of the node's KFP `Metrics` artifact; the report reads nothing else:

    {"node": "evaluate-dbof1", "stage": "evaluate", "name": "dbof1", "family": "dbof",
     "config": {"batch_size": 128, "top_k": 100},
     "metrics": {"gap": 0.8311, "map": 0.41, "hit_at_1": 0.9, "perr": 0.8, "bytes": 1234567},
     "details": {"gap_by_kind": {"order": 0.4}}, "seconds": 6.2}

A file that fans in several nodes holds a list of records.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, FiniteFloat

from yt8m.config import Config
from yt8m.errors import DataError


class NodeRecord(Config):
    """What a node was and which figures came out.

    Attributes:
        node: Unique in the run, for instance `evaluate-quantized-netvlad1`.
        stage: One of the functions in `yt8m.stages`, for instance `evaluate`.
        name: The model the node works on; empty if on none or several.
        family: That model's family; for `select_teachers` and `soft_targets` the recipe's family or teacher group.
        config: The stage's configuration. A student's `train` has in addition `learn_from`, its teachers' family or
            group, and `baseline`, the candidate of the same make and training that learned from labels alone (empty if
            none).
        metrics: The stage's figures by name.
        details: The stage's tables and curves; their form is the stage's.
        seconds: How long the node took, where that was measured.
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
    """Read files of one record or of a list of records each.

    Returns:
        Every node's record once, in order of first appearance.

    Raises:
        DataError: A file is no JSON, or two records of one node differ; names the file.
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
        raise DataError(f"{path}: not a record of a node: {error}. Run the node that wrote it again.") from None
    for item in data if isinstance(data, list) else [data]:
        yield NodeRecord.parse(item, str(path))
