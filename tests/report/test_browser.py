"""The report in a sandboxed frame, as in the pipeline's user interface."""

import html
import os
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib.image import imread

from tests.report.test_node_page import SECTIONS
from yt8m.records.record import NodeRecord
from yt8m.report.node_page import render_node_page
from yt8m.report.page import render_page
from yt8m.report.summarize import build_summary

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTH, HEIGHT = 1200, 1500

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None and "CI" not in os.environ, reason="needs Chromium"),
]


def screenshot(folder, page, *options):
    """Take a screenshot of a page in a frame like that of Kubeflow's user interface, without a network."""
    style = f"border: 0; width: {WIDTH}px; height: {HEIGHT}px"
    frame = f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{html.escape(page)}"></iframe>'
    (folder / "frame.html").write_text(f'<!doctype html><meta charset="utf-8"><body style="margin: 0">{frame}')
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        # With an isolated frame the screenshot may be taken before the frame is drawn. The sandbox stays the same.
        "--disable-features=IsolateSandboxedIframes",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]
    places = [f"--user-data-dir={folder / 'profile'}", f"--screenshot={folder / 'page.png'}"]
    assert BROWSER, "no Chromium is installed"
    subprocess.run(
        [BROWSER, *flags, *places, f"--window-size={WIDTH},{HEIGHT}", *options, (folder / "frame.html").as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return (imread(folder / "page.png")[:, :, :3] * 255).round().astype(int)


def pixels_like(image, color):
    return int((np.abs(image - np.array(color)).max(axis=2) <= 2).sum())


@pytest.fixture
def page(full_run, students):
    return render_page(build_summary([NodeRecord(**record) for record in full_run], students))


def test_the_report_shows_in_a_sandboxed_frame(tmp_path, page):
    image = screenshot(tmp_path, page)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert pixels_like(image, (0xFF, 0xFF, 0xFF)) > image.size / 3 / 2  # sections
    assert pixels_like(image, (0xF6, 0xF7, 0xF9)) > 100_000  # the page around them
    assert pixels_like(image, (0xC8, 0x50, 0x0A)) > 100  # a family's dots in the plot
    assert pixels_like(image, (0x1B, 0x1F, 0x24)) > 2000  # text


def test_the_report_stays_light_in_a_dark_theme_like_the_frame_around_it(tmp_path, page):
    image = screenshot(tmp_path, page, "--blink-settings=preferredColorScheme=0")
    assert pixels_like(image, (0xFF, 0xFF, 0xFF)) > image.size / 3 / 2
    assert pixels_like(image, (0x1B, 0x1F, 0x24)) > 2000


def overflow(folder, page, width):
    """Return by how much a page is wider than a frame of this width, and the number of its tables that scroll."""
    script = (
        "const root = frame.contentDocument.documentElement; root.querySelectorAll('details').forEach(d => d.open = 1);"
        "const boxes = [...root.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth);"
        "document.body.dataset.found = (root.scrollWidth - root.clientWidth) + ' ' + boxes.length"
    )
    frame = (
        f'<iframe id="frame" style="border: 0; width: {width}px; height: 700px" srcdoc="{html.escape(page)}"></iframe>'
    )
    text = f'<!doctype html><meta charset="utf-8"><body>{frame}<script>onload = () => {{ {script} }}</script>'
    (folder / "frame.html").write_text(text)
    assert BROWSER, "no Chromium is installed"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={folder / 'profile'}"]
    command = [BROWSER, *flags, (folder / "frame.html").as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    excess, scrolling = done.stdout.partition('data-found="')[2].partition('"')[0].split()
    return int(excess), int(scrolling)


@pytest.mark.parametrize("width", [500, 700, 900])
def test_wide_tables_scroll_in_their_own_box_and_the_page_never_sideways(tmp_path, page, full_run, width):
    excess, scrolling = overflow(tmp_path, page, width)
    assert excess == 0
    assert scrolling > 0
    for stage in ("search_weights", "quantize", "average", "select_teachers", "prepare"):
        record = next(record for record in full_run if record["stage"] == stage)
        assert overflow(tmp_path, render_node_page(record, SECTIONS[stage]), width)[0] == 0


@pytest.mark.parametrize(
    ("stage", "section", "drawn"),
    [
        ("train", "curves", (0x93, 0x70, 0x0A)),  # the curve in the color of its architecture
        ("search_weights", "search", (0x0B, 0x5C, 0xAD)),  # points of the frontier
        ("select_teachers", "selection", (0x1B, 0x1F, 0x24)),
    ],
)
def test_a_nodes_page_shows_in_a_sandboxed_frame(tmp_path, full_run, stage, section, drawn):
    record = next(record for record in full_run if record["stage"] == stage)
    image = screenshot(tmp_path, render_node_page(record, [section]))
    assert pixels_like(image, (0xF6, 0xF7, 0xF9)) > 100_000  # the page
    assert pixels_like(image, (0x1B, 0x1F, 0x24)) > 1000  # text
    assert pixels_like(image, drawn) > 100
