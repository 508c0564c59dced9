"""Colors of architectures, the same on every page and in every run."""

from typing import Final
from zlib import crc32

# Number of the page's colors for series.
NUM_COLORS: Final = 8
# Colors of the registered architectures. A new architecture is added with the next number.
_FAMILIES: Final = {"netvlad": 0, "netfv": 1, "dbof": 2, "rnn": 3, "logistic": 4, "nextvlad": 5}


def family_color(family: str) -> int:
    """Return the number of an architecture's color. Any other name has a color that depends on the name alone."""
    return _FAMILIES.get(family, crc32(family.encode()) % NUM_COLORS)
