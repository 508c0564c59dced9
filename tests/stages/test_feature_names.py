"""Features whose names no layer can have go through all stages, from shards to predictions."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.support.videos import video_of, write_shard

SIZES = {"image/rgb": 6, "bild größe [x]": 3, "head": 2}
RECIPE: dict[str, Any] = {
    "name": "names",
    "data": {"holdout_shards": 1, "spec": {"features": SIZES, "num_classes": 5, "max_frames": 4}},
    "training": {"epochs": 1, "batch_size": 4, "initial_bias": "class_frequencies"},
    "families": {
        "dbof": {
            "ensemble_size": 1,
            "average": "always",
            "candidates": {"dbof": {"model": {"architecture": "dbof", "num_clusters": 8, "hidden_units": 4}}},
        }
    },
    "students": {"student": {"like": "dbof", "learn_from": "dbof"}},
    "quantization": {"threshold_elements": 10},
    "ensemble": {"search": {"trials": 4, "budget_bytes": 5_000_000}},
}


@pytest.mark.slow
def test_a_run_with_features_of_any_name_ends_in_predictions(tmp_path):
    for shard, name in enumerate(("train0", "train1", "validate0", "validate1")):
        videos = [video_of(10 * shard + n, num_frames=1 + n % 4, labels=[n % 5], **SIZES) for n in range(8)]
        write_shard(tmp_path / f"{name}.tfrecord", videos)
    data = {"training": [f"{tmp_path}/train*"], "validation": [f"{tmp_path}/validate*"], **RECIPE["data"]}
    (tmp_path / "recipe.yaml").write_text(json.dumps(RECIPE | {"data": data}))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    run("run", str(tmp_path / "recipe.yaml"), "--root", str(tmp_path / "root"))
    output, shards = tmp_path / "out.csv", f"{tmp_path}/validate*"
    run("predict", "--model", str(tmp_path / "root" / "export"), "--input", shards, "--output", str(output))
    assert len(output.read_text().splitlines()) == 17
    assert "| image/rgb | 6 | -2 | 2 |" in (tmp_path / "root" / "export" / "README.md").read_text()
    run(
        "data", "check", f"{tmp_path}/*.tfrecord", "--features", "image/rgb=6,bild größe [x]=3,head=2", "--classes", "5"
    )
