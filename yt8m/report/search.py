"""The search for the final ensemble, for the report."""

from collections.abc import Mapping
from typing import Any

from yt8m.report.run import Run
from yt8m.report.summary import FrontierPoint, Guard, Search, SearchMethod


def build_search(run: Run) -> Search | None:
    """The methods that were compared and the frontier; None if the run has no search."""
    record = run.first("search_weights")
    if record is None:
        return None
    details = record.details
    weights = {member["name"]: member["weight"] for member in details.get("members", ())}
    final = {name: weight for name, weight in weights.items() if weight > 0}
    rows = details.get("methods", ())
    guard = dict(details.get("guard", {}))
    used = guard.pop("taken", "")
    frontier = sorted(map(_point, details.get("frontier", ())), key=lambda point: point.size_bytes)
    split = details.get("split", {})
    return Search(
        searched_videos=split.get("search_videos"),
        held_out_videos=split.get("report_videos"),
        gap_float=record.metrics.get("gap_report_float"),
        methods=tuple(_method(row, used) for row in rows),
        guard=Guard(**guard) if guard else None,
        random_trials=details.get("random_trials", {}),
        dropped=tuple(name for name in weights if name not in final),
        frontier=tuple(frontier),
    )


def _method(row: Mapping[str, Any], used: str) -> SearchMethod:
    return SearchMethod(
        method=row["method"],
        trials=row["trials"],
        gap_searched=row["gap_search"],
        gap_held_out=row["gap_report"],
        gap=row["gap"],
        members=len(row["members"]),
        size_bytes=row["size_bytes"],
        chosen=row["method"] == used,
    )


def _point(point: Mapping[str, Any]) -> FrontierPoint:
    return FrontierPoint(
        size_bytes=point["size_bytes"],
        gap_searched=point["gap_search"],
        gap_held_out=point["gap_report"],
        members=tuple(point["members"]),
    )
