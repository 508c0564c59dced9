"""The models of a finished run, which other runs can take."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yt8m import storage
from yt8m.errors import ConfigError, UserError, suggest
from yt8m.report.artifacts import ModelArtifacts
from yt8m.report.summary import Summary

# File that a local run leaves in its root.
SUMMARY_FILE = "summary.json"
# What decides the hold-out of a run.
_HOLDOUT = {"report_share", "seed", "holdout_shards", "patterns", "generated"}


class FinishedRun:
    """A finished run, as its summary describes it.

    Args:
        run: Root of a local run, or URI of the summary that a report left.

    Raises:
        ConfigError: There is no such run, it has not finished, or its summary lists no models.

    Attributes:
        run: The run, as given.
        spec: Features, classes and length of its videos.
        holdout: What decides its hold-out: `report_share`, `seed` and `holdout_shards`, and the `patterns` of its
            shards or how they were `generated`.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        is_folder = not storage.is_remote(run) and Path(run).is_dir()
        uri = str(Path(run).resolve() / SUMMARY_FILE) if is_folder else run
        try:
            if is_folder and not storage.exists(uri):
                raise ConfigError(f"{run}: no {SUMMARY_FILE}, so no run in this folder has finished. Finish it first.")
            if not storage.exists(uri):
                raise ConfigError(
                    f"{run}: no such run. Give the root of a local run, or the URI of the summary that a report left."
                )
            summary = _read(uri)
        except UserError as error:
            raise ConfigError(str(error)) from None
        if not summary.artifacts or not summary.data:
            raise ConfigError(f"{uri}: lists no models. Make the report again with this version of yt8m.")
        self.spec: dict[str, Any] = summary.data.spec
        self.holdout: dict[str, Any] = summary.data.model_dump(include=_HOLDOUT)
        self._models = {model.model: model for model in summary.artifacts}

    def candidates(self, family: str, names: Sequence[str] = ()) -> list[ModelArtifacts]:
        """Return the candidates of a family of the recipe, or those of these names.

        Raises:
            ConfigError: The run has no such family, or the family no such candidate.
        """
        found = {name: model for name, model in self._models.items() if model.group == family}
        if not found:
            families = {model.group for model in self._models.values() if model.group}
            raise ConfigError(f"{self.run}: no family '{family}'. {suggest(family, families)}")
        return self._choose(found, names, f"candidate of family {family}")

    def members(self, names: Sequence[str] = ()) -> list[ModelArtifacts]:
        """Return the models that were quantized for the search, or those of these names.

        Raises:
            ConfigError: The run quantized no models, or a name is not that of such a model.
        """
        found = {name: model for name, model in self._models.items() if model.member}
        if not found:
            raise ConfigError(
                f"{self.run}: no model was quantized, so the run has no members. Take a family of it, or give a run "
                "whose recipe has an ensemble."
            )
        return self._choose(found, names, "member")

    def model(self, name: str) -> ModelArtifacts:
        """Return the model of this name, whatever it is in that run.

        Raises:
            ConfigError: The run has no such model.
        """
        return self._choose(self._models, [name], "model")[0]

    def _choose(self, found: Mapping[str, ModelArtifacts], names: Sequence[str], what: str) -> list[ModelArtifacts]:
        for name in names:
            if name not in found:
                raise ConfigError(f"{self.run}: no {what} '{name}'. {suggest(name, found)}")
        return [found[name] for name in names or found]


def _read(uri: str) -> Summary:
    """Read a summary, but not one of another version: predictions of its models have another format, too."""
    text = storage.read_text(uri)
    try:
        found = json.loads(text).get("format")
    except (ValueError, AttributeError):
        found = None
    current = Summary.model_fields["format"].default
    if isinstance(found, int) and found != current:
        raise ConfigError(
            f"{uri}: written by another version of yt8m (format {found}; this version reads {current}). Run its recipe "
            "again with this version; trainings whose code and data are the same are not repeated."
        )
    return Summary.parse_json(text, uri)
