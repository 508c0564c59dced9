"""Videos that are made up, in which there is something to find for every family of models.

A video has a topic, classes that are present, and labels: those of its classes that a machine remembered. It is a
sequence of scenes; a scene shows a visual word (a fixed vector), with something particular to it, upon the video's
own style, and every frame adds noise. Words belong to classes or, in the background, to topics. Sound does the same
with scenes of minutes. The classes differ in how they show:

- mean: scenes with words of the class. Its words move the video's mean, which a linear model sees, but clusters of
  frames show them clearer (NetVLAD, NeXtVLAD, DBoF).
- rare: a strong word in a few frames only, lost in the mean, not in a maximum over frames (DBoF).
- variance: no words. Some features vary more, others less, about an unchanged mean (NetFV).
- order: two words one after the other; the mirrored class shows the same two in reverse. No pooling over frames
  tells them apart, only reading in order (RNN).
- cooccurrence: hardly a word of its own, but nearly always there when another class is (gating, mixtures of experts).

Labels that the machine forgot make the given labels noisy: an ensemble's soft targets know more than they do, which
is what distillation and averaging live on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from yt8m.data.synthetic.classes import Classes, make_classes
from yt8m.data.synthetic.frames import LEVELS, NoiseBank, deal, scene_of_frames
from yt8m.data.synthetic.labels import LabelSampler, VideoLabels
from yt8m.data.synthetic.presets import Preset
from yt8m.data.synthetic.statistics import FULL_FRAMES, MEAN_BYTE, FeatureFacts, feature_facts, sample_frame_counts
from yt8m.data.synthetic.video import Frames, Video, video_id

# Words of a class, and words per topic that tell no class.
_WORDS = 2
_BACKGROUND_WORDS = 4

# A video's own style lies in a space of a few dimensions: features per dimension.
_FEATURES_PER_STYLE = 8

# Part of a word's and of a style's variance that comes from their topic.
_TOPIC_SHARE = 0.3

# A rare word is this much stronger than others, and shows in this part of the frames.
_RARE_GAIN = 1.5
_RARE_SHARE = 0.012

# Chance that a co-occurring class shows a word of its own.
_WEAK_SHARE = 0.2

# Noise of the features that a variance class makes louder or softer, in 64ths.
_LOUDER = 88
_SOFTER = 42
_SAME = 64

# Several variance classes make no feature louder than that: 16-bit products must not overflow.
_LOUDEST = 128

_FIT_VIDEOS = 300
_NO_WORD = -1


@dataclass(frozen=True)
class _Feature:
    """Everything about one feature: facts, tables and amplitudes.

    Attributes:
        facts: Standard deviations and length of scenes.
        scene_frames: Mean length of a scene in frames of this data set.
        words: Words of classes, then of topics, `(words, D)`, unit variance.
        styles: A style per topic, `(topics, D)`, unit variance.
        own_styles: What the videos' own styles are mixed of, `(dimensions, D)`; mixtures have unit variance.
        loudness: Noise of each variance class in 64ths, by class, `(D,)` each.
        bank: Noise.
        scene_sd: Amplitude of scenes.
        style_sd: Amplitude of styles.
    """

    facts: FeatureFacts
    scene_frames: float
    words: NDArray[np.float32]
    styles: NDArray[np.float32]
    own_styles: NDArray[np.float32]
    loudness: dict[int, NDArray[np.int16]]
    bank: NoiseBank
    scene_sd: float
    style_sd: float


class ProceduralVideos:
    """Draws labels and frames of made-up videos; the module's text says what is in them.

    Args:
        seed: Two worlds of the same seed and preset are equal.
        preset: Sizes.
        missing_share: Share of the labels that are forgotten.
    """

    def __init__(self, seed: int, preset: Preset, missing_share: float) -> None:
        rng = np.random.default_rng([seed, 0])
        self._seed = seed
        self._preset = preset
        self.classes: Classes = make_classes(rng, preset.spec.num_classes)
        self.labels = LabelSampler(rng, self.classes, missing_share)
        self._features = {name: self._make_feature(rng, name, size) for name, size in preset.spec.features.items()}

    def draw(self, rng: np.random.Generator, first: int, count: int) -> Iterator[Video]:
        """Draw videos; see `VideoSource`."""
        lengths = sample_frame_counts(rng, count, self._preset.spec.max_frames)
        for number, labels in enumerate(self.labels.sample(rng, count)):
            write = partial(self._write_frames, rng, labels)
            yield Video(video_id(self._seed, first + number), labels.given, int(lengths[number]), write)

    def _write_frames(self, rng: np.random.Generator, video: VideoLabels, outputs: Frames) -> None:
        level = int(rng.integers(len(LEVELS)))
        for name, frames in outputs.items():
            feature = self._features[name]
            scenes, scene_of_frame = self._scenes(rng, feature, video, len(frames), level)
            noise = feature.bank.window(rng, level, len(frames))
            loudness = [feature.loudness[label] for label in video.present if label in feature.loudness]
            if loudness:
                noise = noise * _together(loudness) >> 6
            pixels = np.take(scenes, scene_of_frame, axis=0)
            (np.add if rng.random() < 0.5 else np.subtract)(pixels, noise, out=pixels)
            np.clip(pixels, 0, 255, out=pixels)
            frames[:] = pixels

    def _scenes(
        self, rng: np.random.Generator, feature: _Feature, video: VideoLabels, num_frames: int, level: int
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """What each scene looks like `(S, D)`, and the scene of every frame `(T,)`."""
        scene_of_frame = scene_of_frames(rng, num_frames, feature.scene_frames)
        words = self._words_of_scenes(rng, video, int(scene_of_frame[-1]) + 1)
        gains = np.ones(len(words), np.float32)
        if feature.loudness:  # what classes show apart from plain words is seen, not heard
            rare = [label for label in video.present if self.classes.kinds[label] == "rare"]
            words = np.append(words, [_WORDS * label for label in rare]).astype(np.int64)
            gains = np.append(gains, np.full(len(rare), _RARE_GAIN, np.float32))
            self._show_rare(rng, scene_of_frame, len(words) - len(rare), len(rare))
        word_share = np.float32(self._preset.word_share)
        scenes = np.sqrt(word_share) * feature.words[words]
        scenes += np.sqrt(1 - word_share) * feature.bank.unit_rows(rng, len(words))
        scenes *= (np.float32(LEVELS[level] * feature.scene_sd) * gains)[:, None]
        own = rng.standard_normal(len(feature.own_styles), dtype=np.float32) @ feature.own_styles
        style = np.sqrt(_TOPIC_SHARE) * feature.styles[video.topic] + np.sqrt(1 - _TOPIC_SHARE) * own
        scenes += np.float32(MEAN_BYTE) + np.float32(feature.style_sd) * style
        return np.rint(scenes).astype(np.int16), scene_of_frame

    def _words_of_scenes(self, rng: np.random.Generator, video: VideoLabels, num_scenes: int) -> NDArray[np.int64]:
        """The word of every scene, `(S,)`: those of the present classes, in the order these ask for, and background."""
        contents: list[int] = [_NO_WORD]
        ordered: list[int] = []
        for label in video.present:
            kind = self.classes.kinds[label]
            if kind == "mean" or (kind == "cooccurrence" and rng.random() < _WEAK_SHARE):
                contents.append(_WORDS * label + int(rng.integers(_WORDS)))
            elif kind == "order":
                ordered.append(label)
        first_ordered = len(contents)
        # An order class takes two places; which scenes come first is settled below.
        contents += [label for label in ordered for _ in range(_WORDS)]
        dealt = deal(rng, num_scenes, len(contents))
        words = np.array(contents)[dealt]
        background = _WORDS * self.classes.num_classes + video.topic * _BACKGROUND_WORDS
        words = np.where(dealt == 0, background + rng.integers(_BACKGROUND_WORDS, size=num_scenes), words)
        for number, label in enumerate(ordered):
            places = np.flatnonzero((dealt - first_ordered) // _WORDS == number)
            pair = min(label, self.classes.mirrored[label])
            half = (len(places) + int(rng.integers(2))) // 2
            backwards = int(label != pair)
            words[places[:half]] = _WORDS * pair + backwards
            words[places[half:]] = _WORDS * pair + 1 - backwards
        return words

    @staticmethod
    def _show_rare(rng: np.random.Generator, scene_of_frame: NDArray[np.int64], first: int, count: int) -> None:
        """Put a few single frames of each rare scene (`first`, `first + 1`, ...) into the video."""
        shown = 1 + int(_RARE_SHARE * len(scene_of_frame))
        for number in range(count):
            scene_of_frame[rng.integers(len(scene_of_frame), size=shown)] = first + number

    def _make_feature(self, rng: np.random.Generator, name: str, size: int) -> _Feature:
        facts, spec, classes = feature_facts(name), self._preset.spec, self.classes
        scene_frames = max(self._preset.shortest_scene, facts.scene_frames * spec.max_frames / FULL_FRAMES)
        topics = rng.standard_normal((classes.num_topics, size), dtype=np.float32)
        styles = rng.standard_normal((classes.num_topics, size), dtype=np.float32)
        own_styles = rng.standard_normal((max(1, size // _FEATURES_PER_STYLE), size), dtype=np.float32)
        own_styles /= np.sqrt((own_styles**2).sum(axis=0))
        topic_of_word = np.append(
            np.repeat(classes.topics, _WORDS), np.repeat(np.arange(classes.num_topics), _BACKGROUND_WORDS)
        )
        words = np.float32(np.sqrt(1 - _TOPIC_SHARE)) * rng.standard_normal(
            (len(topic_of_word), size), dtype=np.float32
        )
        words += np.float32(np.sqrt(_TOPIC_SHARE)) * topics[topic_of_word]
        seen = next(iter(spec.features)) == name
        loudness = {
            label: rng.permutation(np.resize(np.array([_LOUDER, _SOFTER, _SAME, _SAME], np.int16), size))
            for label in (classes.of_kind("variance") if seen else [])
        }
        bank = NoiseBank(rng, size, facts.noise_sd, spec.max_frames + 1)
        scene_sd, style_sd = self._amplitudes(rng, facts, scene_frames)
        return _Feature(facts, scene_frames, words, styles, own_styles, loudness, bank, scene_sd, style_sd)

    def _amplitudes(self, rng: np.random.Generator, facts: FeatureFacts, scene_frames: float) -> tuple[float, float]:
        """Amplitudes of scenes and styles that give the wanted deviations within and between videos.

        A scene's deviation does not average out over a video: its share `between` adds to the video's mean. It is
        found by simulation, since it depends on how often words come again.
        """
        between = []
        most_frames = self._preset.spec.max_frames
        for video in self.labels.sample(rng, _FIT_VIDEOS):
            frames = scene_of_frames(rng, round(0.77 * most_frames) or 1, scene_frames)
            words = self._words_of_scenes(rng, video, int(frames[-1]) + 1)
            scene_shares = np.bincount(frames) / len(frames)
            word_shares = np.bincount(words, scene_shares)
            word_share = self._preset.word_share
            between.append(word_share * np.sum(word_shares**2) + (1 - word_share) * np.sum(scene_shares**2))
        share = float(np.mean(between))
        scene_sd = facts.scene_sd / np.sqrt(max(1 - share, 0.1))
        return float(scene_sd), float(np.sqrt(max(facts.mean_sd**2 - share * scene_sd**2, 0.0)))


def _together(loudness: list[NDArray[np.int16]]) -> NDArray[np.int16]:
    """What several variance classes make of the noise together, in 64ths."""
    product = np.prod([factor / _SAME for factor in loudness], axis=0) * _SAME
    together: NDArray[np.int16] = np.minimum(np.rint(product), _LOUDEST).astype(np.int16)
    return together
