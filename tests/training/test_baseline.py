import itertools
import math

import numpy as np

from yt8m.data.partition import Partition
from yt8m.metrics import gap_of_keys, keys_from_top
from yt8m.predictions import Predictions, PredictionsBuilder
from yt8m.training.baseline import baseline_keys


def test_the_baseline_predicts_the_training_frequencies():
    spec = {"features": {"rgb": 2}, "num_classes": 3}
    shard = {"uri": "t", "videos": 10, "size_bytes": 1, "checksum": "x"}
    partition = Partition.parse(
        {"spec": spec, "seed": 0, "training": [shard], "holdout": [shard], "class_counts": [5, 10, 0]}, "test"
    )
    # The three hold-out videos have the labels {1}, {0, 1} and {}. Class 1 (frequency 1.0) is predicted first for all
    # of them: two predictions of three are right. Then follows class 0: one of three is right. Class 2 is never right.
    # The order within a class is random.
    found = Predictions(
        ids=np.array([b"a", b"b", b"c"]),
        classes=np.zeros((3, 3), np.uint16),
        scores=np.zeros((3, 3), np.float32),
        label_ptr=np.array([0, 1, 3, 3]),
        labels=np.array([1, 0, 1], np.uint16),
        num_classes=3,
        report=np.zeros(3, bool),
    )
    orders = [
        (first, second)
        for first in itertools.combinations((1, 2, 3), 2)
        for second in itertools.combinations((4, 5, 6), 1)
    ]
    possible = [sum(n / rank for n, rank in enumerate((*first, *second), 1)) / 3 for first, second in orders]
    assert min(abs(gap_of_keys(baseline_keys(partition, found), 3) - gap) for gap in possible) < 1e-6


def test_a_model_that_knows_only_frequencies_is_not_better_than_the_baseline():
    """The noise of a model without knowledge must not look like a gain: rule 2 of the report's warnings."""
    classes, videos, training = 30, 400, 4000
    gains = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        frequencies = 0.4 / np.arange(1, classes + 1)
        counts = rng.binomial(training, frequencies)
        labels = rng.random((videos, classes)) < frequencies
        scores = (counts / training * (1 + 0.01 * rng.standard_normal(labels.shape))).astype(np.float32)
        builder = PredictionsBuilder(classes, 20)
        builder.append([f"{number}" for number in range(videos)], scores, labels)
        found = builder.build()
        shard = {"uri": "t", "videos": training, "size_bytes": 1, "checksum": "x"}
        sides = {"training": [shard], "holdout": [shard], "class_counts": counts.tolist()}
        partition = Partition.parse(
            {"spec": {"features": {"rgb": 2}, "num_classes": classes}, "seed": 0, **sides}, "test"
        )
        baseline = gap_of_keys(baseline_keys(partition, found), labels.sum())
        keys = keys_from_top(found.classes, found.scores, found.label_ptr, found.labels)
        gains.append(gap_of_keys(keys, labels.sum()) - baseline)
    # With misses before hits among equal predictions, the mean gain is seven standard errors.
    assert abs(np.mean(gains)) < 3 * np.std(gains, ddof=1) / math.sqrt(len(gains))
