"""Conversion of matplotlib figures to inline SVG: themed by the page's CSS, accessible and reproducible."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

# Placeholder colors, replaced by CSS variables of the page; matplotlib does not support variables.
TEXT: Final = "#010101"
MUTED: Final = "#020202"
GRID: Final = "#030303"
SURFACE: Final = "#040404"
ACCENT: Final = "#060606"
SERIES: Final = tuple(f"#0505{number:02x}" for number in range(8))
_VARIABLES: Final = {
    TEXT: "var(--text)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    SURFACE: "var(--surface)",
    ACCENT: "var(--accent)",
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
    "text.parse_math": False,  # "$" in a model's name is not TeX
    "xtick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
}


def draw(name: str, title: str, description: str, size: tuple[float, float], plot: Callable[[Figure], None]) -> Markup:
    """Draw a figure as SVG.

    Args:
        name: Name of the figure, unique in the page; prefix of all element ids.
        title: Short title for screen readers.
        description: Description of the figure in one or two sentences, for screen readers.
        size: Width and height in inches. The figure scales to the width of the page.
        plot: Function that draws onto an empty figure, with the color constants of this module.

    Returns:
        An `svg` element. Equal figures give equal text.
    """
    buffer = io.BytesIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        plot(figure)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return Markup(_embed(buffer.getvalue(), name, title, description))


def series_color(index: int) -> str:
    """Return the color of a series; the eight colors repeat."""
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
    """Add title and description for screen readers, and make the figure scale with the page."""
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
    """Prefix ids and references with the figure's name, because a page holds several figures."""
    if key == "id":
        return f"{name}-{value}"
    return re.sub(r"^#|(?<=url\(#)", lambda match: f"{match.group()}{name}-", value) if "#" in value else value
