import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]

USE = """
import numpy as np
from yt8m.config import Config
from yt8m.models import FAMILIES, ModelConfig, build_from_bytes
from yt8m.records.spec import DataSpec

class Wish(Config):
    model: ModelConfig

config = Wish.parse({"model": {"family": "moments", "head": {"kind": "logistic"}}}, "wish").model
spec = DataSpec(features={"rgb": 6, "audio": 2}, num_classes=5, max_frames=4)
model = build_from_bytes(config, spec)
frames = np.random.default_rng(0).integers(0, 256, (3, 4, 8), dtype=np.uint8)
inputs = {"frames": frames, "num_frames": np.array([4, 2, 1], np.int32)}
first = np.asarray(model(inputs))
frames[1, 2:] = 7
assert first.shape == (3, 5)
np.testing.assert_array_equal(first, np.asarray(model(inputs)))
print("works")
"""


def test_the_worked_example_of_a_new_family_works(tmp_path: Path):
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    family, layer, line = blocks
    package = tmp_path / "yt8m"
    shutil.copytree(REPOSITORY / "yt8m", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "models" / "moments.py").write_text(family)
    (package / "layers" / "moments.py").write_text(layer)
    registry = package / "models" / "__init__.py"
    text = registry.read_text().replace("from yt8m.models import dbof,", "from yt8m.models import dbof, moments,")
    registry.write_text(text.replace("FAMILIES: dict[str, Family] = {\n", "FAMILIES: dict[str, Family] = {\n" + line))
    run = subprocess.run(
        [sys.executable, "-c", USE],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "2"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "works"
