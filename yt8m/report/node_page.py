"""One node's page for the pipeline's user interface: the report's sections about what the node did."""

import sys
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from yt8m.report.page import render_template
from yt8m.report.record import NodeRecord
from yt8m.report.summarize import build_summary
from yt8m.report.summary import Summary

# Sections of the report, by the stage whose record alone fills them.
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "average": ("averaging", "curves"),
    "prepare": ("data",),
    "quantize": ("quantization",),
    "search_weights": ("ensemble", "search"),
    "select_teachers": ("selection",),
    "train": ("curves",),
}


def render_node_page(record: Mapping[str, Any]) -> str:
    """Render a node's page: self-contained, without scripts and requests, with whole tables.

    Args:
        record: A `NodeRecord` of one of the stages in `SECTIONS`, as plain data.

    Raises:
        ConfigError: It is no record.
    """
    found = NodeRecord.parse(record, str(record.get("node", "record")))
    summary, sections = build_summary([found]), SECTIONS[found.stage]
    plots = _draw(summary, sections)
    return render_template(
        "node.html.j2", summary, plots, record=found, sections=sections, most_rows=sys.maxsize, opened=True
    )


def _draw(summary: Summary, sections: tuple[str, ...]) -> Mapping[str, Markup | None]:
    """The figures of the sections; matplotlib is imported only where there are any."""
    drawn: dict[str, Markup | None] = {"models": None, "curves": None, "frontier": None}
    if {"curves", "search"} & set(sections):
        from yt8m.report import plots  # noqa: PLC0415

        drawn |= {"curves": plots.plot_training(summary), "frontier": plots.plot_frontier(summary)}
    return drawn
