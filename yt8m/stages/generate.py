"""Makes a data set in YouTube-8M's format."""

import os
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from yt8m import storage
from yt8m.config import Config
from yt8m.data.dataset_description import DatasetDescription
from yt8m.data.synthetic.classes import KINDS
from yt8m.data.synthetic.dataset import start_dataset, write_shards
from yt8m.data.synthetic.presets import PRESETS, Preset
from yt8m.data.synthetic.real import RealVideos
from yt8m.data.synthetic.shards import Shard, plan_shards
from yt8m.data.synthetic.video import MOST_VIDEOS
from yt8m.data.synthetic.world import World
from yt8m.errors import ConfigError
from yt8m.stages.result import StageResult

# Changes when the same configuration would give other bytes.
_FORMAT = 1

# Labels that are left out unless somebody says how many.
_MISSING_SHARE = 0.2


class GenerateConfig(Config):
    """What to generate.

    Attributes:
        preset: Sizes: `smoke`, `demo` or `yt8m` (see `yt8m.data.synthetic.presets`). None: `yt8m` with `means`, else
            `demo`.
        videos: Videos in all; None: the preset's number.
        seed: The same seed gives the same bytes.
        means: An `.npz` of real videos to build frames around (see `yt8m.data.synthetic.real`); None: made-up videos
            (see `yt8m.data.synthetic.world`).
        max_frames: Longest video in frames. Made-up videos are shortened in proportion, real ones are cut.
            None: the preset's.
        missing_share: Share of the labels that are present in a made-up video but not given, in every split; not with
            `means`. None: 0.2.
        validation_share: Part of the videos that goes into validation shards.
        test_share: Part of the videos that goes into shards without labels.
        videos_per_shard: Videos in a training shard; None: the preset's.
        threads: Shards written at a time; None: one per core. Does not change the result.
    """

    preset: Literal["smoke", "demo", "yt8m"] | None = None
    videos: PositiveInt | None = Field(default=None, le=MOST_VIDEOS)
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
            raise ValueError(f"means need preset 'yt8m', whose features and classes they have, not {self.preset!r}")
        if self.means is not None and self.missing_share is not None:
            raise ValueError(
                f"means come with real labels, of which none can be left out (missing_share {self.missing_share})"
            )
        return self

    def resolve(self) -> Preset:
        """The preset with the values that were given instead of its own."""
        preset = PRESETS[self.preset or ("yt8m" if self.means else "demo")]
        spec = preset.spec.model_copy(update={"max_frames": self.max_frames or preset.spec.max_frames})
        changes = {"videos": self.videos, "videos_per_shard": self.videos_per_shard}
        given = {name: value for name, value in changes.items() if value is not None}
        return preset.model_copy(update={"spec": spec, **given})

    def shards(self) -> list[Shard]:
        """The shards that are written."""
        preset = self.resolve()
        return plan_shards(preset, preset.videos, self.validation_share, self.test_share)


def generate(*, config: GenerateConfig, output_uri: str) -> StageResult:
    """Write `train####.tfrecord`, `validate####.tfrecord`, unlabelled `test####.tfrecord` and `dataset.json`.

    The videos have the statistics of YouTube-8M's (`yt8m.data.synthetic.facts`). Made-up ones hold something to find
    for every family of models, and labels that a machine forgot, so that the whole pipeline can be tried and measured
    in minutes, distillation and averaging included (`yt8m.data.synthetic.world`). Those around real means have real
    labels and as much to find as these means (`yt8m.data.synthetic.real`).

    Interrupted, it continues with the shards that are missing or damaged. `dataset.json` says what the data set is:
    features, classes, longest video, seed, and which classes show in which way (`class_kinds`).

    Args:
        config: What to generate.
        output_uri: The folder.

    Returns:
        Numbers of videos and shards; in the details, `dataset.json`.

    Raises:
        ConfigError: There are no videos to train on.
        DataError: The folder holds another data set, or the means cannot be used.
    """
    preset = config.resolve()
    shards = config.shards()
    if not any(shard.name.startswith("train") for shard in shards):
        raise ConfigError(f"videos: {preset.videos} leave none for training. Ask for more, or for smaller shares.")
    missing_share = _MISSING_SHARE if config.missing_share is None else config.missing_share
    source: World | RealVideos
    if config.means is not None:
        source = RealVideos(config.means, config.seed, preset)
    else:
        source = World(config.seed, preset, missing_share)
    description = _describe(config, preset, source, shards, missing_share)
    start_dataset(output_uri, description)
    threads = config.threads or os.cpu_count() or 1
    before = write_shards(output_uri, shards, source=source, spec=preset.spec, seed=config.seed, threads=threads)
    metrics = {"videos": float(preset.videos), "shards": float(len(shards)), "videos_made_before": float(before)}
    return StageResult(metrics, {"dataset": description.model_dump(mode="json"), "folder": output_uri})


def globs(output_uri: str) -> tuple[str, str]:
    """The patterns of the training and of the validation shards."""
    return storage.join(output_uri, "train*.tfrecord"), storage.join(output_uri, "validate*.tfrecord")


def _describe(
    config: GenerateConfig, preset: Preset, source: World | RealVideos, shards: list[Shard], missing_share: float
) -> DatasetDescription:
    classes = source.classes if isinstance(source, World) else None
    splits = ("train", "validate", "test")
    return DatasetDescription(
        format=_FORMAT,
        data=preset.spec,
        seed=config.seed,
        preset=config.preset or ("yt8m" if config.means else "demo"),
        missing_share=missing_share if classes else None,
        means=None if isinstance(source, World) else source.origin,
        videos={name: sum(s.videos for s in shards if s.name.startswith(name)) for name in splits},
        shards={name: sum(s.name.startswith(name) for s in shards) for name in splits},
        class_kinds={kind: tuple(classes.of_kind(kind)) for kind in KINDS} if classes else {},
    )
