"""The benchmark that compares automatic settings with random trials, on few videos."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

NAME = "120:6:16:2:5"


def printed(root: Path) -> str:
    """Run the benchmark with two trials, and return its line on the set of data."""
    command = [sys.executable, "benchmarks/auto_settings.py", NAME, "--trials=2", "--measured=150", f"--root={root}"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    (line,) = (line for line in result.stdout.splitlines() if line.startswith(NAME))
    return line


@pytest.mark.slow
def test_recipe_is_compared_with_the_best_trial_and_a_second_run_trains_nothing(tmp_path):
    line = printed(tmp_path)
    results = tmp_path / "results.jsonl"
    recipe, *trials = (json.loads(text) for text in results.read_text().splitlines())
    assert [each["what"] for each in (recipe, *trials)] == ["recipe", "trial 0", "trial 1"]
    assert len({each["training"]["learning_rate"] for each in (recipe, *trials)}) == 3
    best = max(trial["gap"] for trial in trials)
    assert f": {recipe['gap']:.4f}, {best:.4f}, {recipe['gap'] - best:+.4f};" in line

    before = results.read_text()
    assert printed(tmp_path) == line
    assert results.read_text() == before
