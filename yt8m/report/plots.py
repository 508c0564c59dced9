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
# Figures of a learning curve with their axis labels, in order of preference. GAP comes first, because students and
# teachers have different loss functions.
CURVE_FIGURES = {"gap": "GAP in training", "loss": "loss"}
# Line styles of the models in one panel, which all have the color of their architecture.
STYLES = ("-", "--", ":", "-.")


def plot_models(summary: Summary) -> Markup | None:
    """Plot the GAP of each model and of the final ensemble; None with fewer than two models."""
    models = [model for model in summary.models if model.gap is not None]
    if len(models) < 2:
        return None
    families = _families(summary)
    # Rows count from the bottom: the best model of the first architecture comes out on top.
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
        axes.set_xlabel("GAP on the hold-out videos")
        axes.grid(visible=False, axis="y")
        _mark_ensemble(axes, summary, len(ordered))
        axes.margins(x=0.08)

    best = max(models, key=lambda model: model.gap or 0.0)
    description = f"One dot per model; the best single model is {best.model} with GAP {best.gap:.5f}."
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
    gaps = [point.gap_held_out for point in points]
    searched = [point.gap_searched for point in points]

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.step(sizes, searched, where="post", color=MUTED, linewidth=1.2, label="videos searched on")
        axes.plot(sizes, gaps, "o", color=ACCENT, markersize=5, label="held-out videos")
        for size, gap, point in zip(sizes, gaps, points if len(points) <= MOST_NUMBERED else [], strict=False):
            axes.annotate(
                str(len(point.members)), (size, gap), (0, -15), textcoords="offset points", ha="center", color=MUTED
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
        "dots show GAP on the held-out videos, with the number of members."
    )
    return draw("plot-frontier", "Best GAP by size", description, (9.6, 3.4), plot)


def plot_curves(summary: Summary) -> Markup | None:
    """Plot the learning curves, one panel per architecture; None without curves."""
    drawn = [(curve, figures[0]) for curve in summary.curves if (figures := _figures_of(curve))]
    if not drawn:
        return None
    families = _families(summary)
    drawn.sort(key=lambda pair: families.index(pair[0].family))
    panels = [(family, list(pairs)) for family, pairs in groupby(drawn, key=lambda pair: pair[0].family)]
    return _draw_curves(panels, f"Training of {len(drawn)} models by step, one panel per architecture.")


def plot_training(summary: Summary) -> Markup | None:
    """Plot the learning curves of one node, one panel per figure of `CURVE_FIGURES`; None without any."""
    panels = [(curve.family, [(curve, name)]) for curve in summary.curves for name in _figures_of(curve)]
    return _draw_curves(panels, "Training by step, one panel per figure.") if panels else None


def _draw_curves(panels: Sequence[tuple[str, Sequence[tuple[Curve, str]]]], description: str) -> Markup:
    """Draw panels, each given as title and pairs of curve and figure to plot."""
    columns = min(3, len(panels))
    rows = ceil(len(panels) / columns)

    def plot(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (family, pairs) in zip(grid.flat, panels, strict=False):
            axes.set_title(family)
            for number, (curve, name) in enumerate(pairs):
                points = [point for point in curve.points if name in point]
                axes.plot(
                    [point["step"] for point in points],
                    [point[name] for point in points],
                    color=series_color(family_color(curve.family)),
                    linewidth=1.5,
                    linestyle=STYLES[number % len(STYLES)],
                    alpha=1.0 if number < len(STYLES) else 0.5,
                    marker="o" if len(points) == 1 else None,
                    label=curve.model,
                )
            axes.set_xlabel("step")
            axes.set_ylabel(CURVE_FIGURES[pairs[0][1]])
            axes.legend(fontsize=8, labelcolor=TEXT)

    return draw("plot-curves", "Learning curves", description, (9.6, 0.3 + 2.7 * rows), plot)


def _figures_of(curve: Curve) -> list[str]:
    """List the figures that a curve has, in order of preference."""
    return [name for name in CURVE_FIGURES if any(name in point and "step" in point for point in curve.points)]


def _families(summary: Summary) -> Sequence[str]:
    models: Sequence[Model] = summary.models
    return list(dict.fromkeys(model.family for model in models))
