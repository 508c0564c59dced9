"""Defaults that a recipe's entries inherit from other entries, with the place where each value was written."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from yt8m.config_errors import FieldPath
from yt8m.yaml_files import mapping_at


class ExpandedRecipe:
    """A recipe's plain data with all inherited values filled in.

    Models inherit from the recipe's section `training`, students from the model that their `like` names, and
    everything random from the recipe's `seed`. The search counts as many classes in GAP as the evaluation.

    Args:
        raw: The recipe as read from YAML without grids, of any shape.
        origins: Place where the values at a path of `raw` were written, if it is another.

    Attributes:
        data: The expanded data, as the schema requires it.
    """

    def __init__(self, raw: Mapping[str, Any], origins: Mapping[FieldPath, FieldPath]) -> None:
        self.data: dict[str, Any] = dict(copy.deepcopy(raw))
        self._origins = dict(origins)
        shared = mapping_at({"training": self.data.pop("training", {})}, "training")
        seed = {"seed": self.data["seed"] if isinstance(self.data.get("seed"), int) else 0}
        families = mapping_at(self.data, "families")
        candidates = [path for family in families for path in self._paths("families", family, "candidates")]
        students = list(self._paths("students"))
        # A student with a candidate's name is an error, but must not hide the candidate.
        self._models = {str(path[-1]): path for path in students + candidates}
        for path in students:
            self._inherit_model(path)
        for path in candidates + students:
            self._set_defaults((*path, "training"), shared, ("training",))
            self._set_defaults((*path, "training"), seed, ())
        if isinstance(mapping_at(self.data, "data").get("generate"), dict):
            self._set_defaults(("data", "generate"), seed, ())
        self._set_defaults(("ensemble", "search"), seed, ())

    def origin(self, path: FieldPath) -> FieldPath:
        """Return the place in the recipe where the value at a path of `data` was written."""
        return written_at(path, self._origins)

    def _inherit_model(self, student: FieldPath) -> None:
        """Fill in what a student inherits from the model that it is like, which may itself be like another."""
        chain = [student]
        while (other := self._like(chain[-1])) and other not in chain:
            chain.append(other)
            # Averaging is set per student, but per family for candidates.
            for owner, key in ((other, "model"), (other[:2], "average")):
                values = mapping_at(self.data, *owner)
                self._set_defaults(student, {key: values[key]} if key in values else {}, owner)
            self._set_defaults((*student, "training"), mapping_at(self.data, *other, "training"), (*other, "training"))
        if "model" not in mapping_at(self.data, *student):
            # Either the last model of the chain has no `model`, or its `like` names no model.
            key = "like" if mapping_at(self.data, *chain[-1]).get("like") else "model"
            self._origins[*student, "model"] = (*chain[-1], key)

    def _like(self, path: FieldPath) -> FieldPath | None:
        like = mapping_at(self.data, *path).get("like")
        return self._models.get(like) if isinstance(like, str) else None

    def _set_defaults(self, path: FieldPath, values: Mapping[str, Any], origin: FieldPath) -> None:
        """Add the values, which were written at `origin`, to the mapping at a path unless it has them already."""
        here: Any = self.data
        for part in path:
            if here.get(part) is None:
                here[part] = {}
            here = here[part]
            if not isinstance(here, dict):
                return
        for key, value in values.items():
            if key not in here:
                here[key] = value
                self._origins[*path, key] = self.origin((*origin, key))

    def _paths(self, *path: str) -> Iterator[FieldPath]:
        yield from ((*path, name) for name in mapping_at(self.data, *path))


def written_at(path: FieldPath, origins: Mapping[FieldPath, FieldPath]) -> FieldPath:
    """Return the place where the value at a path was written, which may be the place of a value around it."""
    for length in range(len(path), 0, -1):
        if path[:length] in origins:
            return origins[path[:length]] + path[length:]
    return path
