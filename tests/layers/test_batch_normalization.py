import keras
import numpy as np
import tensorflow as tf

from yt8m.layers.batch_normalization import BatchNormalization

FRAMES = np.random.default_rng(0).normal(2, 3, (4, 5, 3)).astype(np.float32)
MASK = np.arange(5) < np.array([5, 3, 1, 2])[:, None]


def built():
    layer = BatchNormalization()
    layer.build((None, None, 3))
    layer.gamma.assign([1.0, 2.0, 0.5])
    layer.beta.assign([0.0, -1.0, 3.0])
    return layer


def test_statistics_in_training_are_those_of_real_frames():
    layer = built()
    normalized = np.asarray(layer(FRAMES, frame_mask=MASK, training=True))
    real = FRAMES[MASK].astype(np.float64)
    mean, variance = real.mean(0), real.var(0)
    expected = (real - mean) / np.sqrt(variance + 1e-3) * [1.0, 2.0, 0.5] + [0.0, -1.0, 3.0]
    np.testing.assert_allclose(normalized[MASK], expected, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.001 * mean, rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, 0.999 + 0.001 * variance, rtol=1e-5)


def test_moving_variances_are_biased_and_those_of_the_winners_tensorflow_unbiased():
    """The fused kernel for matrices of TensorFlow 1 returns the variance that it averages."""
    rows = FRAMES[MASK]  # (11, 3)
    layer = BatchNormalization(momentum=0.0)
    layer(rows, training=True)
    scale, offset = np.ones(3, np.float32), np.zeros(3, np.float32)
    _, _, theirs = tf.compat.v1.nn.fused_batch_norm(rows[:, None, None], scale, offset, is_training=True)
    np.testing.assert_allclose(layer.moving_variance, rows.astype(np.float64).var(0), rtol=1e-5)
    np.testing.assert_allclose(theirs, np.asarray(layer.moving_variance) * 11 / 10, rtol=1e-5)


def test_a_mask_of_nothing_but_real_frames_changes_nothing():
    with_mask, without = built(), built()
    everything = np.ones((4, 5), bool)
    np.testing.assert_allclose(
        with_mask(FRAMES, frame_mask=everything, training=True), without(FRAMES, training=True), atol=1e-5
    )
    np.testing.assert_allclose(with_mask.moving_variance, without.moving_variance, atol=1e-6)


def test_inference_uses_the_moving_statistics():
    layer = built()
    layer.moving_mean.assign([1.0, 2.0, 3.0])
    layer.moving_variance.assign([4.0, 1.0, 9.0])
    expected = (FRAMES - [1, 2, 3]) / np.sqrt(np.array([4, 1, 9]) + 1e-3) * [1.0, 2.0, 0.5] + [0.0, -1.0, 3.0]
    np.testing.assert_allclose(layer(FRAMES, frame_mask=MASK), expected, atol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, [1.0, 2.0, 3.0])


def test_a_mask_without_real_frames_gives_no_nan():
    layer = built()
    assert np.isfinite(np.asarray(layer(FRAMES, frame_mask=np.zeros((4, 5), bool), training=True))).all()
    assert np.isfinite(np.asarray(layer.moving_variance)).all()


def test_a_frozen_layer_does_not_move():
    layer = built()
    layer.trainable = False
    layer(FRAMES, frame_mask=MASK, training=True)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.moving_mean), 0)
