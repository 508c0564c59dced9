"""Groups of nodes: each family or group of teachers, with the students that learn from it.

Students of a family whose models have another architecture form a group of their own, so that readers of the family's
models do not have to wait for them.
"""

from collections.abc import Iterable, Iterator, Mapping

from pipelines.graph.plan import Group, in_order
from pipelines.recipe.models import StudentConfig
from pipelines.recipe.schema import Recipe


def students_by_group(recipe: Recipe) -> dict[str, dict[str, StudentConfig]]:
    """Return the students whose nodes are in each group, by name of the group and of the student."""
    groups: dict[str, dict[str, StudentConfig]] = {}
    for name, student in recipe.students.items():
        family = recipe.families.get(student.learn_from)
        architectures = {each.model.architecture for each in family.candidates.values()} if family else set()
        is_alike = not family or student.model.architecture in architectures
        group = student.learn_from if is_alike else _taught_by(student.learn_from)
        groups.setdefault(group, {})[name] = student
    return groups


def make_groups(recipe: Recipe) -> Iterator[Group]:
    """Make the groups of families, then those of teachers, each after the groups whose students teach in it.

    Kubeflow's user interface cuts their titles after 16 characters: `netvlad`, `By netvlad` for those it taught.
    """
    students = students_by_group(recipe)
    for name in recipe.families:
        description = f"The candidates of family {name}, the best of them as teachers{_and_students(students, name)}."
        yield Group(name, name, description)
        if others := students.get(_taught_by(name)):
            description = f"Students that learn from family {name}: {', '.join(others)}."
            yield Group(_taught_by(name), f"By {name}", description)
    groups = recipe.teacher_groups
    learn_from = {name: student.learn_from for name, student in recipe.students.items()}
    teachers = {name: {learn_from[each] for each in members if each in learn_from} for name, members in groups.items()}
    for name in in_order({name: each & groups.keys() for name, each in teachers.items()}):
        description = f"{', '.join(groups[name])} as teachers{_and_students(students, name)}."
        yield Group(name, f"By {name}", description)


def _taught_by(family: str) -> str:
    return f"taught-by-{family}"


def _and_students(students: Mapping[str, Iterable[str]], group: str) -> str:
    return f", and the students {', '.join(students[group])}" if group in students else ""
