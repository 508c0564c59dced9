"""The recipes of `yt8m init`: a text with reasons, filled in with what the data set holds."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import gcd
from pathlib import Path
from typing import Any

import jinja2
from rich.filesize import decimal

from pipelines.cost.models import estimate_models
from pipelines.init.duration import describe_time, seconds_on_two_cores, start_seconds
from pipelines.init.scale import KEPT_CLASSES, MOST_GATED_CLASSES, Scale
from pipelines.init.survey import Survey
from pipelines.recipe.json_schema import modeline
from pipelines.recipe.load import check_recipe
from pipelines.recipe.models import MAX_NAME_LENGTH
from pipelines.recipe.reference import in_yaml
from pipelines.recipe.schema import Recipe
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.ensembling.budget import budget_for_all
from yt8m.training.auto.counts import DataCounts
from yt8m.training.auto.rules import DECAYS, resolve_threshold_elements, resolve_training
from yt8m.training.config import TrainingConfig
from yt8m.words import count
from yt8m.yaml_files import parse_yaml

# Budgets of exported models are round numbers, and never more than the challenge's.
_MOST_BYTES = 2**30
_BUDGETS = [*(digit * 10**power for power in range(6, 9) for digit in (1, 2, 5)), _MOST_BYTES]
# Frames per video that models of the first run see in training.
_FIRST_RUN_FRAMES = 32
_NEXTVLAD_GROUPS = 8


@dataclass(frozen=True)
class Draft:
    """A recipe to write.

    Attributes:
        survey: What the data set holds.
        scale: Numbers chosen for it.
        patterns: Patterns of the shards by side.
        holdout_of: Number of shards of which some are held out.
        path: Where the recipe will be, as the user names it.
        first: Whether it is the first run, with few and small models that see fewer frames.
        sampled: Whether the shards are a sample of the data set.
        indivisible: Why the hold-out cannot be divided into videos that decide and videos that give the figures. Empty
            if it can.
    """

    survey: Survey
    scale: Scale
    patterns: Mapping[str, tuple[str, ...]]
    holdout_of: int
    path: Path
    first: bool = False
    sampled: bool = False
    indivisible: str = ""

    @property
    def command(self) -> str:
        """The command that runs the recipe."""
        root = self.path.parent / ("first-run" if self.first else "run")
        return shlex.join(["yt8m", "run", str(self.path), "--root", str(root)])


class WrittenRecipe:
    """The text of a recipe, with the time that it takes.

    Args:
        draft: The recipe to write.

    Attributes:
        draft: The recipe that was written.
        text: The recipe in YAML.
        recipe: The recipe as its file will be read.
        seconds: Estimated seconds on two cores.
        start_seconds: Part of them that does not depend on the number of videos.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        parsed = _load(self._render(budget=_MOST_BYTES, members=0, time=""))
        estimates = estimate_models(parsed)
        sizes = [estimates[name].quantized_bytes for name in parsed.members()]
        members, needed = sum(sizes), budget_for_all([2 * size for size in sizes], "auto")
        budget = next((size for size in _BUDGETS if size >= needed), _MOST_BYTES)
        scale = draft.scale
        self.seconds = seconds_on_two_cores(parsed, estimates, scale.training_videos, scale.holdout_videos)
        self.start_seconds = start_seconds(parsed)
        self.text = self._render(budget=budget, members=members, time=describe_time(self.seconds))
        self.recipe = _load(self.text)

    def _render(self, **figures: Any) -> str:
        return _template().render(**_values(self.draft), **figures)


@cache
def _template() -> jinja2.Template:
    """Return the template of recipes."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"json": _json, "yaml": in_yaml, "number": "{:,}".format, "size": decimal}
    environment.globals["count"] = count
    source = resources.files("pipelines.init").joinpath("recipe.yaml.j2").read_text("utf-8")
    return environment.from_string(source)


def _values(draft: Draft) -> dict[str, Any]:
    """Return what the text of a recipe needs besides its figures."""
    survey, scale, spec = draft.survey, draft.scale, draft.survey.spec
    level = scale.level
    layout = {key: value for key, value in spec.layout.model_dump().items() if value != getattr(RecordLayout(), key)}
    settings = resolve_training(TrainingConfig(), DataCounts.of_videos(scale.training_videos, spec))[1]
    gated = level.second_level and scale.head == "moe" and spec.num_classes <= MOST_GATED_CLASSES
    sampled = draft.first and spec.max_frames > _FIRST_RUN_FRAMES
    return {
        "modeline": modeline(),
        "first": draft.first,
        "sample": draft.sampled,
        "survey": survey,
        "settings": settings,
        "scale": scale,
        "level": level,
        "spec": spec,
        "layout": layout,
        "patterns": draft.patterns,
        "divided": "training" in draft.patterns,
        "holdout_of": draft.holdout_of,
        "indivisible": draft.indivisible,
        "command": draft.command,
        "name": _name(draft.path),
        "features": _describe_features(spec),
        "decays": DECAYS,
        "kept_classes": KEPT_CLASSES,
        "average": "if_better" if level.netvlad else "never",
        "averaging_epochs": 2 if level.second_level else 1,
        "netvlad_head": f"{{kind: {scale.head}{', label_gating: probabilities' if gated else ''}}}",
        "softmax_head": ", head: {kind: softmax}" if scale.head == "softmax" else "",
        "num_sampled": _FIRST_RUN_FRAMES if sampled else None,
        "nextvlad_groups": gcd(_NEXTVLAD_GROUPS, *(2 * size for size in spec.features.values())),
        "threshold": resolve_threshold_elements("auto", spec),
        "most_bytes": _MOST_BYTES,
    }


def _name(path: Path) -> str:
    """Make the name of a recipe from its folder and file."""
    folder = re.sub(r"[^a-z0-9]+", "-", path.absolute().parent.name.lower()).strip("-")
    suffix = "" if path.stem == "recipe" else f"-{path.stem}"
    start = re.sub(r"^[^a-z]+", "", folder)[: MAX_NAME_LENGTH - len(suffix)].strip("-")
    return (start or "own") + suffix


def _describe_features(spec: DataSpec) -> str:
    sizes = " + ".join(f"{name}: {size:,}" for name, size in spec.features.items())
    return f"{sizes} values per {'frame' if spec.max_frames > 1 else 'video'}"


def describe_data(survey: Survey) -> str:
    """Describe videos, features, classes and frames in a line."""
    spec = survey.spec
    about = "" if survey.counted else "about "
    frames = f"up to {spec.max_frames:,} frames" if spec.max_frames > 1 else "one frame (video level)"
    videos, classes = count(survey.videos, "video"), count(spec.num_classes, "class", "classes")
    return f"{about}{videos}; {_describe_features(spec)}, {classes}, {frames}"


def _json(value: Any) -> str:
    """Write a value in YAML's form that is also JSON."""
    return json.dumps(value, ensure_ascii=False)


def _load(text: str) -> Recipe:
    raw = parse_yaml(text, "yt8m init")
    return check_recipe(raw, "yt8m init")
