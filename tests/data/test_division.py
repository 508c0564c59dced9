import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from pipelines.cli.main import main
from yt8m.data.description import DatasetDescription
from yt8m.data.tfrecord import inspect_framing, read_payloads


@pytest.fixture
def one(tmp_path: Path, shards: SimpleNamespace) -> Path:
    """Write one shard of 40 videos that are sorted by class, with a record that is no video."""
    videos = [shards.video_of(number, labels=[number // 10]) for number in range(40)]
    shards.write(tmp_path / "output.tfrecord", [*videos, b"no video"])
    return tmp_path / "output.tfrecord"


def split(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["data", "split", *map(str, arguments)])


def payloads(path: Path) -> list[bytes]:
    return list(read_payloads(path, 0, inspect_framing(path, verify_payloads=True).records))


def test_the_records_of_one_shard_go_to_all_shards_unchanged(one: Path, tmp_path: Path) -> None:
    result = split(one, "--out", tmp_path / "shards")
    assert result.exit_code == 0, result.output
    assert f'data: {{validation: ["{tmp_path}/shards/*.tfrecord"], holdout_shards: 2}}' in result.stdout
    written = [payloads(path) for path in sorted((tmp_path / "shards").glob("*.tfrecord"))]
    assert Counter(map(len, written)) == {4: 9, 5: 1}
    assert Counter(record for shard in written for record in shard) == Counter(payloads(one))


def test_every_shard_gets_of_every_class(one: Path, tmp_path: Path) -> None:
    from tensorflow.train import SequenceExample  # noqa: PLC0415 - most tests do without

    split(one, "--out", tmp_path / "shards", "--shards", 4)
    for path in (tmp_path / "shards").glob("*.tfrecord"):
        records = [SequenceExample.FromString(each) for each in payloads(path) if each != b"no video"]
        labels = Counter(record.context.feature["labels"].int64_list.value[0] for record in records)
        assert labels.keys() == {0, 1, 2, 3}


def test_the_description_and_its_vocabulary_come_along(one: Path, tmp_path: Path, shards: SimpleNamespace) -> None:
    shards.describe(tmp_path, vocabulary="names.csv")
    (tmp_path / "names.csv").write_text("Index,Name\n0,Game\n")
    assert split(one, "--out", tmp_path / "shards", "--shards", 3).exit_code == 0
    described = DatasetDescription.in_folder(str(tmp_path / "shards"))
    assert described
    assert described.data == shards.spec
    assert (dict(described.videos), dict(described.shards)) == ({"shard": 41}, {"shard": 3})
    assert (tmp_path / "shards" / "names.csv").read_text() == "Index,Name\n0,Game\n"
    assert json.loads((tmp_path / "shards" / "dataset.json").read_text())["vocabulary"] == "names.csv"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--shards", "1"], "--shards: expected 2 to 500, received 1."),
        (["--shards", "42"], "41 videos cannot fill 42 shards. Give --shards 41 or less."),
    ],
)
def test_impossible_divisions_are_refused(one: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    result = split(one, "--out", tmp_path / "shards", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "shards").exists()


def test_damaged_shards_are_refused_and_shards_are_never_replaced(one: Path, tmp_path: Path) -> None:
    result = split(one, "--out", tmp_path)
    assert (result.exit_code, f"--out: {tmp_path} has shards already" in result.stderr) == (2, True)
    one.write_bytes(one.read_bytes()[:-3])
    result = split(one, "--out", tmp_path / "shards")
    assert (result.exit_code, "output.tfrecord: damaged at byte" in result.stderr) == (2, True)
    assert not (tmp_path / "shards").exists()


def test_few_videos_make_as_many_shards(tmp_path: Path, shards: SimpleNamespace) -> None:
    shards.write(tmp_path / "one.tfrecord", [shards.video_of(number) for number in range(3)])
    result = split(tmp_path / "one.tfrecord", "--out", tmp_path / "shards")
    assert (result.exit_code, len(list((tmp_path / "shards").glob("*.tfrecord")))) == (0, 3)
    assert "holdout_shards: 1" in result.stdout


def test_nothing_is_written_if_the_vocabulary_is_missing(one: Path, tmp_path: Path, shards: SimpleNamespace) -> None:
    shards.describe(tmp_path, vocabulary="names.csv")
    result = split(one, "--out", tmp_path / "shards")
    assert (result.exit_code, "names.csv: there is no such file" in result.stderr) == (2, True)
    assert not (tmp_path / "shards").exists()


def test_copies_are_used_once_and_repeated_ids_are_told(one: Path, tmp_path: Path, shards: SimpleNamespace) -> None:
    (tmp_path / "output (1).tfrecord").write_bytes(one.read_bytes())
    (tmp_path / "link.tfrecord").hardlink_to(one)
    shards.write(tmp_path / "more.tfrecord", [shards.video_of(7, labels=[1]), shards.video_of(50, labels=[1])])
    result = split(tmp_path / "*.tfrecord", "--out", tmp_path / "shards")
    assert result.exit_code == 0
    assert "43 videos in 10 shards" in result.stdout
    assert f"{tmp_path}/output (1).tfrecord has the content of {tmp_path}/link.tfrecord" in result.stderr
    assert "1 of 42 videos have the id of another one, for instance '0007' in " in result.stderr
    assert f"and {tmp_path}/more.tfrecord. " in result.stderr


@pytest.mark.parametrize(("inside", "said"), [("", " is a file"), ("x", "output.tfrecord is no folder")])
def test_a_file_in_place_of_the_folder_is_refused_before_anything_is_read(
    one: Path, inside: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yt8m.data.division.inspect_framing", None)
    result = split(one, "--out", one / inside)
    assert (result.exit_code, said in result.stderr) == (2, True)
    generated = CliRunner().invoke(main, ["data", "generate", "--out", str(one / inside), "--preset", "smoke"])
    assert (generated.exit_code, said in generated.stderr) == (2, True)
