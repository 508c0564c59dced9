"""Stage `collect_records`: merges the records of several nodes into one file."""

from collections.abc import Sequence
from pathlib import Path

from yt8m.report.record import load_records
from yt8m.stages.result import StageResult
from yt8m.storage import open_atomic


def collect_records(*, records: Sequence[Path], output: Path) -> StageResult:
    """Merge record files into one JSON list with one record per node.

    Args:
        records: Record files, each with one record or a list of records.
        output: File to write.

    Returns:
        Metric `records`, the number of records.

    Raises:
        DataError: A file is not a record, or two records of one node differ.
    """
    gathered = load_records(records)
    lines = ",\n".join(record.model_dump_json() for record in gathered)
    with open_atomic(output) as file:
        file.write(f"[{lines}]".encode())
    return StageResult(metrics={"records": float(len(gathered))})
