"""Stage `report`: writes the results of a run as an HTML page and as JSON."""

from collections.abc import Sequence
from pathlib import Path

from yt8m.report.page import render_page
from yt8m.report.record import load_records
from yt8m.report.summarize import build_summary
from yt8m.stages.result import StageResult
from yt8m.storage import open_atomic


def report(*, records: Sequence[Path], html: Path, summary: Path) -> StageResult:
    """Write the report of a run.

    Args:
        records: Record files of the run's nodes, each with one `yt8m.report.record.NodeRecord` or a list of them.
            Nodes may be missing; the report states what it lacks.
        html: File of the self-contained page, for a browser or the pipeline's user interface.
        summary: File of the same figures as JSON, with the keys of `yt8m.report.summary.Summary`.

    Returns:
        Metrics `gap`, `size_bytes`, `budget_bytes`, `baseline_gap` and `members`, if the run has them, and the number
        of `nodes` read.

    Raises:
        DataError: A file is not a record, or two records of one node differ.
    """
    loaded = load_records(records)
    built = build_summary(loaded)
    page = render_page(built)
    _write(summary, built.model_dump_json(indent=2) + "\n")
    _write(html, page)
    headline = {
        name: getattr(built.final, name) for name in ("gap", "size_bytes", "budget_bytes", "baseline_gap", "members")
    }
    metrics = {name: float(value) for name, value in headline.items() if value is not None}
    return StageResult(metrics={**metrics, "nodes": float(len(loaded))})


def _write(path: Path, text: str) -> None:
    with open_atomic(path) as file:
        file.write(text.encode())
