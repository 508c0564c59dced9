import itertools

import numpy as np
import pytest

from yt8m.errors import BudgetError
from yt8m.export.budget import check_budget, directory_bytes, heaviest_subset

SIZES = {"netvlad": 500, "rnn": 200, "dbof": 310}
WEIGHTS = {"netvlad": 0.5, "rnn": 0.3, "dbof": 0.2}


def test_a_model_of_exactly_the_budget_passes():
    check_budget(1000, 1000, WEIGHTS, SIZES.__getitem__)


def test_a_model_over_its_budget_names_parts_and_what_would_fit():
    with pytest.raises(BudgetError) as caught:
        check_budget(1000, 999, WEIGHTS, SIZES.__getitem__)
    assert str(caught.value) == (
        "exported model: expected at most 999 bytes, received 1,000. "
        "Bytes of each member with its graph: netvlad 500, dbof 310, rnn 200. "
        "The best subset that fits: netvlad, rnn (at most 700 bytes, 80% of the weight)."
    )


def test_a_budget_below_every_member_says_so():
    with pytest.raises(BudgetError, match=r"No member fits\. Use smaller models or a larger budget_bytes"):
        check_budget(1000, 100, WEIGHTS, SIZES.__getitem__)


def test_the_subset_is_the_heaviest_that_fits():
    draw = np.random.default_rng(5)
    for _ in range(30):
        names = [f"m{i}" for i in range(7)]
        sizes = {name: int(draw.integers(1, 30)) for name in names}
        weights = {name: float(draw.uniform()) for name in names}
        limit = int(draw.integers(0, 120))
        subsets = [c for n in range(8) for c in itertools.combinations(names, n)]
        best = max(sum(weights[m] for m in s) for s in subsets if sum(sizes[m] for m in s) <= limit)
        found = heaviest_subset(sizes, weights, limit)
        assert sum(sizes[m] for m in found) <= limit
        assert sum(weights[m] for m in found) == pytest.approx(best)
        assert found == [name for name in names if name in found]


def test_all_files_of_a_folder_count(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "inner" / "b").write_bytes(b"4567")
    assert directory_bytes(tmp_path) == 7
