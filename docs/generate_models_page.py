"""Write `docs/models.md`: formulas, weights and sizes of every model architecture.

    python -m docs.generate_models_page

`tests/docs/test_generate_models_page.py` compares the page with the models.
"""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.support.published import PUBLISHED
from yt8m.data.format import DataSpec
from yt8m.models import ARCHITECTURES, ModelConfig
from yt8m.models.dbof import DBoFConfig
from yt8m.models.head import LogisticConfig, MixtureOfExpertsConfig, SoftmaxConfig
from yt8m.models.logistic import FrameLevelLogisticConfig
from yt8m.models.netfv import NetFVConfig
from yt8m.models.netvlad import NetVLADConfig
from yt8m.models.rnn import RNNConfig
from yt8m.models.sizes import measure

PAGE = Path(__file__).parent / "models.md"

_LOW_RANK = MixtureOfExpertsConfig(gate_rank=128, label_gating="input")

_CLASSIC = DBoFConfig(pooling="max", num_clusters=4096, hidden_units=1024, hidden_batch_norm=True, hidden_relu6=True)

EXAMPLES: dict[str, ModelConfig] = {
    "DBoF, gated (DBoF2 of the paper)": PUBLISHED["DBoF2"],
    "DBoF, gated, with the maximum of audio": PUBLISHED["DBoF2"].model_copy(update={"add_maximum": True}),
    "DBoF, classic, clusters for each feature": _CLASSIC,
    "DBoF, classic, all features together": _CLASSIC.model_copy(update={"branches": "joint"}),
    "Logistic baseline": FrameLevelLogisticConfig(),
    "Logistic baseline, one label per video": FrameLevelLogisticConfig(head=SoftmaxConfig()),
    "NetFV (FVNet1 of the paper)": PUBLISHED["FVNet1"],
    "NetFV, coupled centers, logistic head": NetFVConfig(
        num_clusters=96, hidden_units=1540, coupled=True, head=LogisticConfig()
    ),
    "NetVLAD (NetVLAD1 of the paper)": PUBLISHED["NetVLAD1"],
    "LightVLAD, low-rank gates, labels gated by the head's input": NetVLADConfig(
        num_clusters=192, hidden_units=992, centers=False, head=_LOW_RANK
    ),
    "NeXtVLAD": PUBLISHED["NeXtVLAD"],
    "RNN, LSTM (RNN2 of the paper)": PUBLISHED["RNN2"],
    "RNN, GRU (RNN3 of the paper)": PUBLISHED["RNN3"],
    "RNN, GRU, a branch per feature, gated state": RNNConfig(
        cell="gru", units=1024, branches="per_feature", state_gating=True
    ),
}
"""Configurations shown on the page, by heading."""

HEADER = """\
# Model architectures and their weights

*Written by `python -m docs.generate_models_page`; a test keeps it up to date.*

A model consists of a configuration (`architecture` and the fields of the class in `yt8m/models/<architecture>.py`) and
weights by name, as in `weights.safetensors`. Names and shapes are the same on every Keras backend.
`tests/models/test_parity.py` implements the same formulas in NumPy. The winners are Skalic and Austin, the authors of
the paper, who won the second YouTube-8M challenge (2018).

## From bytes to probabilities

A frame `x_t` is a row vector. Matrices multiply from the right; all other operations are element-wise. Padded frames
are ignored throughout. `[...]` concatenates rows: a descriptor is flattened cluster by cluster, and the features follow
each other in the order of the data (rgb, audio). A matrix with one column per cluster k, such as `centers` (D x K),
holds the vectors `c_k` as its columns. `BN` uses the four weights of the normalization named beside it. A model
performs the steps whose weights it has.
"""

TRAINING = """
## In training

Where these models differ from the winners' code, which used TensorFlow 1:

- **Initial weights** have the winners' distributions, except the matrices of recurrent cells, which have those of
  Keras: Glorot's uniform distribution for the inputs, and an orthogonal matrix for each cell's own state. TensorFlow 1
  draws both from one Glorot distribution. The biases are the same: 1 in the forget gate of an LSTM and in both gates of
  a GRU, 0 elsewhere.
- **Clipping of gradients** (`training.clip_norm`) is per weight of the tables below, as in the winners' code. There,
  `kernel` and `recurrent_kernel` of an LSTM cell are one weight, and those of a GRU cell are divided otherwise, into
  one weight for z and r and one for g. So the gradient of an LSTM cell's inputs and state together has at most norm 1
  there, and each of the two here.
- **Moving variances** of batch normalization average the biased variances of batches (divided by the number of rows N)
  here, and the unbiased ones (divided by N - 1) there where the input is a matrix. Both normalize with the biased
  variance in training. The difference is 1.3% in layers with one row per video at 80 videos per batch, and 0.004% in
  layers with one row per frame at 24,000 frames per batch.
- **Padding** takes no part in batch normalization. The winners' recurrent branches include it.
"""

SHAPES = """
## Weights

All shapes are for YouTube-8M: 1,024 rgb features, 128 audio features, 3,862 classes.
"""

SHARED = """\
    BN(x)  = (x - moving_mean) / sqrt(moving_variance + 1e-3) * gamma + beta
    L2(x)  = x / sqrt(max(sum of x^2, 1e-12))
    relu(x) = max(x, 0),  relu6(x) = min(max(x, 0), 6),  sigmoid(x) = 1 / (1 + exp(-x))

    frames    x_t = L2(q_t * 4 / 255 + 4 / 512 - 2)          q_t: bytes of frame t, all features together
              x_t = BN(x_t)                                  pooling/input_normalization, if present
    pooling   v = [v_rgb, v_audio]                           v_f: descriptor of feature f from its columns of x_t and
                                                             pooling/f/*, see below; branches: joint has one
                                                             descriptor from all columns and pooling/frames/*
    hidden    h = v K + b                                    K, b: hidden/dense/kernel, bias
              h = BN(v K)                                    with hidden/normalization instead of the bias
              h = relu6(h)                                   with hidden_relu6
              h = v                                          without a hidden layer (logistic, rnn)
    state     h = v * sigmoid(v G + b)                       rnn with state_gating: G, b: state_gate/kernel, bias
    gate      h = h * sigmoid(BN(h G))                       G: context_gate/kernel, BN: context_gate/normalization;
                                                             gating_remove_diagonal sets the diagonal of G to 0
              h = h * sigmoid(relu(BN(h S)) E)               S, E: context_gate/squeeze/kernel, excite/kernel
    logistic  p = sigmoid(h K + b)                           K, b: head/dense/kernel, bias
    softmax   p = softmax over all classes of h K + b        K, b: head/dense/kernel, bias; loss -sum of y log(p + 1e-5)
                                                             over the classes
    moe       e = sigmoid(h K + b)                           K, b: head/experts/kernel, bias; column c M + m is
                                                             expert m = 0 .. M - 1 of class c
              g = softmax over m = 0 .. M of h G             G: head/gates/kernel; column c (M + 1) + m is gate m of
                                                             class c; gate M belongs to the constant expert 0;
                                                             with gate_rank, softmax of h R G, where R is
                                                             head/gates_low_rank/kernel
              p_c = sum over m < M of g_cm e_cm
    labels    p = p * sigmoid(BN(p L))                       L, BN: label_gate/kernel, normalization;
                                                             label_gating_remove_diagonal sets the diagonal of L
                                                             to 0
              p = p * sigmoid(BN(h L))                       label_gating: input
"""
"""Steps shared by all architectures. A model performs those whose weights it has."""

_ASSIGNMENT = "a_t = softmax over k of BN(x_t W)                  W, BN: assignment/kernel, normalization\n"

FORMULAS = {
    "dbof": f"""\
    gated, soft:
    {_ASSIGNMENT}\
    s   = sum_t a_t
    v   = L2(s)
    m   = L2(max_t a_t)
    v   = L2(s * sigmoid(BN(m R U)))                   gated, first feature: R, U, BN: gate_projection/kernel,
                                                       gate/kernel, gate/normalization
    v   = [L2(s), m]                                   add_maximum, features without gates
    max, average:
    v   = max_t or mean_t of relu6(BN(x_t W))          W, BN: assignment/kernel, normalization
""",
    "logistic": """\
    v   = mean_t x_t                                   all features together
""",
    "netfv": f"""\
    {_ASSIGNMENT}\
    s_k = sum_t a_tk
    sigma_k = w_k^2 + 1e-6                             w: deviations
    c                                                  centers; coupled: coupling_factor * W
    F1_k = L2((sum_t a_tk x_t - s_k c_k) / sigma_k)
    F2_k = (s_k c_k^2 + sum_t a_tk x_t^2 - 2 c_k sum_t a_tk x_t) / sigma_k^2 - s_k
    v   = [L2([F1_1, F1_2, ...]), L2([F2_1, F2_2, ...])]
""",
    "netvlad": f"""\
    {_ASSIGNMENT}\
    V_k = L2(sum_t a_tk (x_t - c_k))                   c: centers; 0 without them
    v   = L2([V_1, V_2, ...])
""",
    "nextvlad": """\
    y_t = x_t E + e                                    E, e: expansion/kernel, bias; y_tg: columns of group g
    b_t = sigmoid(y_t A + a)                           A, a: attention/kernel, bias; one b_tg per group
    a_tg = b_tg softmax over k of (BN(y_t W))_g        W, BN: assignment/kernel, normalization; column g K + k is
                                                       cluster k in group g
    V_k = L2(sum_t sum_g a_tgk (y_tg - c_k))           c: centers
    v   = BN([V_1, V_2, ...])                          normalization
""",
    "rnn": """\
    x_t = relu6(BN(x_t K))                             per_feature only: K, BN: projection/kernel,
                                                       projection_normalization
    o_t = [forward_t, backward_t]                      outputs of the cells bidirectional/forward_half over
                                                       t = 1 .. n and bidirectional/backward_half over
                                                       t = n .. 1
    v   = c_n (lstm) or h_n (gru)                      final state of the cell forward over o_1 .. o_n, where
                                                       n is the number of real frames
    A cell starts at h_0 = c_0 = 0, with W, U, b: kernel, recurrent_kernel, bias of lstm_cell or gru_cell.
    lstm_cell, columns of W, U and b in the order i, f, g, o:
    i, f, g, o = x_t W + h_(t-1) U + b
    c_t = sigmoid(f) * c_(t-1) + sigmoid(i) * tanh(g),  h_t = sigmoid(o) * tanh(c_t)
    gru_cell, columns in the order z, r, g:
    z, r = sigmoid(x_t W_zr + h_(t-1) U_zr + b_zr)
    h_t = z * h_(t-1) + (1 - z) * tanh(x_t W_g + (r * h_(t-1)) U_g + b_g)
""",
}
"""The descriptor v of one feature, or of all features together under `pooling/frames`, by architecture."""


def settings(config: ModelConfig) -> dict[str, Any]:
    """Return the shortest recipe entry for a configuration: its tags and the fields that differ from their defaults."""
    data = {"architecture": config.architecture, **config.model_dump(mode="json", exclude_defaults=True)}
    if "head" in data:
        data["head"] = {"kind": config.head.kind, **data["head"]}
    return data


def page() -> Iterator[str]:
    """Generate the page line by line."""
    assert {config.architecture for config in EXAMPLES.values()} == set(ARCHITECTURES)
    yield from (*HEADER.splitlines(), "", *SHARED.splitlines())
    for name, formulas in FORMULAS.items():
        yield from ("", f"`pooling` of `{name}`:", "", *formulas.splitlines())
    yield from (*TRAINING.splitlines(), *SHAPES.splitlines())
    for heading, config in EXAMPLES.items():
        size = measure(config, DataSpec())
        yield from ("", f"### {heading}", "")
        yield (inspect.getdoc(type(config)) or "").splitlines()[0]
        yield from ("", "```json", json.dumps(settings(config)), "```", "")
        yield (
            f"{size.parameters:,} parameters; {size.float_bytes / 1e6:,.1f} MB as floats, "
            f"{size.quantized_bytes() / 1e6:,.1f} MB in 8 bits."
        )
        yield from ("", "| weight | shape |", "|---|---|")
        for name, shape in size.weights:
            yield f"| `{name}` | {' x '.join(map(str, shape))} |"


if __name__ == "__main__":
    PAGE.write_text("\n".join(page()) + "\n", encoding="utf-8")
