"""The report in a sandboxed frame, as in the pipeline's user interface."""

import html
import os
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib.image import imread

from yt8m.report.node_page import render_node_page
from yt8m.report.page import render_page
from yt8m.report.record import NodeRecord
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
def page(full_run):
    return render_page(build_summary([NodeRecord(**record) for record in full_run]))


def test_the_report_shows_in_a_sandboxed_frame(tmp_path, page):
    image = screenshot(tmp_path, page)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert pixels_like(image, (0xFF, 0xFF, 0xFF)) > image.size / 3 / 2  # sections
    assert pixels_like(image, (0xF6, 0xF7, 0xF9)) > 100_000  # the page around them
    assert pixels_like(image, (0xC8, 0x50, 0x0A)) > 100  # a family's dots in the plot
    assert pixels_like(image, (0x1B, 0x1F, 0x24)) > 2000  # text


def test_the_report_follows_the_dark_theme(tmp_path, page):
    image = screenshot(tmp_path, page, "--force-dark-mode", "--blink-settings=preferredColorScheme=0")
    assert pixels_like(image, (0x17, 0x1B, 0x21)) > image.size / 3 / 2
    assert pixels_like(image, (0xF2, 0x91, 0x4D)) > 100
    assert pixels_like(image, (0xE6, 0xE9, 0xED)) > 2000


@pytest.mark.parametrize(
    ("stage", "section", "drawn"),
    [("train", "curves", 100), ("search_weights", "search", 100), ("select_teachers", "selection", 0)],
)
def test_a_nodes_page_shows_in_a_sandboxed_frame(tmp_path, full_run, stage, section, drawn):
    record = next(record for record in full_run if record["stage"] == stage)
    image = screenshot(tmp_path, render_node_page(record, [section]))
    assert pixels_like(image, (0xF6, 0xF7, 0xF9)) > 100_000  # the page
    assert pixels_like(image, (0x1B, 0x1F, 0x24)) > 1000  # text
    assert pixels_like(image, (0x0B, 0x6F, 0xC2)) >= drawn  # a curve, or points of the frontier
