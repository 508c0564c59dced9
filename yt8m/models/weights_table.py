"""The names and shapes of every architecture's weights as a page of the documentation.

`python -m yt8m.models.weights_table > docs/models.md` writes it; a test compares.
"""

import inspect
import json
import sys
from collections.abc import Iterator
from typing import Any

from yt8m.data.format import DataSpec
from yt8m.models import ARCHITECTURES, ModelConfig
from yt8m.models.dbof import DBoFConfig
from yt8m.models.formulas import FORMULAS, SHARED
from yt8m.models.head import LogisticConfig, MixtureOfExpertsConfig
from yt8m.models.logistic import FrameLevelLogisticConfig
from yt8m.models.netfv import NetFVConfig
from yt8m.models.netvlad import NetVLADConfig
from yt8m.models.published import PUBLISHED
from yt8m.models.rnn import RNNConfig
from yt8m.models.sizes import measure

_LOW_RANK = MixtureOfExpertsConfig(gate_rank=128, label_gating="input")

_CLASSIC = DBoFConfig(pooling="max", num_clusters=4096, hidden_units=1024, hidden_batch_norm=True, hidden_relu6=True)

EXAMPLES: dict[str, ModelConfig] = {
    "DBoF, gated (DBoF2 of the paper)": PUBLISHED["DBoF2"],
    "DBoF, classic, clusters for each feature": _CLASSIC,
    "DBoF, classic, all features together": _CLASSIC.model_copy(update={"branches": "joint"}),
    "Logistic baseline": FrameLevelLogisticConfig(),
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
    "RNN, GRU, a branch per feature": RNNConfig(cell="gru", units=1024, branches="per_feature"),
}
"""What the page shows, by heading."""

HEADER = """\
# Model architectures and their weights

*Written by `python -m yt8m.models.weights_table > docs/models.md`; a test keeps it up to date.*

A model consists of a configuration (`architecture` and the fields of the class in `yt8m/models/<architecture>.py`) and
weights by name, as in `weights.safetensors`. Names and shapes are the same on every Keras backend.
`tests/models/test_parity.py` implements the same formulas in NumPy.

## From bytes to probabilities

`x_t` is a frame, a row; matrices are applied from the right, operations without a matrix element by element, and
padding takes no part in anything. `[...]` puts rows one after the other: a descriptor is flattened cluster by cluster,
and the features' follow each other in the data's order (rgb, audio). Matrices with a column for each cluster k, such as
`centers` (D x K), have the vector `c_k` there. `BN` has the four weights of the normalization named. A model has the
steps whose weights it has.
"""

SHAPES = """
## Weights

Shapes are for YouTube-8M: rgb 1024, audio 128, 3862 classes.
"""


def settings(config: ModelConfig) -> dict[str, Any]:
    """What a recipe would have to say for this configuration: its tags and whatever is not the default."""
    data = {"architecture": config.architecture, **config.model_dump(mode="json", exclude_defaults=True)}
    if "head" in data:
        data["head"] = {"kind": config.head.kind, **data["head"]}
    return data


def page() -> Iterator[str]:
    """The page, line by line."""
    assert {config.architecture for config in EXAMPLES.values()} == set(ARCHITECTURES)
    yield from (*HEADER.splitlines(), "", *SHARED.splitlines())
    for name, formulas in FORMULAS.items():
        yield from ("", f"`pooling` of `{name}`:", "", *formulas.splitlines())
    yield from SHAPES.splitlines()
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
    sys.stdout.write("\n".join(page()) + "\n")
