"""The whole pipeline on real videos: what it exports knows far more of them than how frequent labels are."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

# One small model, straight to the export.
RECIPE: dict[str, Any] = {
    "name": "real-videos",
    "training": {
        "batch_size": 32,
        "learning_rate": 0.01,
        "batch_norm_momentum": 0.9,
        "initial_bias": "class_frequencies",
    },
    "families": {
        "dbof": {"candidates": {"dbof": {"model": {"architecture": "dbof", "num_clusters": 128, "hidden_units": 128}}}},
    },
    "ensemble": {"search": {"budget_bytes": 60_000_000, "trials": 5}},
}


def run(folder: Path, epochs: int, data: dict[str, Any]) -> dict[str, Any]:
    training = RECIPE["training"] | {"epochs": epochs}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | {"training": training, "data": data}))
    result = CliRunner().invoke(main, ["run", str(folder / "recipe.yaml"), "--root", str(folder / "run")])
    assert result.exit_code == 0, result.output
    final: dict[str, Any] = json.loads((folder / "run" / "summary.json").read_text())["final"]
    assert final["measured_on"] == "exported model"
    return final


def test_frames_around_real_means(tmp_path: Path, real_data: Path) -> None:
    generate = {"means": str(real_data / "validate_means.npz"), "videos": 800, "max_frames": 3, "test_share": 0.0}
    final = run(tmp_path, 8, {"generate": generate, "holdout_shards": 4})
    assert final["videos"] == 40  # half of the hold-out reports
    assert final["gap"] > 3 * final["baseline_gap"]


def test_real_video_level_shards(tmp_path: Path, real_data: Path) -> None:
    data = {
        "training": [f"{real_data}/video_level/validate000[0-4].tfrecord"],
        "validation": [f"{real_data}/video_level/validate000[5-7].tfrecord"],
        "holdout_shards": 3,
        "spec": {"max_frames": 1},
    }
    final = run(tmp_path, 8, data)
    assert final["videos"] == 445  # half of the hold-out reports
    assert final["gap"] > 3 * final["baseline_gap"]
