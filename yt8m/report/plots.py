"""Plots of the report. Importing this module imports matplotlib, so import it only to draw."""

from collections.abc import Sequence
from itertools import groupby
from math import ceil

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yt8m.report.page import family_color
from yt8m.report.summary import Curve, Model, Summary
from yt8m.report.svg import ACCENT, MUTED, SURFACE, TEXT, draw, series_color

MEGABYTE = 1e6
# Maximum points of the frontier that are labeled with their number of members.
MOST_NUMBERED = 16
# The best ensemble within the budget of members in 8 bits.
PAPER_LABEL = "all members in 8 bits, as in the paper"
# Figures of a learning curve: their titles, and the same figures on the hold-out. GAP comes first, because students and
# teachers have different loss functions.
CURVE_FIGURES = {"gap": ("GAP", "holdout_gap"), "loss": ("loss", "holdout_loss")}
# Line styles of the models in one panel, which all have the color of their architecture.
STYLES = ("-", "--", ":", "-.")
# Markers of the same models on the hold-out.
MARKERS = ("o", "s", "^", "D")


def plot_models(summary: Summary) -> Markup | None:
    """Plot the GAP of each model and of the final ensemble; None with fewer than two models."""
    models = [model for model in summary.models if model.gap is not None]
    if len(models) < 2:
        return None
    families = _families(summary)
    # Rows count from the bottom: the model with the highest GAP of the first architecture comes out on top.
    ordered = sorted(models, key=lambda model: (-families.index(model.family), model.gap or 0.0))

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row, model in enumerate(ordered):
            color = series_color(family_color(model.family))
            face = color if model.role == "student" else SURFACE
            axes.plot(
                [model.gap or 0.0], [row], "o", color=color, markerfacecolor=face, markersize=7, markeredgewidth=1.8
            )
        axes.set_yticks(range(len(ordered)), [f"{model.model}  ({model.family})" for model in ordered])
        axes.set_ylim(-0.7, len(ordered) - 0.3)
        axes.set_xlabel(f"GAP on {summary.parts.report_text}")
        axes.grid(visible=False, axis="y")
        _mark_ensemble(axes, summary, len(ordered))
        axes.margins(x=0.08)

    best, gap = summary.final.best_model, summary.final.best_model_gap or 0.0
    description = f"One dot per model. The best on the videos that decide is {best}, with GAP {gap:.5f}."
    return draw("plot-models", "GAP of every model", description, (9.6, 1.0 + 0.27 * len(ordered)), plot)


def _mark_ensemble(axes: Axes, summary: Summary, rows: int) -> None:
    if summary.final.gap is None or summary.final.measured_on == "model":
        return
    axes.axvline(summary.final.gap, color=TEXT, linewidth=1.2, linestyle=(0, (4, 3)))
    label = f"{summary.final.measured_on} {summary.final.gap:.5f} "
    axes.text(summary.final.gap, rows - 0.45, label, ha="right", va="bottom", color=TEXT, fontsize=9)


def plot_frontier(summary: Summary) -> Markup | None:
    """Plot the GAP of the best ensembles against their size; None without a frontier."""
    search = summary.search
    if search is None or len(search.frontier) < 2:
        return None
    points = sorted(search.frontier, key=lambda point: point.size_bytes)
    sizes = [point.size_bytes / MEGABYTE for point in points]
    gaps = [point.gap for point in points]
    searched = [point.gap_select for point in points]
    parts = summary.parts

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.step(sizes, searched, where="post", color=MUTED, linewidth=1.2, label=f"{parts.select_text}, searched on")
        axes.plot(sizes, gaps, "o", color=ACCENT, markersize=5, label=parts.report_text)
        for size, gap, point in zip(sizes, gaps, points if len(points) <= MOST_NUMBERED else [], strict=False):
            axes.annotate(
                str(len(point.members)), (size, gap), (0, -15), textcoords="offset points", ha="center", color=MUTED
            )
        if paper := search.paper_point:
            axes.plot(
                paper.size_bytes / MEGABYTE, paper.gap, "D", color=TEXT, markerfacecolor=SURFACE, label=PAPER_LABEL
            )
        if (budget := summary.final.budget_bytes) is not None and budget <= 2 * points[-1].size_bytes:
            axes.axvline(budget / MEGABYTE, color=TEXT, linewidth=1.2, linestyle=(0, (4, 3)))
            top = (budget / MEGABYTE, 1.0)
            axes.annotate(
                "budget", top, (-4, 0), axes.get_xaxis_transform(), "offset points", ha="right", va="top", color=TEXT
            )
        axes.set_xlabel("size of the members in MB")
        axes.set_ylabel("GAP")
        axes.legend(loc="best", labelcolor=TEXT)
        axes.margins(x=0.05, y=0.2)

    description = (
        f"From {sizes[0]:.3g} MB with GAP {gaps[0]:.5f} to {sizes[-1]:.3g} MB with GAP {gaps[-1]:.5f}; "
        f"dots show GAP on {parts.report_text}, with the number of members."
    )
    if paper := search.paper_point:
        description += f" {PAPER_LABEL}: {paper.size_bytes / MEGABYTE:.3g} MB with GAP {paper.gap:.5f}."
    return draw("plot-frontier", "Best GAP by size", description, (9.6, 3.4), plot)


def plot_curves(summary: Summary) -> Markup | None:
    """Plot the learning curves, panels of GAP and loss per architecture; None without curves."""
    families = _families(summary)
    curves = sorted(summary.curves, key=lambda curve: families.index(curve.family))
    panels = [
        (f"{family}: {CURVE_FIGURES[name][0]}", name, drawn)
        for name in CURVE_FIGURES
        for family, each in groupby(curves, key=lambda curve: curve.family)
        if (drawn := [curve for curve in each if _has(curve, name)])
    ]
    title = f"Training of {len(curves)} models by step, panels of GAP and loss per architecture."
    return _draw_curves(panels, title, summary) if panels else None


def plot_training(summary: Summary) -> Markup | None:
    """Plot the learning curves of one node, one panel per figure of `CURVE_FIGURES`; None without any."""
    panels = [
        (CURVE_FIGURES[name][0], name, [curve])
        for curve in summary.curves
        for name in CURVE_FIGURES
        if _has(curve, name)
    ]
    return _draw_curves(panels, "Training by step, one panel per figure.", summary) if panels else None


def _draw_curves(panels: Sequence[tuple[str, str, Sequence[Curve]]], description: str, summary: Summary) -> Markup:
    """Draw panels, each given as title, figure and curves: lines in training, dots on the hold-out."""
    decided = "select" if summary.parts.is_divided else "hold-out"
    columns = min(3, len(panels))
    rows = ceil(len(panels) / columns)

    def plot(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (title, name, curves) in zip(grid.flat, panels, strict=False):
            axes.set_title(title)
            for number, curve in enumerate(curves):
                _draw_curve(axes, curve, name, number, decided)
            axes.set_xlabel("step")
            axes.legend(fontsize=8, labelcolor=TEXT)

    return draw("plot-curves", "Learning curves", description, (9.6, 0.3 + 2.7 * rows), plot)


def _draw_curve(axes: Axes, curve: Curve, name: str, number: int, decided: str) -> None:
    """Draw a figure of a curve in training and on the part of the hold-out that decides.

    Args:
        axes: Panel.
        curve: The curve.
        name: Figure in training.
        number: Number of the curve in its panel, which decides on its style.
        decided: Name of the part.
    """
    color, opacity = series_color(family_color(curve.family)), 1.0 if number < len(STYLES) else 0.5
    steps, values = _values(curve, name)
    axes.plot(
        steps,
        values,
        color=color,
        linewidth=1.5,
        linestyle=STYLES[number % len(STYLES)],
        alpha=opacity,
        marker="_" if len(steps) == 1 else None,
        label=f"{curve.model}, training",
    )
    steps, values = _values(curve, CURVE_FIGURES[name][1])
    if steps:
        axes.plot(
            steps,
            values,
            color=color,
            linestyle="",
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            alpha=opacity,
            label=f"{curve.model}, {decided}",
        )


def _values(curve: Curve, name: str) -> tuple[list[float], list[float]]:
    """Return the steps at which a curve has a figure, and its values."""
    known = [
        (step, value) for point in curve.points if (value := point.get(name)) is not None and (step := point["step"])
    ]
    return [step for step, _ in known], [value for _, value in known]


def _has(curve: Curve, name: str) -> bool:
    return any(point.get(name) is not None and "step" in point for point in curve.points)


def _families(summary: Summary) -> Sequence[str]:
    models: Sequence[Model] = summary.models
    return list(dict.fromkeys(model.family for model in models))
