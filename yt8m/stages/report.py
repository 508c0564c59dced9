"""Stage `report`: writes the results of a run as an HTML page and as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from yt8m.records.record import NodeRecord
from yt8m.report.artifacts import list_artifacts
from yt8m.report.page import render_page
from yt8m.report.summarize import build_summary
from yt8m.stages.result import StageResult
from yt8m.storage import open_atomic


def report(
    *,
    records: Sequence[NodeRecord],
    students: Mapping[str, Mapping[str, str]],
    page: Path,
    summary: Path,
    families: Mapping[str, Sequence[str]] | None = None,
) -> StageResult:
    """Write the report of a run.

    Args:
        records: Records of the run's nodes, one per node. Nodes may be missing; the report states what it lacks.
        students: Models that learned from soft targets, each with `learn_from` (a family or group of the recipe) and
            `baseline` (the same model trained on labels alone; empty if there is none).
        page: File of the self-contained page, for a browser or the pipeline's user interface.
        summary: File of the same figures as JSON, with the keys of `yt8m.report.summary.Summary`.
        families: Families of the recipe, each with its candidates. The summary names the family of each model, so that
            other runs can take whole families. None if unknown.

    Returns:
        Metrics `gap`, `size_bytes`, `baseline_gap` and `members`, if the run has them, the GAP of each model as
        `gap_<model>`, and the number of `warnings`: one row to compare with other runs. Details `warnings`, and `part`,
        the part of the hold-out of these figures.
    """
    built = build_summary(records, students).model_copy(update={"artifacts": list_artifacts(records, families or {})})
    text = render_page(built)
    _write(summary, built.model_dump_json(indent=2) + "\n")
    _write(page, text)
    figures = {name: getattr(built.final, name) for name in ("gap", "size_bytes", "baseline_gap", "members")}
    figures |= {f"gap_{model.model}": model.gap for model in built.models}
    figures["warnings"] = len(built.warnings)
    return StageResult(
        {name: float(value) for name, value in figures.items() if value is not None},
        {"part": built.final.part, "warnings": [warning.model_dump() for warning in built.warnings]},
    )


def _write(path: Path, text: str) -> None:
    with open_atomic(path) as file:
        file.write(text.encode())
