"""Reports what a run achieved: a page for people, the same figures for programs."""

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
        records: What the run's nodes left: files of one `yt8m.report.record.NodeRecord` or of a list of them.
            Nodes may be missing; the report says what it lacks.
        html: One self-contained page, for a browser or the pipeline's user interface.
        summary: The same figures as JSON; its keys are those of `yt8m.report.summary.Summary`.

    Returns:
        The headline: `gap`, `size_bytes`, `budget_bytes`, `baseline_gap` and `members`, as far as the run has them,
        and how many `nodes` were read.

    Raises:
        DataError: A file is no record, or two records of one node differ.
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
