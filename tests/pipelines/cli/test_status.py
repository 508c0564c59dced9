import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.local.folder import lock_root
from pipelines.runs.state import NodeState, RunState


def state_of(root: Path) -> RunState:
    nodes = {name: NodeState(title=name, group="dbof") for name in ("train-a", "average-a", "report")}
    state = RunState(root, "small", nodes)
    record = root / "record.json"
    record.write_text('{"metrics": {"gap": 0.71234, "bytes_after": 2500000}, "seconds": 3}')
    state.start("train-a", root / "log", time.time())
    state.end("train-a", "done", {"record": str(record)}, time.time())
    state.start("average-a", root / "log", time.time())
    return state


def rows(root: Path) -> dict[str, list[str]]:
    result = CliRunner().invoke(main, ["status", str(root)])
    assert result.exit_code == 0
    return {line.split()[0]: line.split()[1:] for line in result.output.splitlines() if line.strip()}


def test_nodes_are_shown_with_state_gap_and_size(tmp_path: Path) -> None:
    state_of(tmp_path)
    with lock_root(tmp_path):
        table = rows(tmp_path)
    assert table["train-a"] == ["dbof", "done", "0s", "0.7123", "2.5", "MB"]
    assert table["average-a"][:2] == ["dbof", "running"]
    assert table["report"] == ["dbof", "waiting"]
    assert "running" in table["small:"]


def test_the_table_says_on_which_part_gap_was_computed(tmp_path: Path) -> None:
    state = state_of(tmp_path)
    assert " GAP " in CliRunner().invoke(main, ["status", str(tmp_path)]).output
    record = tmp_path / "record.json"
    record.write_text('{"metrics": {"gap": 0.71234}, "details": {"part": "report"}}')
    state.end("average-a", "done", {"record": str(record)}, time.time())
    assert "GAP (report)" in CliRunner().invoke(main, ["status", str(tmp_path)]).output


def test_a_node_whose_run_was_killed_is_not_running(tmp_path: Path) -> None:
    state_of(tmp_path)
    assert rows(tmp_path)["average-a"][1] == "stopped"


def test_following_ends_with_the_run_and_its_result(tmp_path: Path) -> None:
    state = state_of(tmp_path)
    result = CliRunner().invoke(main, ["status", str(tmp_path), "--follow"])
    assert result.exit_code == 1
    assert "train-a" in result.output
    for name in ("average-a", "report"):
        state.end(name, "done", {}, time.time())
    assert CliRunner().invoke(main, ["status", str(tmp_path), "--follow"]).exit_code == 0


@pytest.mark.parametrize("content", [b"", b'{"pipeline": "small", "nod', b"[]", b'{"pipeline": "small"}', b"\xff\xfe"])
@pytest.mark.parametrize("command", [["status"], ["logs", "report"], ["rerun", "report"]])
def test_a_damaged_state_is_named_with_the_remedy(tmp_path: Path, content: bytes, command: list[str]) -> None:
    (tmp_path / "nodes.json").write_bytes(content)
    result = CliRunner().invoke(main, [command[0], str(tmp_path), *command[1:]])
    assert result.exit_code == 2
    assert f"{tmp_path / 'nodes.json'} is damaged. `yt8m run RECIPE --root {tmp_path}`" in result.output
    assert "nod\n" not in result.output  # not all of the file


@pytest.mark.parametrize("content", ["", "a: [", "components: {}\n"])
def test_a_damaged_pipeline_is_named_with_the_remedy(tmp_path: Path, content: str) -> None:
    state_of(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(content)
    result = CliRunner().invoke(main, ["rerun", str(tmp_path), "report"])
    assert result.exit_code == 2
    assert f"{tmp_path / 'pipeline.yaml'} is damaged. `yt8m run RECIPE --root {tmp_path}`" in result.output
