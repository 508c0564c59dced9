"""`yt8m logs` for local runs."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.local.folder import lock_root, node_log
from pipelines.runs.state import NodeState, RunState


def run_in(root: Path) -> RunState:
    state = RunState(root, "small", {name: NodeState(title=name) for name in ("prepare", "report")})
    node_log(root, "prepare").parent.mkdir(parents=True)
    state.save()
    return state


def logs(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["logs", str(root), *arguments])


def test_the_log_of_a_node_is_printed(tmp_path: Path) -> None:
    run_in(tmp_path)
    node_log(tmp_path, "prepare").write_text("Reading: 4/4 shards\n")
    for options in ((), ("--follow",)):
        result = logs(tmp_path, "prepare", *options)
        assert (result.exit_code, result.output) == (0, "Reading: 4/4 shards\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("prepair",), "no node 'prepair'. Did you mean 'prepare'?"),
        (("report",), "report: no log, because the node was never executed here; it is waiting."),
        (("report", "--follow"), "report: no log, because the node was never executed here; it is waiting."),
        (("prepare", "--attempt", "1"), "--attempt is for runs in a cluster, but this run is local"),
    ],
)
def test_what_cannot_be_shown_is_an_error(tmp_path: Path, arguments: tuple[str, ...], problem: str) -> None:
    run_in(tmp_path)
    result = logs(tmp_path, *arguments)
    assert result.exit_code == 2
    assert problem in result.output


def test_following_prints_what_is_new_until_the_node_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = run_in(tmp_path)
    log = node_log(tmp_path, "prepare")
    texts = iter(["", "one\n", "one\ntwo\n", "one\ntwo\nthree\n"])

    def go_on(_: float) -> None:
        if text := next(texts):
            log.write_text(text)
        else:
            state.start("prepare", log, 1.0)
        if "three" in text:
            state.end("prepare", "done", {}, 2.0)

    monkeypatch.setattr("pipelines.cli.logs.time.sleep", go_on)
    with lock_root(tmp_path):
        result = logs(tmp_path, "prepare", "--follow")
    assert result.exit_code == 0
    assert result.stdout == "one\ntwo\nthree\n"
    reasons = [line.rpartition(" ")[2] for line in result.stderr.splitlines()]
    assert reasons == ["waiting.", "running."]
