"""The tutorial: every command of the page, in its order, in a folder of its own."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

PAGE = (REPOSITORY / "docs" / "tutorial.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d[\d,.]*")
# Blocks without a language are not run. The page says of each that it needs something that is not there.
NOT_RUN = ("docker run",)


@dataclass(frozen=True)
class Printed:
    """What the commands of the page printed, together.

    Attributes:
        folder: Folder in which they ran.
        text: The output of all of them.
    """

    folder: Path
    text: str


def blocks() -> Iterator[tuple[str, str]]:
    """Iterate over the blocks of the page: language and text."""
    for found in BLOCK.finditer(PAGE):
        yield found[1], found[2]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    """Run all blocks: scripts are saved under the name in their first line, commands are executed."""
    folder = tmp_path_factory.mktemp("tutorial")
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    text = ""
    for language, block in blocks():
        if language == "python":
            (folder / block.partition("\n")[0].removeprefix("# ")).write_text(block)
        elif language == "sh":
            done = subprocess.run(
                ["bash", "-euc", block], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{block}{done.stdout}{done.stderr}"
            text += done.stdout
    return Printed(folder, text)


def test_all_blocks_are_run_or_say_why_not() -> None:
    assert {language for language, _ in blocks()} == {"python", "sh", "text", ""}
    assert [block.startswith(NOT_RUN) for language, block in blocks() if not language] == [True]


def test_all_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)", BLOCK.sub("", PAGE))
    assert links
    assert [link for link in links if not (REPOSITORY / "docs" / link).exists()] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_commands_print_what_the_page_shows(printed: Printed) -> None:
    lines = {NUMBER.sub("0", line).strip() for line in printed.text.splitlines()}
    shown = [line for language, block in blocks() if language == "text" for line in block.splitlines()]
    missing = [line for line in shown if line.strip() != "..." and NUMBER.sub("0", line).strip() not in lines]
    assert missing == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_model_is_better_than_label_frequencies(printed: Printed) -> None:
    for run in ("first-run", "run"):
        final = json.loads((printed.folder / "own" / run / "summary.json").read_text())["final"]
        assert final["gap"] > final["baseline_gap"] + 0.2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_new_videos_get_the_names_of_their_classes(printed: Printed) -> None:
    rows = rows_of(printed.folder / "new.csv")
    best = {row["VideoId"]: row for row in rows if row["Rank"] == "1"}
    assert sorted(best) == [f"new{number:03}" for number in range(6)]
    names = {row["Name"] for row in rows_of(printed.folder / "shards" / "vocabulary.csv")}
    assert len(names) == 37
    assert {row["Name"] for row in rows} <= names
    # The program with floats and TensorFlow alone predicts the same.
    first, *_ = re.findall(r"^(\w+) [01]\.\d{3}$", printed.text, re.MULTILINE)
    assert first == best["new000"]["Name"]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))
