"""Models of other runs: entries `from` of a recipe's families and members, resolved by the summaries of those runs."""

import copy
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from pydantic import Field, PositiveInt

from pipelines.recipe.schema import FamilyConfig
from yt8m.config import Config
from yt8m.errors import ConfigError
from yt8m.report.artifacts import ModelArtifacts
from yt8m.report.finished_run import FinishedRun
from yt8m.yaml_files import mapping_at


def resolve_imports(raw: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Replace every `from` in a recipe by the models of that run.

    A family gets the run's candidates, the list of members their names, and the section `imported` what is known of
    each of these models.

    Args:
        raw: The recipe as read from YAML, of any shape.
        source: Origin of the recipe, with which error messages begin.

    Raises:
        ConfigError: There is no such run, it has not finished, it has no such model, or a name is already in use.
    """
    resolved = copy.deepcopy(dict(raw))
    families, ensemble = mapping_at(resolved, "families"), mapping_at(resolved, "ensemble")
    imports = _Imports(source)
    for name in families:
        if "from" in (written := mapping_at(families, name)):
            size = {"ensemble_size": written.pop("ensemble_size")} if "ensemble_size" in written else {}
            models = imports.take(f"families.{name}", written, family=name)
            candidates = {each.model: {"model": each.architecture, "training": each.training} for each in models}
            families[name] = {"average": models[0].average, "candidates": candidates, **size}
    members = ensemble.get("members")
    entries = [members] if isinstance(members, dict) else members
    if isinstance(entries, list):
        own = {model for name in families for model in mapping_at(families, name, "candidates")}
        own = own - imports.models.keys() | mapping_at(resolved, "students").keys()
        ensemble["members"] = []
        for index, entry in enumerate(entries):
            if isinstance(entry, dict):
                models = imports.take(f"ensemble.members[{index}]", entry, own=own)
                ensemble["members"] += [each.model for each in models]
            else:
                ensemble["members"].append(entry)
    return {**resolved, "imported": imports.models} if imports.models else resolved


class ModelImport(Config):
    """Trained models of another run, as members of the ensemble.

    Attributes:
        run: The other run: the root of a local run, or the path or URI of its `summary.json`.
        names: Names of the models to take. Empty means all members of that run.
    """

    run: str = Field(alias="from")
    names: tuple[str, ...] = ()


class FamilyImport(ModelImport):
    """The trained candidates of another run's family of the same name, in place of a family.

    Attributes:
        run: The other run: the root of a local run, or the path or URI of its `summary.json`.
        names: Names of the candidates to take. Empty means all.
        ensemble_size: Number of candidates whose mean prediction teaches (the paper: 3).
    """

    ensemble_size: PositiveInt = FamilyConfig.model_fields["ensemble_size"].default


class _Imports:
    def __init__(self, source: str) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self._source = source
        self._read = cache(FinishedRun)

    def take(
        self, place: str, written: Mapping[str, Any], *, family: str = "", own: Collection[str] = ()
    ) -> list[ModelArtifacts]:
        """Return the models that an entry of the recipe means, and add them to `models`.

        Args:
            place: Place of the entry in the recipe.
            written: The entry.
            family: The family whose candidates to take. Empty means the members of the run.
            own: Names of the models that this recipe trains.
        """
        entry = ModelImport.parse(written, f"{self._source}: {place}")
        try:
            run = self._read(entry.run)
            models = run.candidates(family, entry.names) if family else run.members(entry.names)
        except ConfigError as error:
            raise ConfigError(f"{self._source}: {place}: {error}") from None
        for model in models:
            found = model.model_dump(mode="json", exclude={"model", "group", "average", "architecture"})
            found |= {"model": model.architecture, "run": run.run, "data": run.spec}
            other = self.models.setdefault(model.model, found)
            if model.model in own or other["key"] != model.key:
                raise ConfigError(
                    f"{self._source}: {place}: the model '{model.model}' of {run.run} has the name of another model of "
                    "this recipe. List in `names` which models to take from the run, or rename the other one."
                )
        return models
