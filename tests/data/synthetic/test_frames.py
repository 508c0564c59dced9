"""Windows of noise that are longer than the longest video."""

import numpy as np

from yt8m.data.synthetic.frames import NoiseBank


class LastPlace:
    """Stands for a random generator that always draws the largest number."""

    def integers(self, end: int) -> int:
        return end - 1


def test_there_are_rows_for_more_scenes_than_frames():
    # A video of one frame with several rare classes: one scene more for each of them.
    bank = NoiseBank(np.random.default_rng(0), 3, 1.0, max_frames=1)
    assert bank.unit_rows(LastPlace(), 7).shape == (7, 3)


def test_windows_of_the_longest_video_leave_a_row_for_longer_ones():
    bank = NoiseBank(np.random.default_rng(0), 3, 1.0, max_frames=4)
    last = bank.unit_rows(LastPlace(), 4)
    assert np.array_equal(last, bank.unit_rows(LastPlace(), 5)[:4])
