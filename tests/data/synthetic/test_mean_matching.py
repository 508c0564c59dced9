"""Means are preserved in spite of clipping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yt8m.data.synthetic.mean_matching import ClippingCorrection, clip_to_mean


@settings(deadline=None, max_examples=60)
@given(
    num_frames=st.integers(1, 40),
    sd=st.floats(0, 120),
    offset=st.floats(-200, 200),
    targets=st.lists(st.integers(0, 255), min_size=1, max_size=20),
    seed=st.integers(0, 1000),
)
def test_the_mean_is_within_half_a_step(
    num_frames: int, sd: float, offset: float, targets: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    target = np.array(targets, np.uint8)
    pixels = np.rint(rng.normal(target + offset, sd, (num_frames, len(targets)))).astype(np.int16)
    frames = np.empty(pixels.shape, np.uint8)
    clip_to_mean(pixels, target, frames)
    assert np.abs(frames.mean(axis=0) - target).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("sd", [20.0, 44.0])
def test_the_corrected_mean_gives_the_wanted_mean_after_clipping(sd: float) -> None:
    means = np.arange(10, 246, 5, dtype=np.uint8)
    values = ClippingCorrection(sd)(means) + sd * np.random.default_rng(0).standard_normal((40_000, len(means)))
    # The standard error of the mean is 0.22 byte steps; the table is interpolated between integers.
    assert np.clip(values, 0, 255).mean(axis=0) == pytest.approx(means, abs=1.0)
