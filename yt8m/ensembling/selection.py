"""Which candidates of a family become its teachers."""

from yt8m.config import Config
from yt8m.storage.config_file import ConfigFile


class Combination(Config):
    """Models weighted equally, and their GAP on the hold-out."""

    members: tuple[str, ...]
    gap: float


class TeacherSelection(ConfigFile):
    """The outcome of `select_teachers`.

    Attributes:
        chosen: Names of the teachers, weighted equally.
        gap: Their GAP on the hold-out.
        combinations: All combinations that were scored, best first.
    """

    chosen: tuple[str, ...]
    gap: float
    combinations: tuple[Combination, ...]
