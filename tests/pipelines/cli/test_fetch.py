"""`yt8m fetch` for local runs."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.runs.state import NodeState, RunState
from tests.support.paths import names_in


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a finished run beside the current one."""
    root, here = tmp_path / "smoke", tmp_path / "here"
    files = {"page": "<html>", "summary": "{}", "exported/saved_model.pb": "graph"}
    for name, content in files.items():
        path = root / "steps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    here.mkdir()
    monkeypatch.chdir(here)
    nodes = {
        "report": {
            "page": str(root / "steps" / "page"),
            "summary": str(root / "steps" / "summary"),
            "record": "r.json",
        },
        "export": {"exported": str(root / "steps" / "exported")},
        "prepare": {},
    }
    RunState(root, "smoke", {name: NodeState(title=name, outputs=outputs) for name, outputs in nodes.items()}).save()
    return root


def fetch(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["fetch", str(root), *arguments])


def test_results_are_copied_with_the_run_s_name(root: Path) -> None:
    for arguments in ((), ("summary",), ("model",)):
        result = fetch(root, *arguments)
        assert result.exit_code == 0, result.output
    here = Path.cwd()
    assert names_in(here) == ["smoke-model", "smoke-report.html", "smoke-summary.json"]
    assert (here / "smoke-report.html").read_text() == "<html>"
    assert (here / "smoke-model" / "saved_model.pb").read_text() == "graph"
    assert fetch(root).exit_code == 2


def test_a_node_s_artifacts_are_copied_into_a_folder(root: Path) -> None:
    assert fetch(root, "export", "--output", "all").exit_code == 0
    assert (Path.cwd() / "all" / "exported" / "saved_model.pb").read_text() == "graph"


@pytest.mark.parametrize(
    ("what", "problem"), [("prepare", "has no artifacts; it is waiting"), ("modle", "Did you mean 'model'?")]
)
def test_what_is_not_there_is_an_error(root: Path, what: str, problem: str) -> None:
    result = fetch(root, what)
    assert result.exit_code == 2
    assert problem in result.output
    assert names_in(Path.cwd()) == []
