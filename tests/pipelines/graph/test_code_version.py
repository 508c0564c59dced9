from pathlib import Path
from unittest import mock

import pytest

from pipelines.graph import code_version
from pipelines.stages import STAGES
from yt8m.models import ARCHITECTURES


@pytest.fixture
def change() -> object:
    """Pretends that a source file is another."""

    def pretend(ending: str) -> object:
        real = Path.read_bytes
        fake = lambda path: real(path) + (b"#" if str(path).endswith(ending) else b"")  # noqa: E731
        return mock.patch.object(Path, "read_bytes", fake)

    return pretend


@pytest.mark.parametrize(
    ("stage", "families", "file", "changes"),
    [
        ("train", {"dbof"}, "yt8m/models/dbof.py", True),
        ("train", {"dbof"}, "yt8m/models/netvlad.py", False),
        ("train", {"dbof"}, "yt8m/layers/net_vlad.py", False),
        ("train", {"dbof"}, "yt8m/losses.py", True),
        ("train", {"dbof"}, "yt8m/storage/__init__.py", True),
        ("train", {"dbof"}, "yt8m/stages/export.py", False),
        ("train", {"dbof"}, "yt8m/ensembling/scores.py", False),
        ("search_weights", set(), "yt8m/ensembling/scores.py", True),
        ("search_weights", set(), "yt8m/models/dbof.py", False),
        ("report", set(), "yt8m/report/templates/headline.j2", True),
        ("train", {"dbof"}, "yt8m/report/templates/headline.j2", False),
        ("train", {"dbof"}, "components/step.py", True),
        *(
            (stage, {"dbof"}, f"yt8m/report/{file}", False)
            for stage in (name for name, entry in STAGES.items() if "page" in entry.outputs)
            for file in ("node_page.py", "page.py", "templates/curves.j2")
        ),
    ],
)
def test_code_that_a_node_runs_changes_its_version_and_other_code_does_not(
    change: object, stage: str, families: set[str], file: str, changes: bool
) -> None:
    before = code_version.code_version(stage, families, ARCHITECTURES)
    with change(file):  # type: ignore[operator]
        after = code_version.code_version(stage, families, ARCHITECTURES)
    assert (before != after) == changes
