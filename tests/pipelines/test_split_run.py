"""An experiment of two runs: the second takes members and a family of the first."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.runs.state import RunState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COMMON: dict[str, Any] = {
    "data": {"generate": {"preset": "smoke"}, "holdout_shards": 4},
    "training": {"epochs": 1, "batch_size": 32, "learning_rate": 0.01},
    "quantization": {"threshold_elements": 200},
}
SEARCH = {"budget_bytes": 5_000_000, "trials": 20}


def run(folder: Path, name: str, **sections: Any) -> Result:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **COMMON, **sections}))
    return CliRunner().invoke(main, ["run", str(folder / f"{name}.yaml"), "--root", str(folder / name)])


def dbof(clusters: int) -> dict[str, Any]:
    return {"model": {"architecture": "dbof", "num_clusters": clusters, "hidden_units": 16}}


def test_a_run_takes_members_and_teachers_of_another_run(tmp_path: Path) -> None:
    candidates = {"dbof-a": dbof(16), "dbof-b": dbof(8)}
    families = {"dbof": {"average": "always", "ensemble_size": 2, "candidates": candidates}}
    first = run(tmp_path, "first", families=families, averaging={"epochs": 1}, ensemble={"search": SEARCH})
    assert first.exit_code == 0, first.output
    source = str(tmp_path / "first")
    (artifacts, _) = json.loads((tmp_path / "first" / "summary.json").read_text())["artifacts"]
    assert (artifacts["model"], artifacts["group"], artifacts["average"]) == ("dbof-a", "dbof", "always")
    assert (Path(artifacts["weights"]) / "config.json").is_file()
    netvlad = {"model": {"architecture": "netvlad", "num_clusters": 4, "hidden_units": 16}}
    sections: dict[str, Any] = {
        "families": {"dbof": {"from": source, "ensemble_size": 2}, "netvlad": {"candidates": {"vlad": netvlad}}},
        "students": {"dbof-s": {"like": "dbof-b", "average": "never", "learn_from": "dbof"}},
        "ensemble": {"members": ["vlad", "dbof-s", {"from": source, "names": ["dbof-a"]}], "search": SEARCH},
    }
    second = run(tmp_path, "second", **sections)
    assert second.exit_code == 0, second.output
    nodes = RunState.load(tmp_path / "second").nodes
    assert not {"train-dbof-a", "train-dbof-b", "quantize-dbof-a"} & nodes.keys()
    assert {"select-dbof", "soft-targets-dbof", "train-dbof-s"} <= nodes.keys()
    summary = json.loads((tmp_path / "second" / "summary.json").read_text())
    (selection,) = summary["selections"]
    assert set(selection["chosen"]) == {"dbof-a", "dbof-b"}
    (record,) = (tmp_path / "second" / "records" / "search-weights").glob("*.json")
    members = {member["name"]: member for member in json.loads(record.read_text())["details"]["members"]}
    assert set(members) == {"vlad", "dbof-s", "dbof-a"}
    quantized = {
        row["model"]: row["gap_quantized"]
        for row in json.loads((tmp_path / "first" / "summary.json").read_text())["models"]
    }
    assert members["dbof-a"]["gap"] == pytest.approx(quantized["dbof-a"], abs=1e-9)
    again = run(tmp_path, "second", **sections)
    assert again.exit_code == 0, again.output
    assert {node.state for node in RunState.load(tmp_path / "second").nodes.values()} == {"unchanged"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run a recipe with one model; return its root."""
    folder = tmp_path_factory.mktemp("source")
    families = {"dbof": {"ensemble_size": 1, "candidates": {"dbof-a": dbof(16)}}}
    done = run(folder, "first", families=families, ensemble={"search": SEARCH})
    assert done.exit_code == 0, done.output
    return str(folder / "first")


def test_a_training_starts_with_the_weights_of_another_run(source: str, tmp_path: Path) -> None:
    def families(**changes: Any) -> dict[str, Any]:
        warm = {**dbof(16), "start_from": {"from": source, "name": "dbof-a"}, "training": {"learning_rate": 1e-9}}
        return {"dbof": {"ensemble_size": 1, "candidates": {"warm": warm | changes}}}

    warm = run(tmp_path, "warm", families=families(), ensemble={"search": SEARCH})
    assert warm.exit_code == 0, warm.output
    (record,) = (tmp_path / "warm" / "records" / "train-warm").glob("*.json")
    assert json.loads(record.read_text())["details"]["start"]["head"] is True
    before, after = (
        json.loads((Path(root) / "summary.json").read_text())["models"][0]["gap"]
        for root in (source, tmp_path / "warm")
    )
    assert after == pytest.approx(before, abs=0.02)
    refused = run(tmp_path, "refused", families=families(**dbof(8)), ensemble={"search": SEARCH})
    assert refused.exit_code == 2
    assert "'warm' cannot start from 'dbof-a'" in refused.output


def test_members_of_a_run_with_other_videos_are_refused(source: str, tmp_path: Path) -> None:
    ensemble = {"members": {"from": source}, "search": SEARCH}
    only_ensemble = run(tmp_path, "second", ensemble=ensemble)
    assert only_ensemble.exit_code == 0, only_ensemble.output
    other = {"families": {"new": {"candidates": {"new": dbof(4)}}}, "seed": 1}
    mixed = {**ensemble, "members": ["new", ensemble["members"]]}
    refused = run(tmp_path, "third", ensemble=mixed, **other)
    assert refused.exit_code == 2
    assert "videos" in refused.output
