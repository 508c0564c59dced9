"""Procedural videos, with evidence for every model architecture.

A video has a topic, classes that it shows, and labels, which are most of these classes. It is a sequence of scenes. A
scene is the sum of the video's style, a visual word (a fixed vector) and a random deviation; every frame adds noise.
Visual words belong to classes or, in the background, to topics. Audio is generated in the same way, with scenes of
minutes. There are five kinds of classes, by their evidence in the frames:

- mean: scenes with words of the class. The words shift the mean over the video, which a linear model detects; clusters
  of frames show them more clearly (NetVLAD, NeXtVLAD, DBoF).
- rare: a strong word in a few frames, which vanishes in the mean but not in a maximum over frames (DBoF).
- variance: no words. Some features vary more and others less around an unchanged mean (NetFV).
- order: two words in sequence. The mirror class shows the same two words in reverse, so that no pooling over frames can
  separate the two classes, but a sequence model can (RNN).
- cooccurrence: rarely a word, but nearly always present together with a certain other class (gating, mixture of
  experts).

Missing labels are label noise. The soft targets of an ensemble are less noisy, which gives distillation and averaging
something to gain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from yt8m.data.synthetic.classes import Classes, make_classes
from yt8m.data.synthetic.frames import LEVELS, NoiseBank, assign_contents, scene_of_frames
from yt8m.data.synthetic.labels import LabelSampler, VideoLabels
from yt8m.data.synthetic.presets import Preset
from yt8m.data.synthetic.statistics import (
    FULL_FRAMES,
    MEAN_BYTE,
    FeatureStatistics,
    feature_statistics,
    sample_frame_counts,
)
from yt8m.data.synthetic.video import Frames, Video, video_id

# Visual words per class, and background words per topic.
_WORDS = 2
_BACKGROUND_WORDS = 4

# The individual styles of videos lie in a subspace: number of features per dimension of the subspace.
_FEATURES_PER_STYLE = 8

# Share of the variance of words and styles that their topic explains.
_TOPIC_SHARE = 0.3

# Amplitude of a rare word relative to other words, and share of the frames that show it.
_RARE_GAIN = 1.5
_RARE_SHARE = 0.012

# Probability that a cooccurrence class shows a word.
_COOCCURRENCE_WORD_SHARE = 0.2

# Factors on the noise of features in videos of a variance class, in 64ths.
_MORE_NOISE = 88
_LESS_NOISE = 42
_SAME_NOISE = 64

# Upper bound of the factor for several variance classes together: 16-bit products must not overflow.
_MAX_NOISE = 128

_FIT_VIDEOS = 300
_NO_WORD = -1


@dataclass(frozen=True)
class _Feature:
    """Generator tables of one frame feature.

    Attributes:
        scene_frames: Mean length of a scene in frames.
        words: Visual words of classes, then of topics, `(words, D)`, unit variance.
        topic_styles: Style of each topic, `(topics, D)`, unit variance.
        style_basis: Basis of the individual styles of videos, `(dimensions, D)`, scaled so that mixtures with standard
            normal weights have unit variance.
        noise_factors: Factors on the noise in 64ths, `(D,)`, by variance class.
        noise: Precomputed noise.
        scene_sd: Amplitude of scenes.
        style_sd: Amplitude of styles.
    """

    scene_frames: float
    words: NDArray[np.float32]
    topic_styles: NDArray[np.float32]
    style_basis: NDArray[np.float32]
    noise_factors: dict[int, NDArray[np.int16]]
    noise: NoiseBank
    scene_sd: float
    style_sd: float


class ProceduralVideos:
    """Source of procedural videos, as the module's docstring describes them.

    Args:
        seed: Random seed; determines the videos together with the preset.
        preset: Sizes of the data set.
        missing_share: Share of the labels that are missing.
    """

    def __init__(self, seed: int, preset: Preset, missing_share: float) -> None:
        rng = np.random.default_rng([seed, 0])
        self._seed = seed
        self._preset = preset
        self.classes: Classes = make_classes(rng, preset.spec.num_classes)
        self.labels = LabelSampler(rng, self.classes, missing_share)
        self._features = {name: self._make_feature(rng, name, size) for name, size in preset.spec.features.items()}

    def draw(self, rng: np.random.Generator, first: int, count: int) -> Iterator[Video]:
        """Generate videos; see `VideoSource`."""
        lengths = sample_frame_counts(rng, count, self._preset.spec.max_frames)
        for number, labels in enumerate(self.labels.sample(rng, count)):
            write = partial(self._write_frames, rng, labels)
            yield Video(video_id(self._seed, first + number), labels.given, int(lengths[number]), write)

    def _write_frames(self, rng: np.random.Generator, video: VideoLabels, outputs: Frames) -> None:
        level = int(rng.integers(len(LEVELS)))
        for name, frames in outputs.items():
            feature = self._features[name]
            scenes, scene_of_frame = self._scenes(rng, feature, video, len(frames), level)
            noise = feature.noise.window(rng, level, len(frames))
            factors = [feature.noise_factors[label] for label in video.present if label in feature.noise_factors]
            if factors:
                noise = noise * _product(factors) >> 6
            pixels = np.take(scenes, scene_of_frame, axis=0)
            (np.add if rng.random() < 0.5 else np.subtract)(pixels, noise, out=pixels)
            np.clip(pixels, 0, 255, out=pixels)
            frames[:] = pixels

    def _scenes(
        self, rng: np.random.Generator, feature: _Feature, video: VideoLabels, num_frames: int, level: int
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Generate the scenes of a video, `(S, D)`, and the index of the scene of every frame, `(T,)`."""
        scene_of_frame = scene_of_frames(rng, num_frames, feature.scene_frames)
        words = self._words_of_scenes(rng, video, int(scene_of_frame[-1]) + 1)
        gains = np.ones(len(words), np.float32)
        if feature.noise_factors:  # like variance classes, rare classes show in the first feature only
            rare = [label for label in video.present if self.classes.kinds[label] == "rare"]
            words = np.append(words, [_WORDS * label for label in rare]).astype(np.int64)
            gains = np.append(gains, np.full(len(rare), _RARE_GAIN, np.float32))
            self._insert_rare_scenes(rng, scene_of_frame, len(words) - len(rare), len(rare))
        word_share = np.float32(self._preset.word_share)
        scenes = np.sqrt(word_share) * feature.words[words]
        scenes += np.sqrt(1 - word_share) * feature.noise.unit_rows(rng, len(words))
        scenes *= (np.float32(LEVELS[level] * feature.scene_sd) * gains)[:, None]
        own = rng.standard_normal(len(feature.style_basis), dtype=np.float32) @ feature.style_basis
        style = np.sqrt(_TOPIC_SHARE) * feature.topic_styles[video.topic] + np.sqrt(1 - _TOPIC_SHARE) * own
        scenes += np.float32(MEAN_BYTE) + np.float32(feature.style_sd) * style
        return np.rint(scenes).astype(np.int16), scene_of_frame

    def _words_of_scenes(self, rng: np.random.Generator, video: VideoLabels, num_scenes: int) -> NDArray[np.int64]:
        """Choose the word of every scene, `(S,)`: words of the present classes in the right order, and background."""
        contents: list[int] = [_NO_WORD]
        ordered: list[int] = []
        for label in video.present:
            kind = self.classes.kinds[label]
            if kind == "mean" or (kind == "cooccurrence" and rng.random() < _COOCCURRENCE_WORD_SHARE):
                contents.append(_WORDS * label + int(rng.integers(_WORDS)))
            elif kind == "order":
                ordered.append(label)
        first_ordered = len(contents)
        # An order class takes two places. The sequence of its scenes is set below.
        contents += [label for label in ordered for _ in range(_WORDS)]
        contents_of_scenes = assign_contents(rng, num_scenes, len(contents))
        words = np.array(contents)[contents_of_scenes]
        background = _WORDS * self.classes.num_classes + video.topic * _BACKGROUND_WORDS
        words = np.where(contents_of_scenes == 0, background + rng.integers(_BACKGROUND_WORDS, size=num_scenes), words)
        for number, label in enumerate(ordered):
            places = np.flatnonzero((contents_of_scenes - first_ordered) // _WORDS == number)
            pair = min(label, self.classes.mirrored[label])
            half = (len(places) + int(rng.integers(2))) // 2
            reverse = int(label != pair)
            words[places[:half]] = _WORDS * pair + reverse
            words[places[half:]] = _WORDS * pair + 1 - reverse
        return words

    @staticmethod
    def _insert_rare_scenes(
        rng: np.random.Generator, scene_of_frame: NDArray[np.int64], first: int, count: int
    ) -> None:
        """Insert a few single frames of each of `count` rare scenes, whose indices start at `first`."""
        shown = 1 + int(_RARE_SHARE * len(scene_of_frame))
        for number in range(count):
            scene_of_frame[rng.integers(len(scene_of_frame), size=shown)] = first + number

    def _make_feature(self, rng: np.random.Generator, name: str, size: int) -> _Feature:
        statistics, spec, classes = feature_statistics(name), self._preset.spec, self.classes
        scene_frames = max(self._preset.shortest_scene, statistics.scene_frames * spec.max_frames / FULL_FRAMES)
        topics = rng.standard_normal((classes.num_topics, size), dtype=np.float32)
        topic_styles = rng.standard_normal((classes.num_topics, size), dtype=np.float32)
        style_basis = rng.standard_normal((max(1, size // _FEATURES_PER_STYLE), size), dtype=np.float32)
        style_basis /= np.sqrt((style_basis**2).sum(axis=0))
        topic_of_word = np.append(
            np.repeat(classes.topics, _WORDS), np.repeat(np.arange(classes.num_topics), _BACKGROUND_WORDS)
        )
        words = np.float32(np.sqrt(1 - _TOPIC_SHARE)) * rng.standard_normal(
            (len(topic_of_word), size), dtype=np.float32
        )
        words += np.float32(np.sqrt(_TOPIC_SHARE)) * topics[topic_of_word]
        # Only the first feature shows variance classes.
        variance_classes = classes.of_kind("variance") if next(iter(spec.features)) == name else []
        factors = np.array([_MORE_NOISE, _LESS_NOISE, _SAME_NOISE, _SAME_NOISE], np.int16)
        noise_factors = {label: rng.permutation(np.resize(factors, size)) for label in variance_classes}
        noise = NoiseBank(rng, size, statistics.noise_sd, spec.max_frames + 1)
        scene_sd, style_sd = self._amplitudes(rng, statistics, scene_frames)
        return _Feature(scene_frames, words, topic_styles, style_basis, noise_factors, noise, scene_sd, style_sd)

    def _amplitudes(
        self, rng: np.random.Generator, statistics: FeatureStatistics, scene_frames: float
    ) -> tuple[float, float]:
        """Fit the amplitudes of scenes and styles to the standard deviations within and between videos.

        The deviations of scenes do not average out over a video: a share of their variance goes into the video's mean.
        This share depends on how often words are repeated, and is found by simulation.
        """
        between = []
        max_frames = self._preset.spec.max_frames
        for video in self.labels.sample(rng, _FIT_VIDEOS):
            frames = scene_of_frames(rng, round(0.77 * max_frames) or 1, scene_frames)
            words = self._words_of_scenes(rng, video, int(frames[-1]) + 1)
            scene_shares = np.bincount(frames) / len(frames)
            word_shares = np.bincount(words, scene_shares)
            word_share = self._preset.word_share
            between.append(word_share * np.sum(word_shares**2) + (1 - word_share) * np.sum(scene_shares**2))
        share = float(np.mean(between))
        scene_sd = statistics.scene_sd / np.sqrt(max(1 - share, 0.1))
        return float(scene_sd), float(np.sqrt(max(statistics.mean_sd**2 - share * scene_sd**2, 0.0)))


def _product(factors: list[NDArray[np.int16]]) -> NDArray[np.int16]:
    """Multiply the noise factors of several variance classes; factors and product are in 64ths."""
    product = np.prod([factor / _SAME_NOISE for factor in factors], axis=0) * _SAME_NOISE
    limited: NDArray[np.int16] = np.minimum(np.rint(product), _MAX_NOISE).astype(np.int16)
    return limited
