"""Pages of single nodes for the pipeline's user interface, made of sections of the report."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from yt8m.records.record import NodeRecord
from yt8m.report.page import render_template
from yt8m.report.summarize import build_summary
from yt8m.report.summary import Summary


def render_node_page(record: Mapping[str, Any], sections: Sequence[str]) -> str:
    """Render the page of a node: self-contained, without scripts and requests, with complete tables.

    Args:
        record: A `NodeRecord` as plain data.
        sections: Names of the report's templates that this record fills: `curves`, `quantization`, ...

    Raises:
        ConfigError: The record is not valid.
    """
    found = NodeRecord.parse(record, str(record.get("node", "record")))
    summary = build_summary([found])
    plots = _draw(summary, sections)
    return render_template(
        "node.html.j2", summary, plots, record=found, sections=sections, most_rows=sys.maxsize, opened=True
    )


def _draw(summary: Summary, sections: Sequence[str]) -> Mapping[str, Markup | None]:
    """Draw the figures of the sections. Matplotlib is imported only if there are any."""
    drawn: dict[str, Markup | None] = {"models": None, "curves": None, "frontier": None}
    if {"curves", "search"} & set(sections):
        from yt8m.report import plots  # noqa: PLC0415

        drawn |= {"curves": plots.plot_training(summary), "frontier": plots.plot_frontier(summary)}
    return drawn
