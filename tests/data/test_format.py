import numpy as np
import pytest

from yt8m.data.format import DataSpec, dequantize
from yt8m.errors import ConfigError


def test_the_extremes_are_the_published_ones():
    values = dequantize(np.arange(256, dtype=np.uint8))
    assert values.dtype == np.float32
    assert (values[0], values[255]) == pytest.approx((-1.9921875, 2.0078125), abs=1e-6)


def test_bytes_stand_for_the_range_of_their_feature():
    assert dequantize(np.array([0, 255], np.uint8), 0.0, 51.2) == pytest.approx([0.1, 51.3])


@pytest.mark.parametrize(
    "bounds", [(1.0, 1.0), (2.0, 1.0), (-1e13, 1.0), (1e300, 2e300), (1e6, 1e6 + 1e-3), (0.0, 1e-47)]
)
def test_ranges_whose_bytes_stand_for_no_different_floats_are_refused(bounds):
    with pytest.raises(ConfigError, match=r"ranges\.rgb: expected "):
        DataSpec(features={"rgb": 3}, ranges={"rgb": bounds})


SPEC = DataSpec(features={"rgb": 3, "audio": 2}, num_classes=5)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"ranges": {"rgb": (-2.0, 2.0)}}, ""),
        ({"max_frames": 7}, ""),
        ({"layout": {"id": "video"}}, ""),
        ({"num_classes": 6}, "num_classes 5 and 6"),
        ({"features": {"audio": 2, "rgb": 3}}, "features {'rgb': 3, 'audio': 2} and {'audio': 2, 'rgb': 3}"),
        ({"features": {"rgb": 3}}, "features {'rgb': 3, 'audio': 2} and {'rgb': 3}"),
        (
            {"ranges": {"audio": (0.0, 6.0)}},
            "ranges {'audio': [-2.0, 2.0], 'rgb': [-2.0, 2.0]} and {'audio': [0.0, 6.0], 'rgb': [-2.0, 2.0]}",
        ),
    ],
)
def test_models_fit_data_with_the_same_features_ranges_and_classes(changes, difference):
    other = DataSpec.parse(SPEC.model_dump(mode="json") | changes, "test")
    assert SPEC.difference(other) == difference
