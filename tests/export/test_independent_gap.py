"""GAP of exported models, computed from shards without this project, against the project's own figure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.support.toy_ensemble import export_ensemble, write_quantized_model, write_weights
from yt8m.data.format import DataSpec
from yt8m.data.synthetic.presets import PRESETS
from yt8m.models.netvlad import NetVLADConfig
from yt8m.models.rnn import RNNConfig
from yt8m.stages.generate import GenerateConfig, generate

GAP_SCRIPT = Path(__file__).parent / "independent_gap.py"


def exported(folder: Path, spec: DataSpec) -> Path:
    members = {"netvlad": NetVLADConfig(num_clusters=16, hidden_units=8), "rnn": RNNConfig(units=16)}
    models = {name: write_quantized_model(folder / name, 1, spec=spec, config=each) for name, each in members.items()}
    weights = write_weights(folder / "weights.json", {"netvlad": 0.3, "rnn": 0.7})
    return export_ensemble(models, weights, folder)


def independently_evaluated(model: Path, shards: list[Path], folder: Path) -> dict[str, float]:
    """Run the independent script; return its figures."""
    command = [sys.executable, "-I", *map(str, (GAP_SCRIPT, model, *shards))]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def evaluated(model: Path, pattern: str) -> dict[str, float]:
    """Run `yt8m evaluate`; return its figures."""
    done = CliRunner().invoke(main, ["evaluate", "--json", "--model", str(model), "--input", pattern])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.slow
def test_an_independent_script_measures_the_same_gap_on_synthetic_shards(tmp_path):
    generate(config=GenerateConfig(preset="smoke", videos=400), output_uri=str(tmp_path / "data"))
    model = exported(tmp_path, PRESETS["smoke"].spec)
    found = independently_evaluated(model, sorted((tmp_path / "data").glob("validate*.tfrecord")), tmp_path)
    ours = evaluated(model, str(tmp_path / "data" / "validate*.tfrecord"))
    assert found["videos"] == ours["videos"] > 50
    assert 0 < found["gap"] == pytest.approx(ours["gap"], abs=1e-4)
    assert found["difference"] < 1e-5


@pytest.mark.slow
def test_an_independent_script_measures_the_same_gap_on_the_real_record(real_data, tmp_path):
    (record,) = (real_data / "frame_level").glob("train0208*.tfrecord")
    # With 55 classes, this untrained model has the record's label among its top 20.
    model = exported(tmp_path, DataSpec(num_classes=55))
    found = independently_evaluated(model, [record], tmp_path)
    ours = evaluated(model, str(record))
    assert found["videos"] == ours["videos"] == 1
    assert 0 < found["gap"] == pytest.approx(ours["gap"], abs=1e-4)
    assert found["difference"] < 1e-5
