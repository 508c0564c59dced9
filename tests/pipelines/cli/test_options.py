from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.runs.state import STATE_FILE


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run recipe.yaml --root", ("'--root': it is empty", "'--root': expected a path on this machine")),
        ("init --data shards --", ("it is empty", "expected a path on this machine, received the URI")),
        ("evaluate --model model --input x --predictions", ("it is empty", "expected a path on this machine")),
        ("compile recipe.yaml --output", ("it is empty", "expected a path on this machine")),
        ("status", ("RUN: it is empty", "not a run on this machine")),
        ("prune", ("RUN: it is empty", "not the folder of a run on this machine")),
        ("predict --model model --input x --output", ("it is empty", "")),
        ("data import x.npy --out", ("it is empty", "")),
        ("data import x.npy --out out --labels", ("it is empty", "")),
        ("data split x --out", ("it is empty", "")),
        ("data generate --preset smoke --out", ("it is empty", "")),
    ],
)
def test_places_that_are_empty_or_not_on_this_machine_are_refused_at_once(tmp_path, monkeypatch, command, said):
    monkeypatch.chdir(tmp_path)
    # The folder of an earlier run that was taken for a path.
    for folder in (Path(), Path("s3://b [1]/x")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STATE_FILE).touch()
    before = sorted(tmp_path.rglob("*"))
    for place, reason in zip(("", "s3://b [1]/x"), said, strict=True):
        if reason:
            done = CliRunner().invoke(main, [*command.split(), place])
            assert done.exit_code == 2, done.output
            assert reason in " ".join(done.output.split())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("data split x --out", "--out"),
        ("data generate --preset smoke --out", "--out"),
        ("recipe schema --output", "--output"),
        ("init --data x --", "DIR"),
    ],
)
def test_places_where_nothing_can_be_written_are_refused_at_once(tmp_path, monkeypatch, command, option):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").touch()
    for place, reason in (("~/file/x", f"{tmp_path}/file is no folder"), ("/proc/x", "/proc takes no new files")):
        done = CliRunner().invoke(main, [*command.split(), place])
        assert done.exit_code == 2, done.output
        told = " ".join(done.output.split())
        assert option in told
        assert reason in told
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
