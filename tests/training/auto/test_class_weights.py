from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from yt8m.errors import ConfigError
from yt8m.training.auto.class_weights import class_weights


def partition_with(*counts: int) -> Any:
    return cast("Any", SimpleNamespace(class_counts=counts))


def weights_of(config: Any, *counts: int) -> list[float]:
    found = class_weights(config, partition_with(*counts))
    assert found is not None
    assert found.dtype == np.float32
    return [float(weight) for weight in found]


def test_no_weights_by_default() -> None:
    assert class_weights(None, partition_with(3, 1)) is None


def test_given_weights_are_taken_and_others_are_1() -> None:
    assert weights_of({1: 2.5, 2: 0.5}, 4, 0, 7, 1) == [1.0, 2.5, 0.5, 1.0]


def test_balanced_weights_are_inverse_to_the_videos_of_a_class_with_a_mean_of_1_over_labels() -> None:
    # 12 labels of 3 classes: 12 / (3 * 8), 12 / (3 * 2), 12 / (3 * 2).
    assert weights_of("balanced", 8, 2, 0, 2) == [0.5, 2.0, 1.0, 2.0]
    assert np.average([0.5, 2.0, 2.0], weights=[8, 2, 2]) == 1


def test_balanced_weights_are_limited() -> None:
    assert weights_of("balanced", 99_999, 1) == [pytest.approx(0.5, rel=1e-4), 10.0]
    assert weights_of("balanced", *[1] * 99, 99_901)[-1] == pytest.approx(0.1)


def test_an_absent_class_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training.class_weights: no class 4; the classes of the data are 0 to 3"):
        class_weights({0: 1.0, 4: 2.0}, partition_with(1, 1, 1, 1))
