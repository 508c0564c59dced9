"""Every architecture, head and option against the formulas in float64 NumPy, mostly one video and cluster at a time.

The expected structure of a model follows from its configuration, never from its weights.
"""

import numpy as np
import pytest

from tests.models.conftest import SMALL, SPEC
from yt8m.models import build_from_bytes
from yt8m.models.pooled import OrderFreeConfig, PooledConfig

POOLED = {"num_clusters": 6, "hidden_units": 5}
NETVLAD = {"architecture": "netvlad", **POOLED}
GATED = {**NETVLAD, "context_gating": True}
MOE = {"kind": "moe"}
LOGISTIC = {"kind": "logistic"}

CASES = {
    **SMALL,
    "netvlad, not gated": NETVLAD,
    "netvlad without centers": {**NETVLAD, "centers": False},
    "netvlad without input normalization": {**NETVLAD, "normalize_input": False},
    "netvlad, a third of the clusters for audio": {**NETVLAD, "cluster_divisor": 3},
    "netvlad, batch-normalized hidden layer": {**NETVLAD, "hidden_batch_norm": True},
    "netvlad, relu6 hidden layer": {**NETVLAD, "hidden_relu6": True},
    "netvlad, gated": GATED,
    "netvlad, gated without diagonal": {**GATED, "gating_remove_diagonal": True},
    "netvlad, gated through a bottleneck": {**GATED, "gating_reduction": 2},
    "netvlad, one mixture": {**NETVLAD, "head": {**MOE, "num_mixtures": 1}},
    "netvlad, three mixtures": {**NETVLAD, "head": {**MOE, "num_mixtures": 3}},
    "netvlad, low-rank gates": {**NETVLAD, "head": {**MOE, "gate_rank": 2}},
    "netvlad, labels gated by probabilities": {**NETVLAD, "head": {**MOE, "label_gating": "probabilities"}},
    "netvlad, labels gated by the others' probabilities": {
        **NETVLAD,
        "head": {**MOE, "label_gating": "probabilities", "label_gating_remove_diagonal": True},
    },
    "netvlad, labels gated by the input": {**NETVLAD, "head": {**MOE, "label_gating": "input"}},
    "netvlad, logistic": {**NETVLAD, "head": LOGISTIC},
    "netvlad, softmax": {**NETVLAD, "head": {"kind": "softmax"}},
    "netfv, not gated": {"architecture": "netfv", **POOLED},
    "netfv, coupled": {"architecture": "netfv", **POOLED, "coupled": True},
    "netfv, coupled closely": {"architecture": "netfv", **POOLED, "coupled": True, "coupling_factor": 0.7},
    "dbof, soft": {"architecture": "dbof", **POOLED, "pooling": "soft"},
    "dbof, soft, with the maximum": {"architecture": "dbof", **POOLED, "pooling": "soft", "add_maximum": True},
    "dbof, gated, with the maximum of audio": {"architecture": "dbof", **POOLED, "add_maximum": True},
    "dbof, soft, with the maximum, all features together": {
        "architecture": "dbof",
        **POOLED,
        "pooling": "soft",
        "branches": "joint",
        "add_maximum": True,
    },
    "dbof, classic, average": {
        "architecture": "dbof",
        **POOLED,
        "pooling": "average",
        "hidden_batch_norm": True,
        "hidden_relu6": True,
        "head": LOGISTIC,
    },
    "dbof, classic, max, all features together": {
        "architecture": "dbof",
        **POOLED,
        "pooling": "max",
        "branches": "joint",
    },
    "dbof, gated, all features together": {"architecture": "dbof", **POOLED, "branches": "joint"},
    "rnn, lstm, moe": {"architecture": "rnn", "units": 6, "head": MOE},
    "rnn, gru": {"architecture": "rnn", "cell": "gru", "units": 6},
    "rnn, lstm, gated state": {"architecture": "rnn", "units": 6, "state_gating": True},
    "rnn, gru, gated state": {"architecture": "rnn", "cell": "gru", "units": 6, "state_gating": True},
    "rnn, gru, per feature, gated state": {
        "architecture": "rnn",
        "cell": "gru",
        "units": 8,
        "branches": "per_feature",
        "unit_divisor": 4,
        "state_gating": True,
        "head": MOE,
    },
    "rnn, lstm, per feature": {"architecture": "rnn", "units": 8, "branches": "per_feature", "unit_divisor": 4},
    "nextvlad, expanded thrice": {
        "architecture": "nextvlad",
        **POOLED,
        "num_groups": 2,
        "expansion": 3,
        "dropout": 0.5,
        "head": MOE,
    },
    "logistic without input normalization": {"architecture": "logistic", "normalize_input": False},
}


class Weights:
    """Float64 weights by name, which record their use. `inside(layer)` returns those of a layer by relative name."""

    def __init__(self, by_name, prefix="", used=None):
        self.by_name, self.prefix, self.used = by_name, prefix, set() if used is None else used

    def __getitem__(self, name):
        self.used.add(self.prefix + name)
        return self.by_name[self.prefix + name].astype(np.float64)

    def inside(self, layer):
        return Weights(self.by_name, f"{self.prefix}{layer}/", self.used)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu6(x):
    return np.clip(x, 0, 6)


def unit(x):
    return x / np.sqrt(max((x * x).sum(), 1e-12))


def bn(x, w):
    return (x - w["moving_mean"]) / np.sqrt(w["moving_variance"] + 1e-3) * w["gamma"] + w["beta"]


def clusters(config, first):
    return config.num_clusters if first else max(2, config.num_clusters // config.cluster_divisor)


def netvlad(x, w, config, first):
    K = clusters(config, first)
    a = softmax(bn(x @ w["assignment/kernel"], w.inside("assignment/normalization")))
    c = w["centers"] if config.centers else np.zeros((x.shape[1], K))
    descriptors = [unit(sum(a[t, k] * (x[t] - c[:, k]) for t in range(len(x)))) for k in range(K)]
    return unit(np.concatenate(descriptors))


def netfv(x, w, config, first):
    a = softmax(bn(x @ w["assignment/kernel"], w.inside("assignment/normalization")))
    centers = config.coupling_factor * w["assignment/kernel"] if config.coupled else w["centers"]
    means, variances = [], []
    for k in range(clusters(config, first)):
        c, sigma = centers[:, k], w["deviations"][:, k] ** 2 + 1e-6
        means.append(unit(sum(a[t, k] * (x[t] - c) / sigma for t in range(len(x)))))
        variances.append(sum(a[t, k] * ((x[t] - c) ** 2 / sigma**2 - 1) for t in range(len(x))))
    return np.concatenate([unit(np.concatenate(means)), unit(np.concatenate(variances))])


def dbof(x, w, config, first):
    z = bn(x @ w["assignment/kernel"], w.inside("assignment/normalization"))
    if config.pooling == "max":
        return relu6(z).max(0)
    if config.pooling == "average":
        return relu6(z).mean(0)
    a = softmax(z)
    s = a.sum(0)
    peaks = unit(a.max(0))
    if config.pooling == "gated" and first:
        s = s * sigmoid(bn(peaks @ w["gate_projection/kernel"] @ w["gate/kernel"], w.inside("gate/normalization")))
    elif config.add_maximum:
        return np.concatenate([unit(s), peaks])
    return unit(s)


def nextvlad(x, w, config, first):
    K = clusters(config, first)
    G = config.num_groups if first else max(1, config.num_groups // config.cluster_divisor)
    N = config.expansion * x.shape[1] // G
    expanded = x @ w["expansion/kernel"] + w["expansion/bias"]
    attention = sigmoid(expanded @ w["attention/kernel"] + w["attention/bias"])
    z = bn(expanded @ w["assignment/kernel"], w.inside("assignment/normalization"))
    v = np.zeros((K, N))
    for t in range(len(x)):
        for g in range(G):
            a = softmax(z[t, g * K : (g + 1) * K]) * attention[t, g]
            for k in range(K):
                v[k] += a[k] * (expanded[t, g * N : (g + 1) * N] - w["centers"][:, k])
    return bn(np.concatenate([unit(row) for row in v]), w.inside("normalization"))


def lstm(x, w, size):
    h, c, outputs = np.zeros(size), np.zeros(size), []
    for frame in x:
        i, f, g, o = np.split(frame @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs), c


def gru(x, w, size):
    h, outputs = np.zeros(size), []
    Uz, Ur, Uh = np.split(w["recurrent_kernel"], 3, axis=1)
    for frame in x:
        z, r, candidate = np.split(frame @ w["kernel"] + w["bias"], 3)
        z, r = sigmoid(z + h @ Uz), sigmoid(r + h @ Ur)
        h = z * h + (1 - z) * np.tanh(candidate + (r * h) @ Uh)
        outputs.append(h)
    return np.array(outputs), h


def rnn(x, w, config, first):
    run, cell = {"lstm": (lstm, "lstm_cell"), "gru": (gru, "gru_cell")}[config.cell]
    if config.branches == "per_feature":
        x = relu6(bn(x @ w["projection/kernel"], w.inside("projection_normalization")))
    half = (config.units if first else config.units // config.unit_divisor) // 2
    there, _ = run(x, w.inside(f"bidirectional/forward_half/{cell}"), half)
    back, _ = run(x[::-1], w.inside(f"bidirectional/backward_half/{cell}"), half)
    return run(np.concatenate([there, back[::-1]], axis=1), w.inside(f"forward/{cell}"), 2 * half)[1]


def logistic(x, w, config, first):
    return x.mean(0)


POOLINGS = {
    "netvlad": netvlad,
    "netfv": netfv,
    "dbof": dbof,
    "nextvlad": nextvlad,
    "rnn": rnn,
    "logistic": logistic,
}


def bottleneck_gates(x, w):
    return sigmoid(np.maximum(bn(x @ w["squeeze/kernel"], w.inside("normalization")), 0) @ w["excite/kernel"])


def gates(x, w, remove_diagonal=False):
    G = w["kernel"] - np.diag(np.diag(w["kernel"])) if remove_diagonal else w["kernel"]
    return sigmoid(bn(x @ G, w.inside("normalization")))


def head(x, w, config):
    if config.kind == "softmax":
        return softmax(x @ w["head/dense/kernel"] + w["head/dense/bias"])
    if config.kind == "logistic":
        return sigmoid(x @ w["head/dense/kernel"] + w["head/dense/bias"])
    low_rank = x @ w["head/gates_low_rank/kernel"] if config.gate_rank else x
    M, classes = config.num_mixtures, []
    gate_logits = low_rank @ w["head/gates/kernel"]
    expert_logits = x @ w["head/experts/kernel"] + w["head/experts/bias"]
    for c in range(SPEC.num_classes):
        gate = softmax(gate_logits[c * (M + 1) : (c + 1) * (M + 1)])
        expert = sigmoid(expert_logits[c * M : (c + 1) * M])
        classes.append(sum(gate[m] * expert[m] for m in range(M)))
    p = np.array(classes)
    if config.label_gating == "probabilities":
        return p * gates(p, w.inside("label_gate"), config.label_gating_remove_diagonal)
    return p * gates(x, w.inside("label_gate")) if config.label_gating == "input" else p


def predict_video(frames, w, config):
    """Compute the class probabilities of one video from its real frames, bytes `(T, D)`."""
    x = np.array([unit(frame) for frame in frames * (4 / 255) + 4 / 512 - 2])
    branches = getattr(config, "branches", "per_feature" if isinstance(config, PooledConfig) else "joint")
    per_feature = branches == "per_feature"
    if config.normalize_input if isinstance(config, OrderFreeConfig) else per_feature:
        x = bn(x, w.inside("pooling/input_normalization"))
    parts = {"rgb": x[:, :12], "audio": x[:, 12:]} if per_feature else {"frames": x}
    pool = POOLINGS[config.architecture]
    pooled = np.concatenate(
        [pool(part, w.inside(f"pooling/{name}"), config, name != "audio") for name, part in parts.items()]
    )
    if getattr(config, "state_gating", False):
        pooled = pooled * sigmoid(pooled @ w["state_gate/kernel"] + w["state_gate/bias"])
    return head(hidden(pooled, w, config) if isinstance(config, PooledConfig) else pooled, w, config.head)


def hidden(pooled, w, config):
    h = pooled @ w["hidden/dense/kernel"]
    h = bn(h, w.inside("hidden/normalization")) if config.hidden_batch_norm else h + w["hidden/dense/bias"]
    h = relu6(h) if config.hidden_relu6 else h
    if not config.context_gating:
        return h
    if config.gating_reduction:
        return h * bottleneck_gates(h, w.inside("context_gate"))
    return h * gates(h, w.inside("context_gate"), config.gating_remove_diagonal)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_predictions_follow_the_formulas(case, small):
    config = small.parse(case)
    model = build_from_bytes(config, SPEC)
    weights = Weights(small.randomize(model, seed=1))
    draw = np.random.default_rng(2)
    num_frames = np.array([9, 9, 4, 1], np.int32)
    frames = draw.integers(0, 256, (4, 9, 16), np.uint8)
    for video, count in zip(frames, num_frames, strict=True):
        video[count:] = 0
    predicted = small.predict(model, {"frames": frames, "num_frames": num_frames})
    expected = [predict_video(video[:count], weights, config) for video, count in zip(frames, num_frames, strict=True)]
    assert np.ptp(expected, axis=0).max() > 1e-3, "the videos should differ for the comparison to mean anything"
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-5)
    assert weights.used == {weight.path for weight in model.weights}
