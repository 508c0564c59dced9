"""Models of other runs: entries `from` of a recipe, resolved by the summaries of those runs."""

import copy
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import Field, PositiveInt

from pipelines.recipe.warm_start import StartConfig
from yt8m.config import Config
from yt8m.errors import ConfigError
from yt8m.report.artifacts import ModelArtifacts
from yt8m.report.finished_run import FinishedRun
from yt8m.training.config import Auto
from yt8m.yaml_files import mapping_at


def resolve_imports(raw: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Look up every `from` in a recipe, and fill in the models of that run.

    A family gets the run's candidates, the list of members their names, and the section `imported` what is known of
    each of these models. The section `starts` gets the weights with which trainings start.

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
    starts = {name: imports.start(place, name, entry) for place, name, entry in _starting(resolved)}
    filled_in = {"imported": imports.models, "starts": starts}
    return resolved | {section: models for section, models in filled_in.items() if models}


def _starting(raw: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield place, name and entry of every model that starts with the weights of another one."""
    families, students = mapping_at(raw, "families"), mapping_at(raw, "students")
    models = [
        (f"families.{family}.candidates.{name}", name, mapping_at(candidates, name))
        for family in families
        for candidates in [mapping_at(families, family, "candidates")]
        for name in candidates
    ] + [(f"students.{name}", name, mapping_at(students, name)) for name in students]
    yield from (model for model in models if model[2].get("start_from") is not None)


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
        ensemble_size: Number of candidates whose mean prediction teaches (the paper: 3). `auto` is 3, or all if there
            are fewer.
    """

    ensemble_size: PositiveInt | Auto = "auto"


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
            found |= {"model": model.architecture, "run": run.run, "data": run.spec, **run.holdout}
            other = self.models.setdefault(model.model, found)
            if model.model in own or other["key"] != model.key:
                raise ConfigError(
                    f"{self._source}: {place}: the model '{model.model}' of {run.run} has the name of another model of "
                    "this recipe. List in `names` which models to take from the run, or rename the other one."
                )
        return models

    def start(self, place: str, name: str, model: Mapping[str, Any]) -> dict[str, Any]:
        """Return the weights with which a model starts, as the section `starts` has them.

        Args:
            place: Place of the model in the recipe.
            name: Name of the model.
            model: The model's entry in the recipe, with the key `start_from`.
        """
        where = f"{self._source}: {place}.start_from"
        entry = StartConfig.parse(model["start_from"], where)
        try:
            run = self._read(entry.run)
            found = run.model(entry.name or name)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        return {
            "run": run.run,
            "model": found.model,
            "key": found.key,
            "weights": found.weights,
            "architecture": found.architecture,
            "data": run.spec,
            **run.holdout,
        }
