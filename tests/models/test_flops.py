"""Counted FLOPs against sums by hand and against the matrix products in TensorFlow graphs."""

from math import prod
from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.models.conftest import SMALL, parse
from yt8m.data.format import DataSpec
from yt8m.models import build
from yt8m.models.flops import count_flops
from yt8m.models.head import MixtureOfExpertsConfig
from yt8m.models.netvlad import NetVLADConfig
from yt8m.models.rnn import RNNConfig

SPEC = DataSpec(features={"rgb": 16, "audio": 8}, num_classes=10, max_frames=6)

NETVLAD = NetVLADConfig(
    num_clusters=6, hidden_units=12, context_gating=True, head=MixtureOfExpertsConfig(label_gating="probabilities")
)
MODELS = {
    **SMALL,
    "dbof_maximum": {"architecture": "dbof", "num_clusters": 16, "hidden_units": 5, "add_maximum": True},
    "rnn_gated": {"architecture": "rnn", "cell": "gru", "branches": "per_feature", "units": 8, "state_gating": True},
    "lightvlad": {"architecture": "netvlad", "num_clusters": 6, "hidden_units": 5, "centers": False},
}


def test_a_netvlad_by_hand() -> None:
    flops = count_flops(NETVLAD, SPEC)
    # Assignment: rgb 16 x 6, audio 8 x 3; the residuals' sums have as many products.
    per_frame = 2 * (16 * 6 + 8 * 3)
    hidden = (16 * 6 + 8 * 3) * 12
    # Context gate, three gates and two experts for each class, label gate.
    per_video = hidden + 12 * 12 + 12 * 10 * 3 + 12 * 10 * 2 + 10 * 10
    assert flops.training_flops == flops.inference_flops == 2 * (6 * per_frame + per_video)
    assert flops.values_per_frame == 24 + 6 + 3
    assert flops.cell_steps_per_frame == 0


def test_an_lstm_by_hand() -> None:
    flops = count_flops(RNNConfig(cell="lstm", units=8), SPEC)
    # Four gates: 24 features and 4 states each way, then 8 and 8.
    per_frame = 2 * 4 * (24 * 4 + 4 * 4) + 4 * (8 * 8 + 8 * 8)
    assert flops.training_flops == 2 * (6 * per_frame + 8 * 10)
    assert flops.values_per_frame == 24 + 4 * (4 + 4 + 8)
    assert flops.cell_steps_per_frame == 3


def test_sampled_frames_count_in_training_only() -> None:
    config = NetVLADConfig(num_clusters=6, hidden_units=12, num_sampled_frames=2)
    sampled, whole = (
        count_flops(config, SPEC),
        count_flops(config.model_copy(update={"num_sampled_frames": "all"}), SPEC),
    )
    assert sampled.inference_flops == whole.inference_flops == whole.training_flops
    assert whole.training_flops - sampled.training_flops == 4 * 2 * 2 * (16 * 6 + 8 * 3)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="there is no TensorFlow graph")
@pytest.mark.parametrize("name", MODELS)
def test_counts_are_the_products_in_tensorflow_s_graph(name: str) -> None:
    videos = 3
    config = parse(MODELS[name])
    model = build(config, SPEC)
    function = tf.function(lambda frames, num_frames: model({"frames": frames, "num_frames": num_frames}))
    concrete = function.get_concrete_function(
        tf.TensorSpec((videos, SPEC.max_frames, SPEC.num_features)), tf.TensorSpec((videos,), tf.int32)
    )
    assert count_flops(config, SPEC).inference_flops == graph_flops(concrete.graph, SPEC.max_frames) / videos


def graph_flops(graph: Any, frames: int) -> int:
    """Count the FLOPs of all matrix products that the outputs need. Products in a loop count once per frame."""
    total = 0
    for operation in needed(graph):
        if operation.type in ("MatMul", "BatchMatMulV2"):
            transposed = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
            left = operation.inputs[0].shape.as_list()
            total += 2 * prod(operation.outputs[0].shape.as_list()) * left[-2 if transposed else -1]
        elif operation.type in ("While", "StatelessWhile"):
            body = graph._get_function(operation.get_attr("body").name).graph
            total += frames * graph_flops(body, frames)
        elif operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            total += graph_flops(graph._get_function(operation.get_attr("f").name).graph, frames)
    return total


def needed(graph: Any) -> set[Any]:
    """Find the operations that the outputs need. Keras also runs a recurrent cell once to infer its shape."""
    found: set[Any] = set()
    waiting = [output.op for output in graph.outputs]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return found
