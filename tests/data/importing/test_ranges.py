"""Measured ranges follow percentiles, and lose at most half a step of every value within them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yt8m.data.format import DataSpec
from yt8m.data.importing.ranges import ValueRange


def _measure(values, given_range=None, parts=1):
    found = ValueRange(given_range)
    for part in np.array_split(np.asarray(values, np.float32), parts):
        found.add(part)
    return found.measure()[:2]


def _decoded(values, low, high):
    """Encode and decode by YouTube-8M's formula, in 64 bits."""
    step, offset = (high - low) / 255, (high - low) / 512 + low
    levels = np.clip(np.round((np.asarray(values, float) - offset) / step), 0, 255)
    return levels * step + offset, step


@pytest.mark.parametrize("draw", ["normal", "uniform", "exponential", "standard_t"])
def test_limits_are_percentiles(draw: str) -> None:
    rng = np.random.default_rng(0)
    values = (rng.standard_t(3, 200_000) if draw == "standard_t" else getattr(rng, draw)(size=200_000)) * 3 - 1
    values = values.astype(np.float32)
    (low, high), clipped = _measure(values, parts=7)
    expected = np.percentile(values, [0.05, 99.95])
    slack = 0.0021 * np.abs(expected) + 0.0011 * (high - low)
    assert expected[0] - slack[0] <= low <= expected[0]
    assert expected[1] <= high <= expected[1] + slack[1]
    bytes_of = np.round((values - ((high - low) / 512 + low)) / ((high - low) / 255))
    assert clipped == pytest.approx(np.mean((bytes_of < 0) | (bytes_of > 255)), abs=1e-4)
    assert clipped <= 0.001


def test_the_order_and_the_parts_of_the_values_do_not_matter() -> None:
    values = np.random.default_rng(1).normal(size=50_000).astype(np.float32)
    assert _measure(values) == _measure(values[::-1], parts=13) == _measure(values.reshape(100, 500))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1e9, 1e9, width=32), min_size=1, max_size=50),
    st.sampled_from([1.0, 1e-6, 1e-20]),
)
def test_few_values_of_any_size_lose_half_a_step_at_most(values: list[float], factor: float) -> None:
    scaled = np.array(values, np.float32) * np.float32(factor)
    (low, high), clipped = _measure(scaled)
    assert clipped == 0
    decoded, step = _decoded(scaled, low, high)
    assert np.all(np.abs(decoded - scaled) <= step / 2 * 1.001)
    DataSpec(features={"x": 1}, ranges={"x": (low, high)})  # bytes of the range differ as floats


@pytest.mark.parametrize("value", [0.0, 1.0, -7.3, 1e6, 1e-12])
def test_a_constant_is_kept(value: float) -> None:
    (low, high), clipped = _measure(np.full(5000, value))
    decoded, _ = _decoded([value], low, high)
    assert clipped == 0
    assert decoded[0] == pytest.approx(np.float32(value), rel=1e-4, abs=1e-4)


def test_outliers_do_not_widen_the_range() -> None:
    values = np.random.default_rng(2).normal(size=100_000).astype(np.float32)
    values[::5000] = 1e30
    (low, high), clipped = _measure(values)
    assert -4 < low < high < 4
    assert clipped >= 20 / 100_000


def test_rare_activations_are_not_clipped_away() -> None:
    values = np.zeros(1_000_000, np.float32)
    values[::4000] = np.linspace(0.1, 5, 250)
    assert _measure(values) == ((0.0, 5.0), 0.0)


@pytest.mark.parametrize("outlier", [1e9, -1e9, 3e38, 2000.0])
def test_an_outlier_among_few_values_is_clipped(outlier: float) -> None:
    values = np.random.default_rng(0).normal(size=960).astype(np.float32)
    values[83] = outlier
    (low, high), clipped = _measure(values)
    assert -5 < low < high < 5
    assert 1 / 960 <= clipped <= 10 / 960


@pytest.mark.parametrize("draw", ["exponential", "standard_normal"])
def test_few_values_without_outliers_are_not_clipped(draw: str) -> None:
    assert _measure(getattr(np.random.default_rng(0), draw)(size=1000))[1] == 0


@pytest.mark.parametrize(
    ("limits", "shared", "clipped"),
    [((0.0, 1000.0), 1.0, 0.0), ((100.0, 200.0), 1.0, 1.0), ((0.0, 1.0), 0.01, 0.0), ((0.0, 0.5), 0.5, 0.5)],
)
def test_a_given_range_tells_how_many_values_share_two_bytes(limits, shared: float, clipped: float) -> None:
    found = ValueRange(limits)
    found.add(np.random.default_rng(0).uniform(0, 1, 100_000).astype(np.float32))
    measured = found.measure()
    assert measured.shared == pytest.approx(shared, abs=0.02)
    assert measured.clipped == pytest.approx(clipped, abs=0.02)


@pytest.mark.parametrize("values", [[0, 1], [0, 0, 0, 0.5], [7]])
def test_values_that_are_equal_may_share_a_byte(values: list[float]) -> None:
    found = ValueRange()
    found.add(np.tile(np.array(values, np.float32), 1000))
    assert found.measure().shared == 0


def test_levels_of_youtube_8m_keep_its_range_and_stay_as_they_are() -> None:
    levels = np.random.default_rng(3).integers(10, 200, 5000)
    values = (levels * (4 / 255) + 4 / 512 - 2).astype(np.float32)
    (low, high), clipped = _measure(values)
    assert (low, high, clipped) == (-2, 2, 0)
    assert _measure(values + np.float32(1e-3))[0] != (-2, 2)


def test_a_given_range_tells_the_exact_share_that_is_clipped() -> None:
    values = np.array([-3, -2, -1, 0, 2, 2.015, 2.017, 9], np.float32)
    # Byte 255 stands for 2.0078, so that values up to 2.0157 lose half a step at most.
    assert _measure(values, (-2.0, 2.0)) == ((-2.0, 2.0), 3 / 8)
