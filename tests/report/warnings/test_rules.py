"""The rules and their documentation."""

import re

import click

from pipelines.cli import main
from tests.support.paths import REPOSITORY
from tests.support.warned import warned
from yt8m.records.record import NodeRecord
from yt8m.report.page import render_page
from yt8m.report.summarize import build_summary
from yt8m.report.warnings.rules import RULES

PAGE = (REPOSITORY / "docs" / "warnings.md").read_text()


def test_every_rule_is_documented_under_its_number() -> None:
    assert re.findall(r"^## (\d+)\. (.+)$", PAGE, re.MULTILINE) == [(str(rule.number), rule.title) for rule in RULES]


def test_every_rule_has_its_cause_and_setting_in_the_documentation() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    for section in sections:
        for item in ("**Sees:**", "**Threshold:**", "**Likely cause:**", "**Change:**"):
            assert item in section, section


def test_options_of_commands_that_warnings_name_exist() -> None:
    sources = [path.read_text() for path in (REPOSITORY / "yt8m" / "report" / "warnings").glob("*.py")]
    named = re.findall(r"`yt8m ([a-z ]+?) (--[a-z-]+)", "".join([*sources, PAGE]))
    assert ("data import", "--group-column") in named
    for words, option in named:
        command: click.Command | None = main
        for word in words.split():
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word)
        assert command
        assert option in {flag for parameter in command.params for flag in parameter.opts}, (words, option)


def test_the_healthy_run_has_no_warning_but_its_damaged_shard(full_run) -> None:
    assert [(each.rule, each.node) for each in warned(*full_run)] == [(13, "prepare")]


def test_every_warning_is_at_the_head_of_the_page_above_the_figures(full_run) -> None:
    for record in full_run:
        if record["stage"] == "export":
            record["metrics"] |= {"gap": 0.13, "gain_error": 0.01}
    summary = build_summary([NodeRecord(**record) for record in full_run])
    assert [warning.rule for warning in summary.warnings][:1] == [2]
    text = render_page(summary)
    head = text[: text.index('class="tiles"')]
    assert "worthless" in head
    assert "The files are not complete" in head
    for warning in summary.warnings:
        assert f"<code>{warning.node}</code>" in head
