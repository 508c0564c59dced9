"""`yt8m recipe`: what may stand in a recipe."""

import shutil
import textwrap
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.options import Place
from yt8m.storage import open_atomic

if TYPE_CHECKING:
    from pipelines.recipe.reference import Key, Section

_MAX_WIDTH = 100


@click.group()
def recipe() -> None:
    """Explain what may stand in a recipe, and print its JSON Schema for editors."""


@recipe.command()
@click.argument("key", required=False)
def explain(key: str | None) -> None:
    """Show meaning, type, range and default of KEY, and what the paper used.

    KEY is a path such as training.learning_rate. Names of models and families can be left out:
    families.netvlad.candidates.large.model.num_clusters is the same as model.num_clusters. For a section, its keys are
    listed; without KEY, all sections of a recipe.
    """
    from pipelines.recipe.reference import Reference

    reference = Reference()
    if not key:
        _say("Keys of a recipe. `yt8m recipe explain KEY` explains one; docs/recipes.md has all of them.")
        _list(reference.sections[0])
        return
    found = reference.find(key)  # either keys or sections
    keys: dict[Key, list[Section]] = {}  # forms of a section often have the same key
    for number, (section, each) in enumerate(found):
        if each:
            keys.setdefault(each, []).append(section)
            continue
        click.echo(("\n" if number else "") + click.style(section.place, bold=True))
        _say(section.about.partition("\n\n")[0])
        _list(section)
    for number, (each, sections) in enumerate(keys.items()):
        if number:
            click.echo()
        _show(sections, each)
    inner = [one for each, sections in keys.items() for section in sections for one in reference.within(section, each)]
    # The command for a form without a name of its own explains the key that was asked for.
    asked = {".".join(filter(None, [section.place, each.name])) for section, each in found if each}
    _show_inner({id(each): each for each in inner}.values(), asked)


@recipe.command()
@click.option(
    "-o", "--output", type=Place(written=True, dir_okay=False, path_type=Path), help="File to write.  [default: print]"
)
def schema(output: Path | None) -> None:
    """Print the JSON Schema of recipes, with which editors complete and check them.

    A recipe names the schema in its first line, by a path from the recipe's folder:

    # yaml-language-server: $schema=recipe.schema.json
    """
    from pipelines.recipe.json_schema import schema_text

    text = schema_text()
    if output is None:
        click.echo(text, nl=False)
        return
    with open_atomic(output, "w") as file:
        file.write(text)


def _show(sections: Sequence["Section"], key: "Key") -> None:
    """Print all that is known of a key, which all these sections have."""
    paths = dict.fromkeys(f"{path}.{key.name}".removeprefix(".") for section in sections for path in section.paths)
    variants = [section.variant for section in sections if section.variant]
    first, *others = paths
    click.echo(click.style(first, bold=True) + (f" ({', '.join(variants)})" if variants else ""))
    _say(key.meaning)
    rows = {"Type": key.type, "Default": key.default, "The paper": key.paper, "Also": ", ".join(others)}
    for name, text in rows.items():
        if text:
            _say(f"{name + ':':<11}{text}", hanging=13)


def _show_inner(sections: Collection["Section"], asked: Collection[str]) -> None:
    """Print the keys of a section, or the forms that a section can have."""
    from pipelines.recipe.reference import first_sentence

    if len(sections) == 1:
        (section,) = sections
        if section.keys:
            click.echo("\n  Its keys:")
        else:
            click.echo()
            _say(section.about)
        _list(section)
    elif sections:
        click.echo("\n  Its forms, with their keys or the command that lists these:")
        for each in sections:
            _say(first_sentence(each.about), first=4, hanging=6)
            if each.place in asked:
                _list(each, indent=8)
                click.echo(f"      yt8m recipe explain {each.place}.KEY")
            else:
                click.echo(f"      yt8m recipe explain {each.place}")


def _list(section: "Section", indent: int = 4) -> None:
    """Print the keys of a section, one line each."""
    from pipelines.recipe.reference import first_sentence

    longest = max((len(key.name) for key in section.keys), default=0)
    for key in section.keys:
        line = f"{' ' * indent}{key.name:<{longest}}  {first_sentence(key.meaning)}"
        click.echo(_cut(line))


def _cut(line: str) -> str:
    return line if len(line) <= _width() else line[: _width() - 4].rpartition(" ")[0] + " ..."


def _say(text: str, first: int = 2, hanging: int = 2) -> None:
    click.echo(textwrap.fill(text, _width(), initial_indent=" " * first, subsequent_indent=" " * hanging))


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _MAX_WIDTH)
