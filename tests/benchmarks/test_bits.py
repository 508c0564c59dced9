"""The benchmark of fewer bits, on a run of the smallest recipe."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY


def run(*arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


@pytest.mark.slow
def test_tables_are_those_of_the_figures_of_every_storage_export_and_search(tmp_path: Path) -> None:
    # CI names a finished run, to save the time.
    root = Path(os.environ.get("SMOKE_ROOT") or tmp_path / "run")
    if not root.exists():
        run("-m", "pipelines", "run", "pipelines/recipes/smoke.yaml", f"--root={root}")
    printed = run("benchmarks/bits.py", str(root), f"--json={tmp_path / 'bits.json'}")
    rows = json.loads((tmp_path / "bits.json").read_text())

    members = json.loads((root / "summary.json").read_text())["tables"]["quantization"]
    storages = {row["storage"] for row in rows if row["table"] == "models"}
    measured = [(row["model"], row["storage"]) for row in rows if row["table"] == "models"]
    assert sorted(measured) == sorted((member["model"], storage) for member in members for storage in storages)

    four_bits = [row for row in rows if row.get("storage") == "k-means, 4 bits" and row["family"] == "netvlad"]
    change = statistics.mean(row["gap"] - row["gap_float"] for row in four_bits)
    megabytes = statistics.mean(row["bytes"] for row in four_bits) / 1e6
    (line,) = (line for line in printed.splitlines() if line.startswith("| k-means, 4 bits |"))
    assert f"{megabytes:.3f} MB, {change:+.5f}" in line

    assert [row["size"] for row in rows if row["table"] == "exports"] == ["8", "auto", "4"]
    ample, scarce = (row for row in rows if row["table"] == "search")
    assert ample["budget_bytes"] > scarce["budget_bytes"]
    assert set(ample["sizes_in_8_bits"].values()) == {"8"}
