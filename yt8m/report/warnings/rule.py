"""What a rule is: a number, a title, and a function that finds what it warns of in the records of a run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from yt8m.records.record import NodeRecord
from yt8m.report.parts import name_videos
from yt8m.report.run import ModelRun, Run


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        node: Node whose figures show it, and whose settings can change it.
        text: What the figures are, in one or two sentences.
        cause: The likely cause.
        setting: The setting to change, with a value to try if there is one.
    """

    node: str
    text: str
    cause: str
    setting: str


@dataclass(frozen=True)
class Rule:
    """A rule of `docs/warnings.md`.

    Attributes:
        number: Number of the rule, which never changes.
        title: What the rule warns of, in a few words.
        find: Function that yields what the rule finds in a run.
    """

    number: int
    title: str
    find: Callable[[Run], Iterator[Finding]]


def videos_of(record: NodeRecord) -> str:
    """Describe the videos on which a node measured its figures: `1,050 report videos`."""
    return name_videos(record.details.get("part", "hold-out"), record.metrics.get("videos"))


def select_videos_of(record: NodeRecord) -> str:
    """Describe the videos on which everything was decided: `1,050 select videos`."""
    return name_videos("select", record.metrics.get("select_videos"))


def sample_of(model: ModelRun) -> str:
    """Describe the videos on which a model was measured after every epoch: `a sample of the select videos`."""
    part = model.records["train"].details.get("part", "hold-out")
    return f"a sample of the {'select' if part == 'report' else part} videos"


def training_setting(model: ModelRun, key: str) -> Any:
    """Return an entry of a model's training as the step resolved it; None if the record does not say it."""
    resolved = (model.details("train", "settings") or {}).get(key)
    if resolved:
        return resolved["value"]
    train = model.records.get("train")
    return train.config.get("training", {}).get(key) if train else None


def lower_rate(model: ModelRun) -> str:
    """Name a third of a model's learning rate as the setting to try."""
    rate = training_setting(model, "learning_rate")
    return f"`training.learning_rate: {rate / 3:.2g}`" if isinstance(rate, float) else "`training.learning_rate`: lower"
