import keras
import numpy as np

from tests.support.trainings import resolved
from tests.training import toy
from yt8m.training.loop import build_optimizer
from yt8m.training.training_model import TrainingModel


def test_averages_hold_weights_and_batch_statistics():
    decay = 0.75
    network = toy.network()
    model = TrainingModel(network, averaging_decay=decay)
    model.compile(optimizer=build_optimizer(resolved(batch_size=toy.B, learning_rate=0.05), decay))
    expected = {}
    statistics = {id(variable) for variable in network.non_trainable_weights}
    for variable in network.non_trainable_weights:
        expected[variable.path] = np.asarray(variable).copy()
    for inputs, targets in toy.read_epoch(0, 0):
        model.train_on_batch(
            {name: keras.ops.convert_to_numpy(value) for name, value in inputs.items()},
            {name: keras.ops.convert_to_numpy(value) for name, value in targets.items()},
        )
        for variable in network.weights:
            value = np.asarray(variable).copy()
            # Keras begins the average of a trainable weight with its value after the first step.
            before = expected.get(variable.path, value)
            expected[variable.path] = decay * before + (1 - decay) * value
    assert statistics
    model.use_averages()
    for variable in network.weights:
        np.testing.assert_allclose(np.asarray(variable), expected[variable.path], atol=1e-6, err_msg=variable.path)


def test_without_averaging_the_weights_stay():
    network = toy.network()
    model = TrainingModel(network)
    model.compile(optimizer=build_optimizer(toy.CONFIG))
    before = [np.asarray(variable).copy() for variable in network.weights]
    model.use_averages()
    for variable, value in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), value)


def test_the_wrapper_adds_no_weights_and_changes_no_names():
    network = toy.network()
    names = [variable.path for variable in network.weights]
    assert [variable.path for variable in TrainingModel(network).weights] == names


def test_weights_of_videos_and_classes_are_factors_of_the_loss():
    network = toy.network()
    plain, weighted = TrainingModel(network), TrainingModel(network, class_weights=np.arange(toy.C, dtype=np.float32))
    inputs, targets = next(iter(toy.read_epoch(0, 0)))
    probabilities = np.asarray(plain(inputs, training=False), np.float64)
    labels = keras.ops.convert_to_numpy(targets["labels"])
    weights = np.linspace(0, 3, toy.B, dtype=np.float32)
    terms = -np.where(labels, np.log(probabilities + 1e-5), np.log(1 - probabilities + 1e-5))
    penalty = float(sum(network.losses))
    for model, factors, targets_of in (
        (plain, 1, {"labels": labels}),
        (weighted, np.arange(toy.C), {"labels": labels}),
        (weighted, np.arange(toy.C) * weights[:, None], {"labels": labels, "weights": weights}),
        # Soft targets that are the labels change nothing.
        (weighted, np.arange(toy.C) * weights[:, None], {"labels": labels, "weights": weights, "soft_targets": labels}),
    ):
        loss = float(model.compute_loss(y=targets_of, y_pred=probabilities.astype(np.float32), training=False))
        np.testing.assert_allclose(loss - penalty, (terms * factors).sum(axis=1).mean(), rtol=1e-5)
