"""What the summary of a run says about decisions between models: the choice of teachers, and the search for weights.

Decisions read GAP on the select videos, `gap_select`; `gap` is that on the report videos. Both are the same under the
paper's protocol.
"""

from pydantic import Field

from yt8m.config import Config


class Combination(Config):
    """A combination of candidates, equally weighted, with GAP on the select and on the report videos."""

    members: tuple[str, ...]
    gap_select: float
    gap: float
    chosen: bool


class Selection(Config):
    """Choice of the teachers of a recipe's family by `gap_select`; `combinations` lists all scored ones, best first."""

    family: str
    chosen: tuple[str, ...]
    gap_select: float | None
    gap: float | None
    combinations: tuple[Combination, ...]


class SearchMethod(Config):
    """Ensemble found by one search method, with GAP on the select and on the report videos."""

    method: str
    trials: float | None
    gap_select: float | None
    gap: float | None
    members: int | None
    size_bytes: float | None
    chosen: bool


class FrontierPoint(Config):
    """Best ensemble of at most this size, with GAP as in `SearchMethod`.

    Attributes:
        size_bytes: Bytes of all members.
        gap_select: GAP on the select videos.
        gap: GAP on the report videos.
        members: Names of the members.
        sizes: Size of each member by name: a number of bits, or `auto`.
    """

    size_bytes: float
    gap_select: float
    gap: float
    members: tuple[str, ...]
    sizes: dict[str, str] = Field(default={})


class Guard(Config):
    """Reason for the chosen method: searched weights must beat the flat average by more than chance.

    Attributes:
        best_searched: Method with the highest GAP on the select videos.
        gain_over_flat: Gain of that method over the flat average on these videos.
        standard_error: Standard error of the gain. Null if it cannot be estimated.
        min_gain_errors: Required gain, in standard errors.
    """

    best_searched: str
    gain_over_flat: float
    standard_error: float | None
    min_gain_errors: float


class Search(Config):
    """The search for members and weights.

    Attributes:
        gap_float: GAP of the chosen ensemble before quantization on the report videos. Null if not measured.
        methods: Ensemble found by each method.
        guard: Reason for the chosen method.
        random_trials: `min`, `median` and `max` GAP of the random trials on the select videos.
        dropped: Candidates that are not members of the ensemble.
        frontier: Best ensembles by size, smallest first.
        paper_point: Best ensemble within the budget of members in 8 bits, as in the paper. Null if they are not offered
            in 8 bits.
    """

    gap_float: float | None
    methods: tuple[SearchMethod, ...]
    guard: Guard | None
    random_trials: dict[str, float]
    dropped: tuple[str, ...]
    frontier: tuple[FrontierPoint, ...]
    paper_point: FrontierPoint | None = None
