"""Gathers the records of several nodes in one file."""

from collections.abc import Sequence
from pathlib import Path

from yt8m.report.record import load_records
from yt8m.stages.result import StageResult
from yt8m.storage import open_atomic


def collect_records(*, records: Sequence[Path], output: Path) -> StageResult:
    """Write the records of several files into one, as a JSON list, each node once.

    Args:
        records: Files of one record or of a list of records each.
        output: The file to write.

    Returns:
        How many records there are.

    Raises:
        DataError: A file is no record, or two differ in what they say of a node.
    """
    gathered = load_records(records)
    lines = ",\n".join(record.model_dump_json() for record in gathered)
    with open_atomic(output) as file:
        file.write(f"[{lines}]".encode())
    return StageResult(metrics={"records": float(len(gathered))})
