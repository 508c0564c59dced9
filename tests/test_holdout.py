"""The division of the hold-out depends on ids or groups, seed and share alone."""

import numpy as np
import pytest

from tests.support.python import run_python
from yt8m.errors import DataError
from yt8m.holdout import Division, hash_keys

IDS = [f"video {number}".encode() for number in range(101)]
LABELED = np.ones(101, np.bool_)


def divided(keys: list[bytes], share: float = 0.5, seed: int = 0) -> tuple[Division, set[bytes]]:
    division = Division.of(hash_keys(keys, seed), np.ones(len(keys), np.bool_), share, seed)
    return division, {key for key, mine in zip(keys, division.in_report(keys), strict=True) if mine}


def test_the_hash_is_the_beginning_of_sha_256_of_seed_and_key():
    # printf '7:abc' | sha256sum
    assert hash_keys([b"abc"], 7).tolist() == [0xD9D02EF46913E787]
    # printf '7 sample:abc' | sha256sum
    assert hash_keys([b"abc"], 7, "sample").tolist() == [0xEEE88379E0867657]


@pytest.mark.parametrize(("share", "videos"), [(0.5, 50), (0.1, 10), (0.9, 91), (0.001, 1), (0.999, 100)])
def test_the_share_is_as_near_as_it_can_be_and_both_parts_have_videos(share: float, videos: int):
    division, report = divided(IDS, share)
    assert len(report) == division.report_videos == videos
    assert division.select_videos == 101 - videos
    assert division.part == "report"


def test_the_order_of_the_videos_changes_nothing():
    first, report = divided(IDS)
    second, other = divided(IDS[::-1])
    assert (first, report) == (second, other)


def test_another_seed_divides_otherwise():
    reports = [divided(IDS, seed=seed)[1] for seed in (1, 2)]
    assert reports[0] != reports[1]
    assert 10 < len(reports[0] & reports[1]) < 40


def test_videos_of_a_group_are_together_and_count_as_many():
    groups = [f"group {number % 9}".encode() for number in range(101)]
    division, report = divided(groups)
    assert 0 < len(report) < 9
    assert division.report_videos == sum(group in report for group in groups)
    assert abs(division.report_videos - 50) <= 6


def test_no_share_divides_nothing():
    division, report = divided(IDS, 0.0)
    assert report == set()
    assert (division.part, division.select_videos, division.report_videos) == ("hold-out", 101, 101)


def test_both_parts_get_a_labeled_video():
    labeled = np.zeros(101, np.bool_)
    order = np.argsort(hash_keys(IDS, 0))
    labeled[order[[0, 1]]] = True
    division = Division.of(hash_keys(IDS, 0), labeled, 0.5, 0)
    assert division.report_videos == 1


@pytest.mark.parametrize(
    ("keys", "labeled", "said"),
    [
        ([b"a"], [True], "1 of its 1 videos has labels"),
        ([b"a", b"b", b"c"], [False, True, False], "1 of its 3 videos has labels"),
        ([b"a", b"a"], [True, True], "all of its 2 labeled videos have one group or id"),
        ([b"a", b"a", b"b"], [True, True, False], "all of its 2 labeled videos have one group or id"),
    ],
)
def test_what_cannot_be_divided_is_refused_with_remedies_that_are_possible(
    keys: list[bytes], labeled: list[bool], said: str
):
    def told(**options: int) -> str:
        with pytest.raises(DataError, match=r"data\.report_share: 0\.5: ") as refused:
            Division.of(hash_keys(keys, 0), np.array(labeled), 0.5, 0, **options)
        return str(refused.value)

    assert f"because {said}. Set data.report_share: 0, which decides and reports on the same videos." in told()
    assert "`yt8m data import --split`" in told()
    assert "data.holdout_shards" not in told()
    assert "more of the 3 other validation shards (data.holdout_shards)" in told(spare_shards=3)


def test_every_process_divides_alike():
    code = "from yt8m.holdout import hash_keys; print(hash_keys([b'abc', b'x'], 3).tolist())"
    assert run_python(code) == f"{hash_keys([b'abc', b'x'], 3).tolist()}\n"
