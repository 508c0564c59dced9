"""Windows of noise that are longer than the longest video."""

from typing import Any

import numpy as np

from yt8m.data.synthetic.frames import NoiseBank


class LastPlace(np.random.Generator):
    """A random generator that always draws the largest number."""

    def integers(self, low: Any, *_: Any, **__: Any) -> Any:
        return low - 1


def test_there_are_rows_for_more_scenes_than_frames():
    # A video of one frame with several rare classes: one scene more for each of them.
    bank = NoiseBank(np.random.default_rng(0), 3, 1.0, max_frames=1)
    assert bank.unit_rows(LastPlace(np.random.PCG64()), 7).shape == (7, 3)


def test_windows_of_the_longest_video_leave_a_row_for_longer_ones():
    bank = NoiseBank(np.random.default_rng(0), 3, 1.0, max_frames=4)
    last = bank.unit_rows(LastPlace(np.random.PCG64()), 4)
    assert np.array_equal(last, bank.unit_rows(LastPlace(np.random.PCG64()), 5)[:4])
