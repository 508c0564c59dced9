"""Figures of the paper for comparison: Skalic and Austin, 2018, tables 1 to 4."""

from typing import Final, NamedTuple

# Table 1: change of GAP by weight averaging, per architecture.
AVERAGING_CHANGE: Final = {"rnn": 0.00339, "netfv": -0.00186, "dbof": 0.00216, "netvlad": 0.00072}


class Quantization(NamedTuple):
    """A row of table 2: a distilled FVNet. Megabytes are 10^6 bytes."""

    gap: float
    seconds: float
    megabytes: float


# Table 2, on 232,073 videos.
QUANTIZATION_BEFORE: Final = Quantization(0.87236, 476.96, 467.5)
QUANTIZATION_AFTER: Final = Quantization(0.87237, 507.79, 117.0)


class Distillation(NamedTuple):
    """A row of table 3."""

    model: str
    family: str
    gap_distilled: float
    gap_undistilled: float


# Table 3.
DISTILLATION: Final = (
    Distillation("RNN1", "rnn", 0.87058, 0.85859),
    Distillation("RNN2", "rnn", 0.8703, 0.85657),
    Distillation("RNN3", "rnn", 0.86705, 0.85408),
    Distillation("FVNet1", "netfv", 0.87803, 0.87031),
    Distillation("DBoF1", "dbof", 0.87202, 0.86819),
    Distillation("DBoF2", "dbof", 0.87391, 0.86945),
    Distillation("DBoF3", "dbof", 0.87262, 0.86864),
    Distillation("NetVLAD1", "netvlad", 0.87789, 0.8721),
    Distillation("NetVLAD2", "netvlad", 0.87842, 0.87083),
    Distillation("NetVLAD3", "netvlad", 0.87806, 0.87237),
    Distillation("NetVLAD4", "netvlad", 0.87833, 0.87096),
    Distillation("NetVLAD5", "netvlad", 0.87884, 0.87163),
    Distillation("NetVLAD6", "netvlad", 0.8784, 0.87156),
)
# Table 3, last column: mean gain per architecture.
DISTILLATION_GAIN: Final = {"rnn": 0.01290, "netfv": 0.00772, "dbof": 0.00409, "netvlad": 0.00675}


class Member(NamedTuple):
    """A row of table 4. The size share is the fraction of the total of 1,052 MB."""

    model: str
    family: str
    megabytes: float
    size_share: float
    weight: float


# Table 4.
ENSEMBLE: Final = (
    Member("RNN1", "rnn", 54, 0.0513, 0.0063),
    Member("RNN2", "rnn", 19, 0.0181, 0.0442),
    Member("RNN3", "rnn", 19, 0.0181, 0.1244),
    Member("FVNet1", "netfv", 369, 0.3508, 0.202),
    Member("DBoF1", "dbof", 59, 0.0561, 0.0956),
    Member("DBoF2", "dbof", 37, 0.0352, 0.1088),
    Member("DBoF3", "dbof", 33, 0.0314, 0.0951),
    Member("NetVLAD1", "netvlad", 242, 0.2300, 0.1685),
    Member("NetVLAD2", "netvlad", 220, 0.2091, 0.1551),
)

# Section 4.3: gain of the best random search over flat or weighted averages.
SEARCH_GAIN: Final = 0.00050
