"""The report as one HTML page without scripts and requests, for sandboxed frames.

It is light everywhere, as the user interface of Kubeflow Pipelines around it is.
"""

import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from yt8m.progress import duration
from yt8m.report import paper
from yt8m.report.summary import Summary

TEMPLATES = Path(__file__).parent / "templates"
# Maximum rows of long tables; the rest is in summary.json.
MOST_ROWS = 40
# Number of the page's colors for series.
NUM_COLORS: Final = 8
# Colors of the registered architectures. A new architecture is added with the next number.
_FAMILIES: Final = {"netvlad": 0, "netfv": 1, "dbof": 2, "rnn": 3, "logistic": 4, "nextvlad": 5}


def family_color(family: str) -> int:
    """Return the number of an architecture's color. Any other name has a color that depends on the name alone."""
    return _FAMILIES.get(family, crc32(family.encode()) % NUM_COLORS)


def render_page(summary: Summary) -> str:
    """Render the page. Each figure of the run is a `data` element with its exact value."""
    # Importing matplotlib takes most of the start-up time of a report.
    from yt8m.report import plots  # noqa: PLC0415

    drawn = {
        "models": plots.plot_models(summary),
        "frontier": plots.plot_frontier(summary),
        "curves": plots.plot_curves(summary),
    }
    return render_template("report.html.j2", summary, drawn, most_rows=MOST_ROWS, opened=False)


def render_template(name: str, summary: Summary, plots: Mapping[str, Markup | None], **values: Any) -> str:
    """Render one of the templates.

    Args:
        name: File name of the template.
        summary: Figures of the run.
        plots: Plots `models`, `frontier` and `curves`. None if there is nothing to draw.
        values: Further variables of the template: `most_rows`, the maximum rows of long tables, and `opened`, whether
            collapsible tables are open.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = (change, code, count, gap, megabytes, percent, plain, seconds, weight)
    environment.filters.update({form.__name__: form for form in formats})
    # The search also records the architectures of members whose own records are missing.
    known = (model.family for model in summary.models), (member.family for member in summary.tables.ensemble)
    families = dict.fromkeys(chain(*known))
    colors = {family: family_color(family) for family in families}
    return environment.get_template(name).render(
        {"summary": summary, "parts": summary.parts, "paper": paper, "families": colors, "plots": plots, **values}
    )


def gap(value: float | None) -> Markup:
    """Format a score between 0 and 1 with five digits, as in the paper."""
    return _data(value, "{:.5f}")


def change(value: float | None) -> Markup:
    """Format a difference of scores with its sign."""
    if value is not None and round(value, 5) == 0:
        return _shown(value, "0.00000")
    return _data(value, "{:+.5f}")


def percent(value: float | None) -> Markup:
    """Format a fraction as percentage."""
    return _data(value, "{:.1f} %", 100.0)


def weight(value: float | None) -> Markup:
    """Format the weight of a member with four digits, as in the paper."""
    return _data(value, "{:.4f}")


def megabytes(value: float | None) -> Markup:
    """Format bytes as megabytes of 10^6 bytes."""
    small = value is not None and value < 9.995e6
    return _data(value, "{:,.2f}" if small else "{:,.1f}", 1e-6)


def seconds(value: float | None) -> Markup:
    """Format a duration as milliseconds, seconds, or minutes and hours."""
    if value is not None and 0 < value < 1:
        return _data(value, "{:.3g} ms", 1000.0)
    return _data(value, "{:.2f} s") if value is None or value < 59.5 else _shown(value, duration(value))


def count(value: float | None) -> Markup:
    """Format a whole number with thousands separators."""
    return _data(value, "{:,.0f}")


def plain(value: float | None) -> Markup:
    """Format any number with at most four significant digits, or a whole number in full."""
    whole = value is not None and float(value).is_integer()
    return count(value) if whole else _data(value, "{:.4g}")


def code(text: str) -> Markup:
    """Format a sentence, in which settings stand between backticks."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _data(value: float | None, form: str, scale: float = 1.0) -> Markup:
    if value is None:
        return Markup('<span class="none" title="not in this run">&ndash;</span>')
    return _shown(value, form.format(value * scale).replace("-", "\N{MINUS SIGN}"))


def _shown(value: float, text: str) -> Markup:
    return Markup('<data value="{}">{}</data>').format(repr(value), escape(text))
