"""Published models: the winners' models from table 4 of the paper, and NeXtVLAD as its authors configured it."""

from yt8m.models import ModelConfig
from yt8m.models.dbof import DBoFConfig
from yt8m.models.head import MixtureOfExpertsConfig
from yt8m.models.netfv import NetFVConfig
from yt8m.models.netvlad import NetVLADConfig
from yt8m.models.nextvlad import NeXtVLADConfig
from yt8m.models.rnn import RNNConfig

_GATED = MixtureOfExpertsConfig(label_gating="probabilities")

PUBLISHED: dict[str, ModelConfig] = {
    "FVNet1": NetFVConfig(num_clusters=96, hidden_units=1540, context_gating=True, head=_GATED),
    "DBoF1": DBoFConfig(num_clusters=6144, hidden_units=1536),
    "DBoF2": DBoFConfig(num_clusters=4096, hidden_units=1024),
    "DBoF3": DBoFConfig(num_clusters=3684, hidden_units=920),
    "NetVLAD1": NetVLADConfig(num_clusters=192, hidden_units=992, context_gating=True, head=_GATED),
    "NetVLAD2": NetVLADConfig(num_clusters=192, hidden_units=896, context_gating=True, head=_GATED),
    "NetVLAD-teacher": NetVLADConfig(num_clusters=256, hidden_units=1024, context_gating=True, head=_GATED),
    "RNN2": RNNConfig(cell="lstm", units=1024),
    "RNN3": RNNConfig(cell="gru", units=1024),
    "NeXtVLAD": NeXtVLADConfig(num_clusters=128, hidden_units=2048, dropout=0.5),
}
"""Configurations by name. The configuration of RNN1 is not known."""
