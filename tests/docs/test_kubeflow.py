"""Commands, options and files that the guide to Kubeflow names."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from pipelines.cli import main
from pipelines.cli.main import COMMANDS
from tests.support.paths import REPOSITORY

GUIDE = (REPOSITORY / "docs" / "kubeflow.md").read_text()
# Environment variables that other programs read, or that the guide itself sets.
OTHERS = {"YT8M_ROOT", "YT8M_STORAGE_DEADLINE"}


def calls() -> Iterator[tuple[str, list[str]]]:
    """Iterate over the guide's calls of our commands: name and arguments."""
    text = GUIDE.replace("\\\n", " ")
    for found in re.finditer(r"(?:\.venv/bin/yt8m|`yt8m) ([a-z]+)([^`\n]*)", text):
        yield found[1], shlex.split(found[2], comments=True)


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found, f"there is no command {name}"
    return found


def options(name: str) -> set[str]:
    return {flag for parameter in command(name).params for flag in parameter.opts}


def test_the_guide_has_all_commands_for_a_cluster() -> None:
    with_host = {name for name in COMMANDS if "--host" in options(name)}
    assert with_host <= {name for name, _ in calls()}


def test_all_options_in_calls_of_our_commands_exist() -> None:
    for name, arguments in calls():
        given = {each.partition("=")[0] for each in arguments if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", each)}
        assert given <= options(name), name


@pytest.mark.parametrize("option", sorted({*re.findall(r"`(--[a-z][a-z-]+)[ `]", GUIDE)}))
def test_all_options_in_the_text_exist(option: str) -> None:
    assert any(option in options(name) for name in COMMANDS)


def test_the_guide_names_each_way_to_connect_with_its_variable() -> None:
    (table,) = re.findall(r"\| option \| variable \| for \|\n(?:\|.*\n)+", GUIDE)
    shared = [each for each in command("status").params if isinstance(each, click.Option) and each.envvar]
    assert len(shared) > 5
    for each in shared:
        assert f"`{each.opts[0]}" in table, each.name
        assert str(each.envvar).removeprefix("YT8M_KFP") in table, each.name


def test_all_variables_of_ours_exist() -> None:
    known = {str(each.envvar) for name in COMMANDS for each in command(name).params if each.envvar}
    assert {*re.findall(r"YT8M_[A-Z_]*[A-Z]", GUIDE)} <= known | OTHERS


def test_all_files_of_the_project_that_the_guide_names_exist() -> None:
    named = {*re.findall(r"(?:manifests|pipelines|\.ci)/[\w./-]*\w", GUIDE)}
    assert len(named) > 10
    assert [path for path in sorted(named) if not (REPOSITORY / path).exists()] == []


def test_all_links_to_sections_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.*)$", GUIDE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert {*re.findall(r"\]\(#([^)]*)\)", GUIDE)} <= anchors
