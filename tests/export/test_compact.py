import sys

import numpy as np
import pytest

from tests.support.python import run_python
from tests.support.toy_ensemble import SPEC, export_ensemble, random_videos, write_quantized_model, write_weights
from yt8m.data.format import DataSpec
from yt8m.export import weight_variables
from yt8m.export.exported_model import ExportedModel
from yt8m.models.dbof import DBoFConfig
from yt8m.models.files import load_model
from yt8m.models.netvlad import NetVLADConfig
from yt8m.models.nextvlad import NeXtVLADConfig
from yt8m.quantization.quantized_array import BITS

# NeXtVLAD has dense layers on frames; a mixture of experts has a dense layer without bias.
MODELS = {
    "netvlad": NetVLADConfig(num_clusters=16, hidden_units=8, context_gating=True),
    "dbof": DBoFConfig(num_clusters=16, hidden_units=24),
    "nextvlad": NeXtVLADConfig(num_clusters=8, hidden_units=8),
}
# Loads a model, calls it with one frame and prints the growth of peak memory in bytes.
GROWTH = """
import sys
import numpy as np, tensorflow as tf
def peak():
    # getrusage would include the memory of the parent when it started this process.
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
tf.function(tf.matmul)(tf.ones((300, 300)), tf.ones((300, 300)))
before = peak()
model = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
model(frames=tf.zeros((1, 1, 1152), tf.uint8), num_frames=tf.constant([1]))
print(peak() - before)
"""


def compact(models, folder):
    weights = write_weights(folder / "weights.json", {name: 1 / len(models) for name in models})
    return export_ensemble(models, weights, folder, mode="compact")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("dbof", 8),
        *(("dbof", bits) for bits in BITS if bits < 8),
        ("dbof", (8, 3, 2)),
        *((name, 8) for name in ("netvlad", "nextvlad")),
    ],
)
@pytest.mark.parametrize("expanded", [("load", 0), ("load", 300), ("compact", 0)])
def test_what_blocks_give_equals_what_the_whole_kernel_gives(name, bits, expanded, tmp_path, monkeypatch):
    mode, whole_elements = expanded
    # Not a divisor of any kernel's size, so that the last block is smaller.
    monkeypatch.setattr(weight_variables, "BLOCK_ELEMENTS", 170)
    monkeypatch.setattr(weight_variables, "WHOLE_ELEMENTS", whole_elements)
    model = write_quantized_model(tmp_path / name, 1, bits, config=MODELS[name])
    frames, num_frames = random_videos([9, 1, 4])
    expected = load_model(model).model.predict({"frames": frames, "num_frames": num_frames}, verbose=0)
    weights = write_weights(tmp_path / "weights.json", {name: 1.0})
    exported = export_ensemble({name: model}, weights, tmp_path, mode=mode)
    received = ExportedModel(exported).probabilities(frames, num_frames)
    np.testing.assert_allclose(received, expected, atol=1e-5)


def test_a_batch_without_videos_is_accepted(tmp_path):
    exported = ExportedModel(compact({"a": write_quantized_model(tmp_path / "a", 1)}, tmp_path))
    assert exported.probabilities(np.zeros((0, 3, SPEC.num_features), np.uint8), np.zeros(0, np.int32)).shape == (0, 30)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize("bits", [8, 3, (4, 2)])
def test_a_large_kernel_is_in_memory_once(bits, tmp_path):
    config = NetVLADConfig(num_clusters=64, hidden_units=1024)
    model = write_quantized_model(tmp_path / "model", 1, bits, spec=DataSpec(num_classes=30), config=config)
    weights = write_weights(tmp_path / "weights.json", {"model": 1.0})
    kernel_bytes = 4 * (64 * 1024 + 32 * 128) * 1024
    growth = int(run_python(GROWTH, export_ensemble({"model": model}, weights, tmp_path, mode="load")))
    assert kernel_bytes < growth < 1.8 * kernel_bytes  # with the codes, an eighth to a quarter of it


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_a_large_kernel_is_never_dequantized_as_a_whole(tmp_path):
    config = NetVLADConfig(num_clusters=64, hidden_units=512)
    model = write_quantized_model(tmp_path / "model", 1, spec=DataSpec(num_classes=30), config=config)
    kernel_bytes = 4 * (64 * 1024 + 32 * 128) * 512
    growth = int(run_python(GROWTH, compact({"model": model}, tmp_path)))
    assert 0 < growth < kernel_bytes
