from pathlib import Path

from pipelines.runs.results import publish_results
from pipelines.runs.state import NodeState, RunState


def finished(root: Path, text: str) -> RunState:
    steps = root / "steps"
    (steps / "export" / "variables").mkdir(parents=True, exist_ok=True)
    (steps / "export" / "saved_model.pb").unlink(missing_ok=True)
    (steps / "export" / "saved_model.pb").write_text(text)
    (steps / "html").write_text(text)
    (steps / "summary").write_text("{}")
    nodes = {
        "export": NodeState(title="Export", state="done", outputs={"exported": str(steps / "export")}),
        "report": NodeState(
            title="Report", state="done", outputs={"html": str(steps / "html"), "summary": str(steps / "summary")}
        ),
    }
    return RunState(root, "run", nodes)


def test_the_results_lie_in_the_root_and_are_replaced_by_later_ones(tmp_path: Path) -> None:
    for text in ("first", "second"):
        publish_results(finished(tmp_path, text))
        assert (tmp_path / "report.html").read_text() == text
        assert (tmp_path / "export" / "saved_model.pb").read_text() == text
        assert (tmp_path / "summary.json").read_text() == "{}"
