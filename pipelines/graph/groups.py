"""Groups of nodes: each family or group of teachers, with the students that learn from it.

Students of a family whose models have another architecture form a group of their own. Whoever reads a model of the
family does not have to wait for them.
"""

from collections.abc import Iterable, Iterator

from pipelines.graph.plan import Group, in_order
from pipelines.recipe.schema import Recipe, StudentConfig


class Groups:
    """The groups of a recipe.

    Args:
        recipe: A checked recipe.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def __iter__(self) -> Iterator[Group]:
        """Iterate over families, then groups of teachers, each after the groups whose students teach in it."""
        for name in self._recipe.families:
            students = self.students(name)
            yield Group(
                name,
                f"Family {name}",
                f"The candidates of family {name}, the best of them as teachers{_and_students(students)}.",
            )
            if others := self.students(_taught_by(name)):
                description = f"Students that learn from family {name}: {', '.join(others)}."
                yield Group(_taught_by(name), f"Taught by {name}", description)
        groups = self._recipe.teacher_groups
        needs = {name: self._teachers_of(members) & groups.keys() for name, members in groups.items()}
        for name in in_order(needs):
            if students := self.students(name):
                teachers = ", ".join(groups[name])
                yield Group(name, f"Taught by {name}", f"{teachers} as teachers{_and_students(students)}.")

    def students(self, group: str) -> dict[str, StudentConfig]:
        """Return the students whose nodes are in a group, by name."""
        students = self._recipe.students.items()
        return {name: student for name, student in students if self._group_of(student) == group}

    def _teachers_of(self, members: Iterable[str]) -> set[str]:
        """Return the families and groups that taught the members of a group."""
        students = self._recipe.students
        return {students[member].learn_from for member in members if member in students}

    def _group_of(self, student: StudentConfig) -> str:
        family = self._recipe.families.get(student.learn_from)
        if not family or student.model.architecture in {each.model.architecture for each in family.candidates.values()}:
            return student.learn_from
        return _taught_by(student.learn_from)


def _taught_by(family: str) -> str:
    return f"taught-by-{family}"


def _and_students(students: Iterable[str]) -> str:
    return f", and the students {', '.join(students)}" if students else ""
