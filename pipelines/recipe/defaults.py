"""Fills in what entries of a recipe leave to others, and remembers where each value was written."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.recipe.yaml_file import mapping_or_empty
from yt8m.config import FieldPath


class FilledIn:
    """A recipe's plain data in which every value stands where it is used.

    Models have the recipe's `training`, students what they take from the model they are like, and everything a seed.

    Args:
        raw: The recipe as read from YAML, of any shape.

    Attributes:
        data: The recipe as its type wants it.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.data: dict[str, Any] = dict(copy.deepcopy(raw))
        self._origins: dict[FieldPath, FieldPath] = {}
        shared = mapping_or_empty(self.data.pop("training", {}))
        seed = {"seed": self.data["seed"] if isinstance(self.data.get("seed"), int) else 0}
        candidates, students = list(self._candidates()), list(self._named("students"))
        # A student that has a candidate's name, which is refused, does not hide the candidate.
        self._places = {str(place[-1]): place for place in students + candidates}
        for place in students:
            self._take_over(place)
        for place in candidates + students:
            self._give((*place, "training"), shared, ("training",))
            self._give((*place, "training"), seed, ())
        if isinstance(mapping_or_empty(self.data.get("data")).get("generate"), dict):
            self._give(("data", "generate"), seed, ())
        self._give(("ensemble", "search"), seed, ())

    def origin(self, place: FieldPath) -> FieldPath:
        """Where the value at a place of `data` was written."""
        for length in range(len(place), 0, -1):
            if place[:length] in self._origins:
                return self._origins[place[:length]] + place[length:]
        return place

    def _take_over(self, student: FieldPath) -> None:
        """Fill in what a student has from the model it is like, which may itself be like another."""
        chain = [student]
        while (other := self._like(chain[-1])) and other not in chain:
            chain.append(other)
            # A student's average is its own, a candidate's that of its family.
            self._give(student, _only("model", self._at(other)), other)
            self._give(student, _only("average", self._at(other[:2])), other[:2])
            self._give((*student, "training"), mapping_or_empty(self._at(other).get("training")), (*other, "training"))
        if "model" not in self._at(student):
            # Nobody has one: either the last of them lacks it, or that one's `like` leads nowhere.
            key = "like" if self._at(chain[-1]).get("like") else "model"
            self._origins[*student, "model"] = (*chain[-1], key)

    def _like(self, place: FieldPath) -> FieldPath | None:
        like = self._at(place).get("like")
        return self._places.get(like) if isinstance(like, str) else None

    def _give(self, place: FieldPath, values: Mapping[str, Any], origin: FieldPath) -> None:
        """Add those values that the mapping at a place does not have; `origin` is the mapping they come from."""
        here: Any = self.data
        for part in place:
            if here.get(part) is None:
                here[part] = {}
            here = here[part]
            if not isinstance(here, dict):
                return
        for key, value in values.items():
            if key not in here:
                here[key] = value
                self._origins[*place, key] = self.origin((*origin, key))

    def _at(self, place: FieldPath) -> dict[Any, Any]:
        here: Any = self.data
        for part in place:
            here = mapping_or_empty(here).get(part)
        return mapping_or_empty(here)

    def _candidates(self) -> Iterator[FieldPath]:
        for family in self._at(("families",)):
            yield from self._named("families", family, "candidates")

    def _named(self, *place: str) -> Iterator[FieldPath]:
        yield from ((*place, name) for name in self._at(place))


def _only(key: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: values[key]} if key in values else {}
