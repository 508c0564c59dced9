"""Turns matplotlib figures into SVG that lives inside an HTML page: themed by its CSS, accessible, reproducible."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

# Colors that mean a CSS variable of the page; matplotlib itself knows no variables.
TEXT: Final = "#010101"
MUTED: Final = "#020202"
GRID: Final = "#030303"
SURFACE: Final = "#040404"
SERIES: Final = tuple(f"#0505{number:02x}" for number in range(8))
_VARIABLES: Final = {
    TEXT: "var(--text)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    SURFACE: "var(--surface)",
    **{color: f"var(--series-{number})" for number, color in enumerate(SERIES)},
}
_STYLE: Final[dict[Any, Any]] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.unicode_minus": True,
    "font.size": 9.5,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "text.color": TEXT,
    "text.parse_math": False,  # a $ in a model's name is a dollar sign
    "xtick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
}


def draw(name: str, title: str, description: str, size: tuple[float, float], plot: Callable[[Figure], None]) -> Markup:
    """Draw a figure.

    Args:
        name: Unique in the page; begins the id of every element.
        title: Short text for who cannot see the figure.
        description: What the figure shows, in a sentence or two.
        size: Width and height in inches; the figure takes the page's width and keeps their ratio.
        plot: Draws onto an empty figure; colors are the constants of this module.

    Returns:
        An `svg` element; equal figures give equal texts.
    """
    buffer = io.BytesIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        plot(figure)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return Markup(_embed(buffer.getvalue(), name, title, description))


def series_color(index: int) -> str:
    """The color of a series; there are eight, then they repeat."""
    return SERIES[index % len(SERIES)]


def _embed(svg: bytes, name: str, title: str, description: str) -> str:
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) == "metadata":
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _scoped(value, _local(key), name) for key, value in element.attrib.items()}
        if element.tag == "style" and element.text:
            element.text = f"#{name} {element.text.strip()}"
    _describe(root, name, title, description)
    text = ElementTree.tostring(root, encoding="unicode")
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    return re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px system-ui, sans-serif", text)


def _describe(root: ElementTree.Element, name: str, title: str, description: str) -> None:
    """Names the figure for screen readers and lets it shrink with the page."""
    elements: Sequence[tuple[str, str]] = (("title", title), ("desc", description))
    for position, (tag, content) in enumerate(elements):
        element = ElementTree.Element(tag, {"id": f"{name}-{tag}"})
        element.text = content
        root.insert(position, element)
    del root.attrib["width"], root.attrib["height"]
    root.attrib.update(
        {
            "id": name,
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
        }
    )


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _scoped(value: str, key: str, name: str) -> str:
    """Begin ids and references to them with the figure's name: a page holds several figures."""
    if key == "id":
        return f"{name}-{value}"
    return re.sub(r"^#|(?<=url\(#)", lambda match: f"{match.group()}{name}-", value) if "#" in value else value
