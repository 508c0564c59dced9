"""The command says what it made and how to name it to `prepare`."""

from pathlib import Path

from click.testing import CliRunner

from pipelines.cli.data import generate
from yt8m.errors import ConfigError


def test_it_prints_what_was_made_and_the_globs(tmp_path: Path) -> None:
    result = CliRunner().invoke(generate, ["--out", str(tmp_path), "--preset", "smoke", "--videos", "40"])
    assert result.exit_code == 0, result.output
    assert "rgb 32 + audio 8 features, 24 classes, up to 16 frames" in result.output
    assert "train: 30 videos in 4 shards" in result.output
    assert f"training: {tmp_path}/train*.tfrecord" in result.output
    assert f"validation: {tmp_path}/validate*.tfrecord" in result.output


def test_a_complete_data_set_is_said_to_be_so(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--preset", "smoke", "--videos", "40"]
    assert "already complete" not in CliRunner().invoke(generate, arguments).output
    assert "already complete" in CliRunner().invoke(generate, arguments).output
    (tmp_path / "train0001.tfrecord").unlink()
    assert "already complete" not in CliRunner().invoke(generate, arguments).output


def test_unusable_options_are_the_users_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(generate, ["--out", str(tmp_path), "--videos", "0"])
    assert isinstance(result.exception, ConfigError)
    assert "data generate: videos:" in str(result.exception)
