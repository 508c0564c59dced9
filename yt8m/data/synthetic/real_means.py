"""Synthetic frames around the means of real videos.

The frames of YouTube-8M take 1.5 TB; the means, labels and lengths of the videos take a few megabytes. These are real
here. The variation within a video is synthetic: scenes, which deviate from the video's mean as other real videos do,
and noise from frame to frame, with the standard deviations and autocorrelations of real frames. This variation is
independent of the labels, and the mean of each feature over a video stays within one byte step of the real mean.
Therefore a model learns from these videos as much as from real means, at the computational cost of real frames.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m import storage
from yt8m.data.format import DataSpec
from yt8m.data.synthetic.frames import LEVELS, NoiseBank, scene_of_frames
from yt8m.data.synthetic.mean_matching import ClippingCorrection, clip_to_mean
from yt8m.data.synthetic.presets import Preset
from yt8m.data.synthetic.statistics import FULL_FRAMES, feature_statistics, sample_frame_counts
from yt8m.data.synthetic.video import Frames, Video
from yt8m.errors import DataError

# Number of real means whose deviations serve as visual words, and number of words per video.
_WORDS = 512
_WORDS_PER_VIDEO = 6

# Share of a scene's variance that its word explains; the rest is a random deviation.
_WORD_SHARE = 0.5

_FIT_VIDEOS = 300


@dataclass(frozen=True)
class _Feature:
    """Real means and generator tables of one frame feature.

    Attributes:
        means: Real means in bytes, `(N, D)`.
        words: Visual words, `(words, D)`, unit variance.
        scene_frames: Mean length of a scene in frames.
        scene_sd: Amplitude of scenes.
        noise: Precomputed noise.
        corrections: Correction of the clipping bias at each of `LEVELS`.
    """

    means: NDArray[np.uint8]
    words: NDArray[np.float32]
    scene_frames: float
    scene_sd: float
    noise: NoiseBank
    corrections: list[ClippingCorrection]


class RealMeanVideos:
    """Source of videos with the means, labels and lengths of real videos.

    Args:
        path: Path or URI of an `.npz` with `ids` `(N,)`, the concatenated `labels` of all videos, their row pointers
            `label_ptr` `(N + 1,)`, `num_frames` `(N,)`, and for each feature `mean_NAME` `(N, D)` in bytes.
        seed: Random seed for the selection and order of the videos.
        preset: Number of videos, features, classes and length of the longest video.

    Raises:
        DataError: The file is missing, has another format, or has too few videos.
    """

    def __init__(self, path: str, seed: int, preset: Preset) -> None:
        content = _read(path)
        arrays = _load(content, path, preset.spec)
        total = len(arrays["ids"])
        if preset.videos > total:
            raise DataError(f"{path}: has {total} videos, but {preset.videos} are requested. Request at most {total}.")
        rng = np.random.default_rng([seed, 0])
        digest = hashlib.sha256(content).hexdigest()
        self.origin = {"file": path.rpartition("/")[2], "videos": total, "sha256": digest}
        self._arrays = arrays
        self._order = rng.permutation(total)[: preset.videos]
        self._max_frames = preset.spec.max_frames
        self._features = {name: _make_feature(rng, name, arrays[f"mean_{name}"]) for name in preset.spec.features}

    def draw(self, rng: np.random.Generator, first: int, count: int) -> Iterator[Video]:
        """Generate videos; see `VideoSource`."""
        pointers, labels = self._arrays["label_ptr"], self._arrays["labels"]
        for number in self._order[first : first + count].tolist():
            length = int(self._arrays["num_frames"][number])
            # Videos of 301 frames are left to the readers to truncate, as in YouTube-8M.
            num_frames = length if self._max_frames == FULL_FRAMES else min(length, self._max_frames)
            own = labels[pointers[number] : pointers[number + 1]].tolist()
            write = partial(self._write_frames, rng, number)
            yield Video(bytes(self._arrays["ids"][number]), tuple(sorted(own)), num_frames, write)

    def _write_frames(self, rng: np.random.Generator, number: int, outputs: Frames) -> None:
        level = int(rng.integers(len(LEVELS)))
        for name, frames in outputs.items():
            feature = self._features[name]
            T = len(frames)
            target = feature.means[number]
            scene_of_frame = scene_of_frames(rng, T, feature.scene_frames)
            shares = (np.bincount(scene_of_frame) / T).astype(np.float32)
            scenes = self._scenes(rng, feature, len(shares), level)
            noise = feature.noise.window(rng, level, T)
            sign = 1 if rng.random() < 0.5 else -1
            # Center scenes and noise together, so that only clipping changes the mean.
            scenes -= shares @ scenes + (sign / T) * noise.sum(axis=0, dtype=np.int32)
            scenes += feature.corrections[level](target)
            pixels = np.take(np.rint(scenes).astype(np.int16), scene_of_frame, axis=0)
            (np.add if sign > 0 else np.subtract)(pixels, noise, out=pixels)
            clip_to_mean(pixels, target, frames)

    @staticmethod
    def _scenes(rng: np.random.Generator, feature: _Feature, num_scenes: int, level: int) -> NDArray[np.float32]:
        """Generate the deviations of the scenes from the mean, `(S, D)`."""
        words = rng.integers(len(feature.words), size=_WORDS_PER_VIDEO)
        scenes = feature.words[words[rng.integers(_WORDS_PER_VIDEO, size=num_scenes)]]
        scenes *= np.float32(np.sqrt(_WORD_SHARE))
        scenes += np.float32(np.sqrt(1 - _WORD_SHARE)) * feature.noise.unit_rows(rng, num_scenes)
        scenes *= np.float32(LEVELS[level] * feature.scene_sd)
        return scenes


def _make_feature(rng: np.random.Generator, name: str, means: NDArray[np.uint8]) -> _Feature:
    statistics = feature_statistics(name)
    sample = means[rng.permutation(len(means))[:_WORDS]].astype(np.float32)
    words = (sample - sample.mean(axis=0)) / np.maximum(sample.std(axis=0), 1.0)
    scene_sd = statistics.scene_sd / np.sqrt(1 - _lost_share(rng, statistics.scene_frames))
    noise = NoiseBank(rng, means.shape[1], statistics.noise_sd, FULL_FRAMES + 1)
    frame_sd = float(np.hypot(statistics.scene_sd, statistics.noise_sd))
    corrections = [ClippingCorrection(level * frame_sd) for level in LEVELS]
    return _Feature(means, words, statistics.scene_frames, scene_sd, noise, corrections)


def _lost_share(rng: np.random.Generator, scene_frames: float) -> float:
    """Estimate by simulation the share of the scenes' variance that is lost by centering every video."""
    lost = []
    for num_frames in sample_frame_counts(rng, _FIT_VIDEOS, FULL_FRAMES).tolist():
        shares = np.bincount(scene_of_frames(rng, num_frames, scene_frames)) / num_frames
        own = float(np.sum(shares**2))
        lost.append(own + (1 - own) * _WORD_SHARE / _WORDS_PER_VIDEO)
    return float(np.mean(lost))


def _read(path: str) -> bytes:
    if not storage.exists(path):
        raise DataError(f"{path}: no such file. Give the path of an .npz with the means of real videos.")
    return storage.read_bytes(path)


def _load(content: bytes, path: str, spec: DataSpec) -> dict[str, NDArray[Any]]:
    """Parse the file of means and check its arrays."""
    names = ["ids", "labels", "label_ptr", "num_frames", *(f"mean_{name}" for name in spec.features)]
    try:
        file = np.load(io.BytesIO(content), allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: a single array, expected an .npz with {', '.join(names)}.")
        if absent := [name for name in names if name not in file]:
            raise DataError(f"{path}: lacks {', '.join(absent)}; found {', '.join(file)}.")
        arrays = {name: file[name] for name in names}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as .npz ({error}).") from None
    for problem in _problems(arrays, spec):
        raise DataError(f"{path}: {problem}.")
    return arrays


def _problems(arrays: dict[str, NDArray[Any]], spec: DataSpec) -> Iterator[str]:
    yield from _wrong_shapes(arrays, spec)
    kinds = {"ids": "S", "labels": "iu", "label_ptr": "iu", "num_frames": "iu"}
    for name, array in arrays.items():
        if array.dtype.kind not in kinds[name] if name in kinds else array.dtype != np.uint8:
            wanted = {"S": "byte strings", "iu": "integers"}[kinds[name]] if name in kinds else "uint8"
            yield f"{name} has type {array.dtype}, expected {wanted}"
    yield from _wrong_values(arrays, spec)


def _wrong_shapes(arrays: dict[str, NDArray[Any]], spec: DataSpec) -> Iterator[str]:
    N = arrays["ids"].size
    shapes: dict[str, tuple[int, ...]] = {"ids": (N,), "num_frames": (N,), "label_ptr": (N + 1,)}
    shapes |= {f"mean_{name}": (N, size) for name, size in spec.features.items()}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            yield f"{name} has shape {arrays[name].shape}, expected {shape}"


def _wrong_values(arrays: dict[str, NDArray[Any]], spec: DataSpec) -> Iterator[str]:
    pointers, labels = arrays["label_ptr"].astype(np.int64), arrays["labels"]
    if pointers[0] != 0 or pointers[-1] != labels.size or (np.diff(pointers) < 0).any():
        yield f"label_ptr does not rise from 0 to the number of labels, {labels.size}"
    if labels.size and not 0 <= labels.min() <= labels.max() < spec.num_classes:
        yield f"labels run from {labels.min()} to {labels.max()}, expected 0 to {spec.num_classes - 1}"
    frames = arrays["num_frames"]
    if frames.size and not 1 <= frames.min() <= frames.max() <= FULL_FRAMES + 1:
        yield f"num_frames run from {frames.min()} to {frames.max()}, expected 1 to {FULL_FRAMES + 1}"
