import sys

import numpy as np
import pytest

from tests.support.python import modules_after, run_python
from yt8m.data.format import DataSpec
from yt8m.models.dbof import DBoFConfig
from yt8m.models.files import save_weights
from yt8m.quantization.quantized_array import BITS

# Prints the growth of peak memory in bytes while a model is quantized.
GROWTH = """
import sys
from pathlib import Path
from yt8m.quantization.config import QuantizationConfig
from yt8m.stages.quantize import quantize_weights
def peak():
    # getrusage would include the memory of the parent when it started this process.
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
before = peak()
config = QuantizationConfig(bits=8)
quantize_weights(model=Path(sys.argv[1]), bits=int(sys.argv[2]), config=config, output=Path(sys.argv[3]))
print(peak() - before)
"""
ELEMENTS = 10_000_000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    draw = np.random.default_rng(0)
    weights = {name: draw.standard_normal((ELEMENTS // 1000, 1000), np.float32) for name in ("a", "b", "c")}
    save_weights(folder / "float", weights, DBoFConfig(num_clusters=4, hidden_units=5), DataSpec())
    return folder / "float"


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize("bits", [4, *(pytest.param(each, marks=pytest.mark.slow) for each in BITS if each != 4)])
def test_memory_stays_under_the_float_model_and_the_8_bit_model(model, bits, tmp_path):
    growth = int(run_python(GROWTH, model, bits, tmp_path / "out"))
    elements = 3 * ELEMENTS
    assert 0 < growth < elements * 4 + elements
    assert (tmp_path / "out" / "weights.safetensors").stat().st_size >= elements * bits / 8


def test_the_stage_does_not_import_tensorflow():
    assert "tensorflow" not in modules_after("import yt8m.stages.quantize")
