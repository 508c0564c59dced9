"""Synthetic frames around real means: ids, labels, lengths and means are kept, and unusable files are reported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yt8m.data.synthetic.presets import PRESETS
from yt8m.data.synthetic.real_means import RealMeanVideos
from yt8m.data.synthetic.video import Video
from yt8m.errors import DataError

Arrays = dict[str, Any]


def _arrays(count: int) -> Arrays:
    """Generate the arrays of a file of means, with extreme means among them."""
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 4, count)
    return {
        "ids": np.array([b"v%03d" % number for number in range(count)]),
        "labels": np.concatenate([rng.choice(3862, size, replace=False) for size in counts]).astype(np.uint16),
        "label_ptr": np.append(0, np.cumsum(counts)).astype(np.int32),
        "num_frames": np.resize(np.array([1, 2, 120, 250, 300, 301], np.uint16), count),
        "mean_rgb": np.clip(rng.normal(127, 40, (count, 1024)), 0, 255).astype(np.uint8),
        "mean_audio": np.clip(rng.normal(127, 70, (count, 128)), 0, 255).astype(np.uint8),
    }


def _save(path: Path, arrays: Arrays) -> str:
    np.savez(path, **arrays)
    return str(path)


def _videos(path: str, count: int, **spec: int) -> list[tuple[Video, dict[str, np.ndarray]]]:
    preset = PRESETS["yt8m"]
    preset = preset.model_copy(update={"videos": count, "spec": preset.spec.model_copy(update=spec)})
    made = []
    for video in RealMeanVideos(path, 3, preset).draw(np.random.default_rng(1), 0, count):
        frames = {name: np.empty((video.num_frames, size), np.uint8) for name, size in preset.spec.features.items()}
        video.write(frames)
        made.append((video, frames))
    return made


def _assert_kept(arrays: Arrays, made: list[tuple[Video, dict[str, np.ndarray]]]) -> None:
    rows = {bytes(video_id): row for row, video_id in enumerate(arrays["ids"])}
    assert len({video.id for video, _ in made}) == len(made)
    for video, frames in made:
        row = rows[video.id]
        labels = arrays["labels"][arrays["label_ptr"][row] : arrays["label_ptr"][row + 1]]
        assert video.labels == tuple(sorted(labels.tolist()))
        for name, values in frames.items():
            assert np.abs(values.mean(axis=0) - arrays[f"mean_{name}"][row]).max() <= 0.5 + 1e-9


def test_labels_lengths_and_means_are_kept(tmp_path: Path) -> None:
    arrays = _arrays(24)
    made = _videos(_save(tmp_path / "means.npz", arrays), 24)
    _assert_kept(arrays, made)
    lengths = {bytes(i): int(n) for i, n in zip(arrays["ids"], arrays["num_frames"], strict=True)}
    assert all(video.num_frames == lengths[video.id] for video, _ in made)


def test_shorter_videos_keep_their_means_too(tmp_path: Path) -> None:
    arrays = _arrays(24)
    made = _videos(_save(tmp_path / "means.npz", arrays), 24, max_frames=30)
    _assert_kept(arrays, made)
    assert max(video.num_frames for video, _ in made) == 30
    assert min(video.num_frames for video, _ in made) == 1


def test_real_means_are_kept_within_a_step(real_data: Path) -> None:
    path = real_data / "validate_means.npz"
    with np.load(path) as file:
        arrays = dict(file)
    made = _videos(str(path), 120)
    _assert_kept(arrays, made)


def test_frames_around_real_means_vary_and_correlate_as_measured(real_data: Path) -> None:
    made = _videos(str(real_data / "validate_means.npz"), 250)
    wanted = {"rgb": (53, {1: 0.6, 5: 0.45, 30: 0.28}), "audio": (66, {1: 0.67, 5: 0.66, 30: 0.58})}
    for name, (sd, correlations) in wanted.items():
        centered = [frames[name].astype(np.float32) - 127 for _, frames in made if len(frames[name]) > 60]
        assert np.sqrt(np.mean([(x**2).mean() for x in centered])) == pytest.approx(sd, abs=5)
        for lag, wanted_correlation in correlations.items():
            found = np.mean([(x[lag:] * x[:-lag]).mean() / (x**2).mean() for x in centered])
            assert found == pytest.approx(wanted_correlation, abs=0.07), f"{name}, {lag} s"


def test_different_shards_hold_different_videos(tmp_path: Path) -> None:
    preset = PRESETS["yt8m"].model_copy(update={"videos": 20})
    source = RealMeanVideos(_save(tmp_path / "means.npz", _arrays(24)), 3, preset)
    first, second = ({v.id for v in source.draw(np.random.default_rng(0), start, 10)} for start in (0, 10))
    assert len(first) == len(second) == 10
    assert not first & second


def _without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def _with(name: str, change: Callable[[Any], Any]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: arrays | {name: change(arrays[name])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("labels"), "lacks labels; found ids"),
        (_with("mean_rgb", lambda a: a[:, :1000]), r"mean_rgb has shape \(24, 1000\), expected \(24, 1024\)"),
        (_with("mean_audio", lambda a: a.astype(np.float32)), "mean_audio has type float32, expected uint8"),
        (_with("ids", lambda a: a.astype("U4")), "ids has type <U4, expected byte strings"),
        (_with("label_ptr", lambda a: a[::-1]), "label_ptr does not rise"),
        (_with("labels", lambda a: a + 3862), "labels run from .* expected 0 to 3861"),
        (_with("num_frames", lambda a: a * 0), "num_frames run from 0 to 0, expected 1 to 301"),
        (_with("num_frames", lambda a: a[:5]), r"num_frames has shape \(5,\), expected \(24,\)"),
    ],
)
def test_an_unusable_array_is_named(tmp_path: Path, change: Callable[[Arrays], Arrays], message: str) -> None:
    path = _save(tmp_path / "means.npz", change(_arrays(24)))
    with pytest.raises(DataError, match=message):
        _videos(path, 5)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.npz: no such file"):
        _videos(str(tmp_path / "absent.npz"), 5)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_a_file_of_another_format_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "means.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"means\.npz: cannot be read"):
        _videos(str(path), 5)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "means.npy"
    np.save(path, np.zeros(3))
    with pytest.raises(DataError, match="a single array"):
        _videos(str(path), 5)


def test_more_videos_than_there_are_is_an_error(tmp_path: Path) -> None:
    path = _save(tmp_path / "means.npz", _arrays(24))
    with pytest.raises(DataError, match="has 24 videos, but 25 are requested"):
        _videos(path, 25)
