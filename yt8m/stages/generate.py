"""Stage `generate`: writes a synthetic data set in YouTube-8M's format."""

import os
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from yt8m import storage
from yt8m.config import Config
from yt8m.data.description import DatasetDescription, Generation
from yt8m.data.synthetic.classes import KINDS
from yt8m.data.synthetic.dataset import ShardPlan, plan_shards, start_dataset, write_shards
from yt8m.data.synthetic.presets import PRESETS, Preset
from yt8m.data.synthetic.procedural import ProceduralVideos
from yt8m.data.synthetic.real_means import RealMeanVideos
from yt8m.data.synthetic.video import MAX_VIDEOS
from yt8m.errors import ConfigError
from yt8m.stages.result import StageResult

# Increase when the same configuration would give other bytes.
_VERSION = 1

# Default share of the labels that are withheld.
_MISSING_SHARE = 0.2


class GenerateConfig(Config):
    """Synthetic videos in YouTube-8M's format.

    Attributes:
        preset: Name of a set of sizes: `smoke` for tests, `demo` for minutes of training, `yt8m` as the original. Null
            means `yt8m` with `means`, otherwise `demo`.
        videos: Number of videos in all splits together. Null means the preset's number.
        seed: Seed of the videos; the same seed gives the same bytes. The default is the recipe's `seed`.
        means: Path or URI of an `.npz` of the means, labels and lengths of real videos, around which frames are built;
            `yt8m/data/synthetic/real_means.py` has the format. Null means made-up videos.
        max_frames: Length of the longest video in frames. Made-up videos are shortened in proportion, real ones are
            truncated. Null means the preset's length.
        missing_share: Share of the labels that are withheld from made-up videos, in every split. Null means 0.2. Not
            allowed with `means`, whose labels are real.
        validation_share: Share of the videos in validation shards.
        test_share: Share of the videos in unlabeled test shards.
        videos_per_shard: Number of videos in a training shard. Null means the preset's number.
        threads: Number of shards written in parallel, which does not change the result. Null means one per core.
    """

    preset: Literal["smoke", "demo", "yt8m"] | None = None
    videos: PositiveInt | None = Field(default=None, le=MAX_VIDEOS)
    seed: int = Field(default=0, ge=0)
    means: str | None = None
    max_frames: PositiveInt | None = None
    missing_share: float | None = Field(default=None, ge=0, lt=1)
    validation_share: float = Field(default=0.2, ge=0, le=1)
    test_share: float = Field(default=0.05, ge=0, le=1)
    videos_per_shard: PositiveInt | None = None
    threads: PositiveInt | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "GenerateConfig":
        if self.validation_share + self.test_share > 1:
            raise ValueError(
                f"validation_share {self.validation_share} and test_share {self.test_share} are more than all videos"
            )
        if self.means is not None and self.preset not in (None, "yt8m"):
            raise ValueError(f"means need preset 'yt8m', because they have its features; received {self.preset!r}")
        if self.means is not None and self.missing_share is not None:
            raise ValueError(
                f"means come with real labels, none of which can be withheld; received missing_share "
                f"{self.missing_share}"
            )
        return self

    @property
    def preset_name(self) -> str:
        """Name of the given preset, or of the default one."""
        return self.preset or ("yt8m" if self.means else "demo")

    def resolve(self) -> Preset:
        """Return the preset, overridden by the values of this configuration."""
        preset = PRESETS[self.preset_name]
        spec = preset.spec.model_copy(update={"max_frames": self.max_frames or preset.spec.max_frames})
        changes = {"videos": self.videos, "videos_per_shard": self.videos_per_shard}
        given = {name: value for name, value in changes.items() if value is not None}
        return preset.model_copy(update={"spec": spec, **given})

    def shards(self) -> list[ShardPlan]:
        """Return the plan of every shard of the data set."""
        return plan_shards(self.resolve(), self.validation_share, self.test_share)


def generate(*, config: GenerateConfig, output_uri: str) -> StageResult:
    """Write `train####.tfrecord`, `validate####.tfrecord`, unlabeled `test####.tfrecord` and `dataset.json`.

    All videos follow the statistics of YouTube-8M (`yt8m.data.synthetic.statistics`). Procedural videos contain
    evidence for every model architecture, and some of their labels are withheld, so that the whole pipeline, including
    distillation and averaging, can be tried and measured in minutes (`yt8m.data.synthetic.procedural`). Videos around
    real means have real labels and are as hard to classify as these means (`yt8m.data.synthetic.real_means`).

    An interrupted call can be repeated: it writes only missing and damaged shards. `dataset.json` describes the data
    set: features, classes, longest video, seed, and the kind of evidence of every class (`generation.class_kinds`).

    Args:
        config: Configuration of the data set.
        output_uri: Folder for the shards.

    Returns:
        Metrics `videos`, `shards` and `videos_made_before` (by an interrupted call); details `dataset` (the content of
        `dataset.json`) and `folder`.

    Raises:
        ConfigError: No video is left for training.
        DataError: The folder holds another data set, or the means are unusable.
    """
    preset = config.resolve()
    shards = config.shards()
    if not any(shard.name.startswith("train") for shard in shards):
        raise ConfigError(
            f"videos: {preset.videos} videos leave none for training. Ask for more videos, or for smaller shares."
        )
    missing_share = _MISSING_SHARE if config.missing_share is None else config.missing_share
    source: ProceduralVideos | RealMeanVideos
    if config.means is not None:
        source = RealMeanVideos(config.means, config.seed, preset)
    else:
        source = ProceduralVideos(config.seed, preset, missing_share)
    description = _describe(config, source, shards, missing_share)
    start_dataset(output_uri, description)
    threads = config.threads or os.cpu_count() or 1
    before = write_shards(output_uri, shards, source=source, spec=preset.spec, seed=config.seed, threads=threads)
    metrics = {"videos": float(preset.videos), "shards": float(len(shards)), "videos_made_before": float(before)}
    return StageResult(metrics, {"dataset": description.model_dump(mode="json"), "folder": output_uri})


def globs(output_uri: str) -> tuple[str, str]:
    """Return the glob patterns of the training shards and of the validation shards."""
    return storage.join(output_uri, "train*.tfrecord"), storage.join(output_uri, "validate*.tfrecord")


def _describe(
    config: GenerateConfig, source: ProceduralVideos | RealMeanVideos, shards: list[ShardPlan], missing_share: float
) -> DatasetDescription:
    classes = source.classes if isinstance(source, ProceduralVideos) else None
    splits = ("train", "validate", "test")
    return DatasetDescription(
        data=config.resolve().spec,
        seed=config.seed,
        videos={name: sum(s.videos for s in shards if s.name.startswith(name)) for name in splits},
        shards={name: sum(s.name.startswith(name) for s in shards) for name in splits},
        generation=Generation(
            version=_VERSION,
            preset=config.preset_name,
            missing_share=missing_share if classes else None,
            means=None if isinstance(source, ProceduralVideos) else source.origin,
            class_kinds={kind: tuple(classes.of_kind(kind)) for kind in KINDS} if classes else {},
        ),
    )
