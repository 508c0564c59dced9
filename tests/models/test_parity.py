"""Every family, head and option against the formulas, in float64 NumPy, one video and mostly one cluster at a time."""

import numpy as np
import pytest

from yt8m.models import FAMILIES, build_from_bytes
from yt8m.records.spec import DataSpec

SPEC = DataSpec(features={"rgb": 12, "audio": 4}, num_classes=7, max_frames=9)
POOLED = {"num_clusters": 6, "hidden_units": 5}
NETVLAD = {"family": "netvlad", **POOLED}
GATED = {**NETVLAD, "context_gating": True}
MOE = {"kind": "moe"}
LOGISTIC = {"kind": "logistic"}

CASES = {
    "netvlad": NETVLAD,
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
    "netvlad as published": {**GATED, "head": {**MOE, "label_gating": "probabilities"}},
    "netfv": {"family": "netfv", **POOLED},
    "netfv, coupled": {"family": "netfv", **POOLED, "coupled": True},
    "netfv, coupled closely": {"family": "netfv", **POOLED, "coupled": True, "coupling_factor": 0.7},
    "netfv as published": {
        "family": "netfv",
        **POOLED,
        "context_gating": True,
        "head": {**MOE, "label_gating": "probabilities"},
    },
    "dbof, gated": {"family": "dbof", "num_clusters": 16, "hidden_units": 5},
    "dbof, soft": {"family": "dbof", **POOLED, "pooling": "soft"},
    "dbof, classic, max": {
        "family": "dbof",
        **POOLED,
        "pooling": "max",
        "hidden_batch_norm": True,
        "hidden_relu6": True,
    },
    "dbof, classic, average": {
        "family": "dbof",
        **POOLED,
        "pooling": "average",
        "hidden_batch_norm": True,
        "hidden_relu6": True,
        "head": LOGISTIC,
    },
    "dbof, classic, max, all features together": {"family": "dbof", **POOLED, "pooling": "max", "branches": "joint"},
    "dbof, gated, all features together": {"family": "dbof", **POOLED, "branches": "joint"},
    "rnn, lstm": {"family": "rnn", "units": 6},
    "rnn, lstm, moe": {"family": "rnn", "units": 6, "head": MOE},
    "rnn, gru": {"family": "rnn", "cell": "gru", "units": 6},
    "rnn, gru, per feature": {"family": "rnn", "cell": "gru", "units": 8, "branches": "per_feature", "unit_divisor": 4},
    "rnn, lstm, per feature": {"family": "rnn", "units": 8, "branches": "per_feature", "unit_divisor": 4},
    "nextvlad": {"family": "nextvlad", **POOLED, "num_groups": 4},
    "nextvlad, expanded thrice": {
        "family": "nextvlad",
        **POOLED,
        "num_groups": 2,
        "expansion": 3,
        "dropout": 0.5,
        "head": MOE,
    },
    "logistic": {"family": "logistic"},
    "logistic without input normalization": {"family": "logistic", "normalize_input": False},
}


class Weights(dict):
    """Float64 weights by name; `inside(prefix)` are those under a layer, named from there."""

    def inside(self, prefix):
        return Weights(
            {name.removeprefix(prefix + "/"): w for name, w in self.items() if name.startswith(prefix + "/")}
        )


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


def netvlad(x, w, config):
    a = softmax(bn(x @ w["assignment/kernel"], w.inside("assignment/normalization")))
    c = w["centers"] if config.centers else np.zeros((x.shape[1], a.shape[1]))
    clusters = [unit(sum(a[t, k] * (x[t] - c[:, k]) for t in range(len(x)))) for k in range(a.shape[1])]
    return unit(np.concatenate(clusters))


def netfv(x, w, config):
    a = softmax(bn(x @ w["assignment/kernel"], w.inside("assignment/normalization")))
    centers = config.coupling_factor * w["assignment/kernel"] if config.coupled else w["centers"]
    first, second = [], []
    for k in range(a.shape[1]):
        c, sigma = centers[:, k], w["deviations"][:, k] ** 2 + 1e-6
        first.append(unit(sum(a[t, k] * (x[t] - c) / sigma for t in range(len(x)))))
        second.append(sum(a[t, k] * ((x[t] - c) ** 2 / sigma**2 - 1) for t in range(len(x))))
    return np.concatenate([unit(np.concatenate(first)), unit(np.concatenate(second))])


def dbof(x, w, config):
    z = bn(x @ w["assignment/kernel"], w.inside("assignment/normalization"))
    if config.pooling == "max":
        return relu6(z).max(0)
    if config.pooling == "average":
        return relu6(z).mean(0)
    a = softmax(z)
    s = a.sum(0)
    if "gate/kernel" in w:
        peaks = unit(a.max(0))
        s = s * sigmoid(bn(peaks @ w["gate_projection/kernel"] @ w["gate/kernel"], w.inside("gate/normalization")))
    return unit(s)


def nextvlad(x, w, config):
    expanded = x @ w["expansion/kernel"] + w["expansion/bias"]
    attention = sigmoid(expanded @ w["attention/kernel"] + w["attention/bias"])
    z = bn(expanded @ w["assignment/kernel"], w.inside("assignment/normalization"))
    N, K = w["centers"].shape
    v = np.zeros((K, N))
    for t in range(len(x)):
        for g in range(attention.shape[1]):
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


def rnn(x, w, config):
    run, cell = {"lstm": (lstm, "lstm_cell"), "gru": (gru, "gru_cell")}[config.cell]
    if "projection/kernel" in w:
        x = relu6(x @ w["projection/kernel"] + w["projection/bias"])
    half = len(w[f"bidirectional/forward_half/{cell}/recurrent_kernel"])
    there, _ = run(x, w.inside(f"bidirectional/forward_half/{cell}"), half)
    back, _ = run(x[::-1], w.inside(f"bidirectional/backward_half/{cell}"), half)
    return run(np.concatenate([there, back[::-1]], axis=1), w.inside(f"forward/{cell}"), 2 * half)[1]


def logistic(x, w, config):
    return x.mean(0)


POOLINGS = {"netvlad": netvlad, "netfv": netfv, "dbof": dbof, "nextvlad": nextvlad, "rnn": rnn, "logistic": logistic}


def gates(x, w, remove_diagonal=False):
    if "squeeze/kernel" in w:
        return sigmoid(np.maximum(bn(x @ w["squeeze/kernel"], w.inside("normalization")), 0) @ w["excite/kernel"])
    G = w["kernel"] - np.diag(np.diag(w["kernel"])) if remove_diagonal else w["kernel"]
    return sigmoid(bn(x @ G, w.inside("normalization")))


def head(x, w, config):
    if config.kind == "logistic":
        return sigmoid(x @ w["head/dense/kernel"] + w["head/dense/bias"])
    low_rank = x @ w["head/gates_low_rank/kernel"] if config.gate_rank else x
    M, p = config.num_mixtures, []
    gate_logits = low_rank @ w["head/gates/kernel"]
    expert_logits = x @ w["head/experts/kernel"] + w["head/experts/bias"]
    for c in range(SPEC.num_classes):
        gate = softmax(gate_logits[c * (M + 1) : (c + 1) * (M + 1)])
        expert = sigmoid(expert_logits[c * M : (c + 1) * M])
        p.append(sum(gate[m] * expert[m] for m in range(M)))
    p = np.array(p)
    if config.label_gating == "probabilities":
        return p * gates(p, w.inside("label_gate"), config.label_gating_remove_diagonal)
    return p * gates(x, w.inside("label_gate")) if config.label_gating == "input" else p


def predict_video(frames, w, config):
    """Class probabilities of one video from its real frames, bytes `(T, D)`."""
    x = np.array([unit(frame) for frame in frames * (4 / 255) + 4 / 512 - 2])
    if "pooling/input_normalization/gamma" in w:
        x = bn(x, w.inside("pooling/input_normalization"))
    joint = config.family == "logistic" or getattr(config, "branches", "") == "joint"
    splits = {"frames": x} if joint else {"rgb": x[:, :12], "audio": x[:, 12:]}
    pool = POOLINGS[config.family]
    pooled = np.concatenate([pool(part, w.inside(f"pooling/{name}"), config) for name, part in splits.items()])
    if "hidden/dense/kernel" in w:
        pooled = pooled @ w["hidden/dense/kernel"]
        pooled = (
            pooled + w["hidden/dense/bias"]
            if "hidden/dense/bias" in w
            else bn(pooled, w.inside("hidden/normalization"))
        )
        pooled = relu6(pooled) if config.hidden_relu6 else pooled
        if config.context_gating:
            pooled = pooled * gates(pooled, w.inside("context_gate"), config.gating_remove_diagonal)
    return head(pooled, w, config.head)


def randomize(model, seed):
    """Gives every weight, batch-norm statistics included, a random value; returns them all."""
    draw = np.random.default_rng(seed)
    weights = Weights()
    for variable in model.weights:
        shape, name = tuple(variable.shape), variable.path.rpartition("/")[2]
        value = draw.normal(0, 1 / np.sqrt(shape[0]), shape)
        if name in ("gamma", "moving_variance", "deviations"):
            value = draw.uniform(0.5, 2, shape)
        elif name in ("beta", "moving_mean", "bias"):
            value = draw.normal(0, 0.3, shape)
        variable.assign(value.astype(np.float32))
        weights[variable.path] = value.astype(np.float32).astype(np.float64)
    return weights


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_predictions_follow_the_formulas(case, small):
    config = small.parse(case)
    model = build_from_bytes(config, SPEC)
    weights = randomize(model, seed=1)
    draw = np.random.default_rng(2)
    num_frames = np.array([9, 9, 4, 1], np.int32)
    frames = draw.integers(0, 256, (4, 9, 16), np.uint8)
    for video, count in zip(frames, num_frames, strict=True):
        video[count:] = 0
    predicted = small.predict(model, {"frames": frames, "num_frames": num_frames})
    expected = [predict_video(video[:count], weights, config) for video, count in zip(frames, num_frames, strict=True)]
    assert np.ptp(expected, axis=0).max() > 1e-3, "the videos should differ for the comparison to mean anything"
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-5)


def test_every_family_is_compared():
    assert {case["family"] for case in CASES.values()} == set(FAMILIES) == set(POOLINGS)
