import numpy as np
import pytest

from yt8m.layers.sample_frames import SampleFrames

NUM_FRAMES = np.array([6, 3, 1, 0], np.int32)
# Frame t of video b holds 10 b + t, so that every drawn frame tells where it comes from.
FRAMES = (10 * np.arange(4)[:, None, None] + np.arange(6)[None, :, None] + np.zeros((1, 1, 2))).astype(np.float32)


def test_only_real_frames_of_the_video_are_drawn_and_each_of_them():
    drawn, mask = SampleFrames(200, seed=1)(FRAMES, NUM_FRAMES, training=True)
    drawn = np.asarray(drawn)
    assert drawn.shape == (4, 200, 2)
    assert mask is None, "all drawn frames are real"
    for video, count in enumerate([6, 3, 1, 1]):
        assert set(drawn[video, :, 0]) == {10 * video + t for t in range(count)}
    np.testing.assert_array_equal(drawn[..., 0], drawn[..., 1])


def test_frames_are_drawn_evenly():
    drawn, _ = SampleFrames(6000, seed=2)(FRAMES, NUM_FRAMES, training=True)
    counts = np.unique_counts(np.asarray(drawn)[0, :, 0]).counts
    assert abs(counts - 1000).max() < 150  # five standard deviations


def test_as_many_frames_as_the_longest_video_has_are_drawn_unless_told():
    drawn, _ = SampleFrames()(FRAMES, NUM_FRAMES, training=True)
    assert drawn.shape == FRAMES.shape


def test_draws_follow_the_seed_and_differ_from_step_to_step():
    first, second = SampleFrames(20, seed=3), SampleFrames(20, seed=3)
    steps = [np.asarray(layer(FRAMES, NUM_FRAMES, training=True)[0]) for layer in (first, second, first)]
    np.testing.assert_array_equal(steps[0], steps[1])
    assert (steps[0] != steps[2]).any()


def test_the_state_of_the_draws_is_among_the_variables():
    """Otherwise a resumed training would sample other frames."""
    layer = SampleFrames(20, seed=3)
    before = np.asarray(layer.variables[0])
    first = np.asarray(layer(FRAMES, NUM_FRAMES, training=True)[0])
    layer.variables[0].assign(before)
    np.testing.assert_array_equal(np.asarray(layer(FRAMES, NUM_FRAMES, training=True)[0]), first)


@pytest.mark.parametrize(("num_sampled_frames", "training"), [(3, False), ("all", True)])
def test_otherwise_all_frames_pass_with_their_mask(num_sampled_frames, training):
    frames, mask = SampleFrames(num_sampled_frames)(FRAMES, NUM_FRAMES, training=training)
    np.testing.assert_array_equal(frames, FRAMES)
    np.testing.assert_array_equal(np.sum(mask, axis=1), [6, 3, 1, 1])
    assert np.asarray(mask)[1, :3].all()
