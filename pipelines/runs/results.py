"""Puts what a run is for where its user looks: report, summary and exported model in the root."""

import os
import shutil

from pipelines.runs.state import RunState
from yt8m.storage import publish_directory, publish_file

REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.json"
EXPORT_FOLDER = "export"


def publish_results(state: RunState) -> None:
    """Copy the results out of the steps' artifacts; large files are hard links where the file system has them.

    Args:
        state: A finished run.
    """
    report = state.nodes["report"].outputs
    for source, name in ((report["html"], REPORT_FILE), (report["summary"], SUMMARY_FILE)):
        with publish_file(state.root / name) as path:
            shutil.copyfile(source, path)
    with publish_directory(state.root / EXPORT_FOLDER) as folder:
        shutil.copytree(state.nodes["export"].outputs["exported"], folder, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
