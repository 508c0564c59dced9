"""The report as one HTML page: no scripts, no requests, readable in a sandboxed frame, in light and dark."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from yt8m.progress import duration
from yt8m.report import paper
from yt8m.report.summary import Summary

TEMPLATES = Path(__file__).parent / "templates"
# Combinations of teachers and quantized variables shown before the rest is left to summary.json.
MOST_ROWS = 40


def render_page(summary: Summary) -> str:
    """Render the page; every number in it that is the run's stands in a `data` element with its exact value."""
    # Drawing is most of the time that a report takes to start.
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
        name: Its file.
        summary: The figures.
        plots: `models`, `frontier` and `curves`; None where there is nothing to draw.
        values: What else it reads: `most_rows` of a long table, and whether the tables that can be folded are `opened`.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = (change, count, gap, megabytes, percent, plain, seconds, weight)
    environment.filters.update({form.__name__: form for form in formats})
    # A search knows its members' families even where their own records are missing.
    known = (model.family for model in summary.models), (member.family for member in summary.tables.ensemble)
    families = dict.fromkeys(chain(*known))
    colors = {family: number % 8 for number, family in enumerate(families)}
    return environment.get_template(name).render(
        {"summary": summary, "paper": paper, "families": colors, "plots": plots, **values}
    )


def gap(value: float | None) -> Markup:
    """A score between 0 and 1 with five digits, as in the paper."""
    return _data(value, "{:.5f}")


def change(value: float | None) -> Markup:
    """A difference of scores with its sign."""
    if value is not None and round(value, 5) == 0:
        return _shown(value, "0.00000")
    return _data(value, "{:+.5f}")


def percent(value: float | None) -> Markup:
    """A fraction of 1 in percent."""
    return _data(value, "{:.1f} %", 100.0)


def weight(value: float | None) -> Markup:
    """An ensemble's weight, with four digits as in the paper."""
    return _data(value, "{:.4f}")


def megabytes(value: float | None) -> Markup:
    """Bytes in megabytes of 10^6."""
    small = value is not None and value < 9.995e6
    return _data(value, "{:,.2f}" if small else "{:,.1f}", 1e-6)


def seconds(value: float | None) -> Markup:
    """Seconds; the short as milliseconds, the long as minutes and hours."""
    if value is not None and 0 < value < 1:
        return _data(value, "{:.3g} ms", 1000.0)
    return _data(value, "{:.2f} s") if value is None or value < 59.5 else _shown(value, duration(value))


def count(value: float | None) -> Markup:
    """A whole number with separators."""
    return _data(value, "{:,.0f}")


def plain(value: float | None) -> Markup:
    """Any number, shortest."""
    whole = value is not None and float(value).is_integer()
    return count(value) if whole else _data(value, "{:.4g}")


def _data(value: float | None, form: str, scale: float = 1.0) -> Markup:
    if value is None:
        return Markup('<span class="none" title="not in this run">&ndash;</span>')
    return _shown(value, form.format(value * scale).replace("-", "\N{MINUS SIGN}"))


def _shown(value: float, text: str) -> Markup:
    return Markup('<data value="{}">{}</data>').format(repr(value), escape(text))
