"""`yt8m data import`: what it tells, its options, what it refuses, and what a stopped import leaves."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.support.imported import read_dataset
from tests.support.paths import REPOSITORY, names_in
from yt8m.data.description import DatasetDescription
from yt8m.data.reading import read_videos


def _run(*arguments: Any):
    return CliRunner().invoke(main, ["data", "import", *map(str, arguments)])


def _clip_folder(folder: Path, count: int = 30, size: int = 4) -> None:
    folder.mkdir()
    for number in range(count):
        np.save(folder / f"clip{number:04}.npy", np.random.default_rng(number).normal(size=(2, size)))


def _labels_of(path: Path, count: int = 30, name: Callable[[int], str] = lambda number: f"class{number % 3}") -> None:
    path.write_text("id,labels\n" + "".join(f"clip{number:04},{name(number)}\n" for number in range(count)))


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder of small videos and the file of their labels."""
    _clip_folder(tmp_path / "clips")
    _labels_of(tmp_path / "labels.csv")
    return tmp_path / "clips", tmp_path / "labels.csv"


def test_the_command_tells_what_it_wrote_and_how_to_go_on(clips, tmp_path: Path) -> None:
    arguments = (f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "my $out")
    dry = _run(*arguments, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert names_in(tmp_path) == ["clips", "labels.csv"]
    real = _run(*arguments)
    told = dry.stdout.partition("dry run: nothing was written")[0]
    assert real.stdout.startswith(told)
    for said in (
        "videos 30",
        "frames per video 2 to 2, mean 2.0",
        "4 values in bytes from",
        "of the values are outside and clipped",
        "classes 3",
        "videos without labels 0",
        "labels without a video 0",
        "train 24 videos (80.0%) in 4 shards",
        "size about ",
    ):
        assert said in re.sub(" +", " ", told)
    commands = [shlex.split(line) for line in real.stdout.splitlines() if line.startswith("yt8m ")]
    assert commands == [
        ["yt8m", "data", "check", f"{tmp_path}/my $out/*.tfrecord"],
        ["yt8m", "init", "EXPERIMENT", "--data", f"{tmp_path}/my $out/*.tfrecord"],
    ]
    assert "spec: {features: {rgb: 4}, num_classes: 3, max_frames: 2, ranges: {rgb: [" in real.stdout
    again = _run(*arguments)
    assert "already complete: nothing was written" in again.stdout
    other = _run(*arguments, "--seed", "1")
    assert other.exit_code == 2
    assert "holds another data set: seed 0 instead of 1" in other.stderr


def test_groups_may_be_in_the_file_of_labels(clips, tmp_path: Path) -> None:
    rows = "".join(f"clip{n:04},class{n % 3},part|{n % 10},{n}\n" for n in range(30))
    clips[1].write_text("name,class,source,frames\n" + rows)
    options = ("--id-column", "name", "--labels-column", "class", "--group-column", "source")
    result = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert re.search("groups +10, each on one side", result.stdout)
    sides: dict[int, set[str]] = {}
    for video, (side, labels, _) in read_dataset(tmp_path / "out").items():
        number = int(video.removeprefix("clip"))
        assert labels == [f"class{number % 3}"]
        sides.setdefault(number % 10, set()).add(side)
    assert all(len(each) == 1 for each in sides.values())
    assert "report_share" not in result.stdout
    clips[1].write_text(re.sub(r"part\|(\d)", lambda part: f"part|{int(part[1]) % 4}", clips[1].read_text()))
    few = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "few", *options)
    assert "videos for validation are of one group" in few.stdout
    assert "\n  report_share: 0\n" in few.stdout  # in the section of the recipe
    misspelled = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "two", *options[:-1], "sources")
    assert misspelled.exit_code == 2
    assert "sources" in misspelled.stderr


@pytest.mark.parametrize("in_labels", [True, False])
def test_weights_of_videos_are_in_the_records_and_the_description(clips, tmp_path: Path, in_labels: bool) -> None:
    weights = {f"clip{n:04}": n / 4 for n in range(1, 30)}
    rows = "".join(f"clip{n:04},class{n % 3},{weights.get(f'clip{n:04}', '')}\n" for n in range(30))
    clips[1].write_text("id,labels,trust\n" + rows)
    places = [f"rgb={clips[0]}", "--labels", clips[1]]
    if not in_labels:
        places = [tmp_path / "all.csv"]
        lines = (f"{line},{number},1\n" for number, line in enumerate(rows.splitlines()))
        places[0].write_text("id,labels,trust,f0,f1\n" + "".join(lines))
    result = _run(*places, "--out", tmp_path / "out", "--weight-column", "trust")
    assert result.exit_code == 0, result.output
    assert re.search("weights +in the records", result.stdout)
    spec = DatasetDescription.in_folder(str(tmp_path / "out")).data
    assert spec.layout.weight == "weight"
    shards = [str(path) for path in (tmp_path / "out").glob("*.tfrecord")]
    batches = list(read_videos(shards, spec, batch_size=8, on_bad="fail").as_numpy_iterator())
    pairs = [pair for batch in batches for pair in zip(batch["ids"], batch["weights"], strict=True)]
    found = {video.decode(): weight for video, weight in pairs}
    assert found == {"clip0000": 1.0} | weights


def test_quantized_bytes_stay_as_they_are(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (20, 3, 4)).astype(np.uint8)
    np.save(tmp_path / "all.npy", levels)
    _labels = "".join(f"{number},{number % 2 + 1}\n" for number in range(20))
    (tmp_path / "labels.csv").write_text("id,labels\n" + _labels)
    options = ("--labels", tmp_path / "labels.csv", "--uint8", "quantized", "--out", tmp_path / "out")
    result = _run(f"rgb={tmp_path / 'all.npy'}", *options)
    assert result.exit_code == 0, result.output
    assert DatasetDescription.in_folder(str(tmp_path / "out")).data.range_of("rgb") == (-2, 2)
    expected = levels * (4 / 255) + 4 / 512 - 2
    for video, (_, labels, frames) in read_dataset(tmp_path / "out").items():
        assert frames == pytest.approx(expected[int(video)], abs=1e-5)
        assert labels == [str(int(video) % 2 + 1)]


def test_new_videos_are_imported_like_others(clips, tmp_path: Path) -> None:
    assert _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "out").exit_code == 0
    _clip_folder(tmp_path / "new", count=3)
    result = _run(f"rgb={tmp_path / 'new'}", "--like", tmp_path / "out", "--out", tmp_path / "out2")
    assert result.exit_code == 0, result.output
    one, two = (DatasetDescription.in_folder(str(tmp_path / name)) for name in ("out", "out2"))
    assert two.videos == {"test": 3}
    assert one.data == two.data
    assert "yt8m predict --model MODEL" in result.stdout
    assert "3 videos (100.0%) in 1 shard\n" in result.stdout


def test_ranges_shares_and_length_can_be_given(clips, tmp_path: Path) -> None:
    options = ("--range", "rgb=-1,1.5", "--split", "train=0.5,validate=0.5", "--max-frames", "1", "--classes", "9")
    result = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    description = DatasetDescription.in_folder(str(tmp_path / "out"))
    assert description.data.range_of("rgb") == (-1, 1.5)
    assert description.videos == {"train": 15, "validate": 15}
    assert (description.data.max_frames, description.data.num_classes) == (1, 9)
    assert "6 of them without a video" in result.stdout


def _put_nan(clips: Path) -> None:
    np.save(clips / "clip0011.npy", np.array([[0, 1, 2, 3], [0, np.nan, 2, 3]]))


def _put_other_size(clips: Path) -> None:
    np.save(clips / "clip0011.npy", np.zeros((2, 5)))


def _put_duplicate(clips: Path) -> None:
    (clips / "sub").mkdir()
    np.save(clips / "sub" / "clip0011.npy", np.zeros((2, 4)))


def _put_unknown_label(clips: Path) -> None:
    _labels_of(clips.parent / "labels.csv", name=lambda number: "clas1" if number == 11 else f"class{number % 3}")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_put_nan, "clip0011.npy"),
        (_put_other_size, "clip0011.npy"),
        (_put_duplicate, "clip0011"),
        (_put_unknown_label, "labels.csv: row 12"),
    ],
)
def test_unusable_videos_are_refused_and_nothing_is_left(clips, tmp_path: Path, spoil, said: str) -> None:
    spoil(clips[0])
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,class0\n1,class1\n2,class2\n")
    names = names_in(tmp_path)
    sources = [f"rgb={clips[0]}/**/*.npy"]
    result = _run(
        *sources, "--labels", clips[1], "--vocabulary", tmp_path / "vocabulary.csv", "--out", tmp_path / "out"
    )
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert names_in(tmp_path) == names


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--split", "train:0.8"], "'train:0.8' is not NAME=SHARE"),
        (["--split", "train=0.8"], "add up to 1"),
        (["--split", "train=0.5,train=0.5,validate=0.5"], "'train' is given twice, with 0.5 and 0.5"),
        (["--range", "rgb"], "'rgb' is not NAME=LOW,HIGH"),
        (["--range", "rgb=2,-2"], "expected [lowest, highest]"),
        (["--range", "audio=-2,2"], "no feature 'audio'"),
        (["--range", "rgb=-2,2", "--range", "rgb=0,1"], "'rgb' is given twice, with (-2.0, 2.0) and (0.0, 1.0)"),
        (["--classes", "2"], "expected classes from 0 to 1"),
        (["--like", "nowhere"], "--like: nowhere has no dataset.json"),
        (["--range", "rgb=0,100000"], "--range: rgb: 100.0% of the values become one or two of the 256 bytes"),
        (["--range", "rgb=50,60"], "--range: rgb: 100.0% of the values are outside the range, 50 to 60"),
        (["--id-column", "name"], "--id-column: no array 'name'"),
        (["--labels-column", "name"], "no column 'name'"),
        (["--group-column", "grup"], "labels.csv has none of this name, either, but: id, labels"),
        (["--weight-column", "weigt"], "labels.csv has none of this name, either, but: id, labels"),
        (["--weight-column", "labels"], "labels.csv: row 1: weight: expected a number that is at least 0, received"),
    ],
)
def test_unusable_options_are_refused(clips, tmp_path: Path, options: list[str], said: str) -> None:
    result = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "out", *options)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_of_too_many_classes_is_refused(clips, tmp_path: Path) -> None:
    vocabulary = tmp_path / "sparse.csv"
    vocabulary.write_text("Index,Name\n65536,class0\n")
    result = _run(f"rgb={clips[0]}", "--labels", clips[1], "--vocabulary", vocabulary, "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert f"--vocabulary: {vocabulary} has a class 65536, but there may be 65536 classes" in result.stderr


def test_labels_of_other_videos_are_refused(clips, tmp_path: Path) -> None:
    clips[1].write_text("id,labels\na.npy,x\nb.npy,y\n")
    result = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "none of its 2 ids is the id of a video" in result.stderr
    assert "first id is 'a.npy', and the first of 30 videos is 'clip0000'" in result.stderr


def test_space_around_ids_of_labels_does_not_count(clips, tmp_path: Path) -> None:
    clips[1].write_text("id,labels\n" + "".join(f'" clip{number:04} ",x{number % 2}\n' for number in range(30)))
    result = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "videos without labels 0" in re.sub(" +", " ", result.stdout)


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("clip,tag,source", "clip{0:04},x,y", '--id-column "clip" --labels-column "tag"'),
        ("clip,labels,source", "clip{0:04},x,y", 'Name the columns, for instance --id-column "clip". '),
        ("id,cat,dog,bird", "clip{0:04},1,0,0", "a column of zeros and ones for every class: cat, dog, bird"),
        ("id,labels", "clip{0:04},", "expected labels, received only empty ones for 30 videos"),
    ],
)
def test_columns_of_labels_that_are_not_found_are_named(clips, tmp_path: Path, header, row: str, said: str) -> None:
    clips[1].write_text(header + "\n" + "".join(row.format(number) + "\n" for number in range(30)))
    result = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert said in result.stderr


def test_a_wrong_column_of_ids_is_refused_with_labels_in_json(clips, tmp_path: Path) -> None:
    rows = [{"id": f"clip{number:04}", "labels": [f"x{number % 2}"]} for number in range(30)]
    (tmp_path / "labels.json").write_text(json.dumps(rows))
    arguments = (f"rgb={clips[0]}", "--labels", tmp_path / "labels.json", "--out", tmp_path / "out")
    wrong = _run(*arguments, "--id-column", "name")
    assert wrong.exit_code == 2, wrong.output
    assert "--id-column: no array 'name'" in wrong.stderr
    assert _run(*arguments, "--id-column", "id").exit_code == 0


def _table(folder: Path, count: int = 60, **columns: Any) -> Path:
    values = np.random.default_rng(0).normal(size=(count, 4)).tolist()
    base = {"id": [f"v{number}" for number in range(count)], "rgb": values}
    pa.parquet.write_table(pa.table(base | columns), folder / "videos.parquet")
    return folder / "videos.parquet"


def test_a_column_of_booleans_is_refused_with_its_readings(tmp_path: Path) -> None:
    path = _table(tmp_path, labels=[number % 3 == 0 for number in range(60)])
    result = _run(path, "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert "True can be read in several ways. Say --label-form numbers if" in result.stderr
    for form, classes, unlabeled in (("numbers", 2, 0), ("names", 2, 0), ("multi_hot", 1, 40)):
        done = _run(path, "--out", tmp_path / form, "--label-form", form)
        assert done.exit_code == 0, done.output
        assert f"classes {classes}\nvideos without labels {unlabeled}" in re.sub(
            "\n +", "\n", re.sub(" +", " ", done.stdout)
        )


def test_what_may_spoil_the_training_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _table(tmp_path, labels=["only"] * 60, title=["t"] * 60, seconds=[1.5] * 60, flat=[[2.5]] * 60)
    result = _run(path, "--range", "rgb=0,2", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert re.search(r"Warning: rgb: \d\d\.\d% of the values are outside 0 to 2", result.stdout)
    assert "Warning: All labeled videos have the same class" in result.stdout
    assert "Warning: flat: all values of all videos are 2.5" in result.stdout
    assert "columns that are not used: title, seconds" in caplog.text
    few = _run(_table(tmp_path, labels=[f"c{n // 2}" for n in range(60)]), "--out", tmp_path / "few")
    assert re.search(r"Warning: \d\d of 30 classes have no video for validation\.", few.stdout)
    assert "for training" not in few.stdout


def test_an_output_folder_that_cannot_be_made_is_refused(clips, tmp_path: Path) -> None:
    result = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", clips[1] / "out")
    assert result.exit_code == 2, result.output
    assert f"--out: {clips[1]}/out cannot be made: {clips[1]} is no folder" in result.stderr


def test_numbers_of_frames_are_those_after_the_cut(clips, tmp_path: Path) -> None:
    result = _run(f"rgb={clips[0]}", "--out", tmp_path / "out", "--max-frames", "1")
    assert "frames per video 1 to 1, mean 1.0; 30 videos cut after 1" in re.sub(" +", " ", result.stdout)


def test_a_terminated_import_leaves_nothing(clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def terminate(*_: Any) -> None:
        assert list(tmp_path.glob(".out.*"))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("yt8m.data.importing.shard_files.write_record", terminate)
    result = _run(f"rgb={clips[0]}", "--labels", clips[1], "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert names_in(tmp_path) == ["clips", "labels.csv"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow  # starts processes and writes a few thousand videos
def test_a_killed_import_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "all.npy", rng.normal(size=(3000, 20, 64)).astype(np.float32))
    (tmp_path / "labels.csv").write_text("id,labels\n" + "".join(f"{number},{number % 5}\n" for number in range(3000)))
    out = tmp_path / "to" / "out"
    out.parent.mkdir()
    arguments = ["data", "import", f"rgb={tmp_path / 'all.npy'}", "--labels", str(tmp_path / "labels.csv"), "--out"]
    command = [sys.executable, "-m", "pipelines", *arguments, str(out)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.parent.glob("**/*.tfrecord")):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    assert list(out.parent.glob(".*/*.tfrecord"))
    assert not list(out.parent.glob("**/dataset.json"))
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert names_in(out.parent) == ["out"]
    assert sum(DatasetDescription.in_folder(str(out)).videos.values()) == 3000
    assert CliRunner().invoke(main, ["data", "check", str(out / "*.tfrecord")]).exit_code == 0


_MEASURE = """
import sys
from click.testing import CliRunner
from benchmarks.support.measuring import peak_bytes
from pipelines.cli.data import data
assert CliRunner().invoke(data, sys.argv[1:]).exit_code == 0
print(peak_bytes())
"""


@pytest.mark.slow  # imports many thousands of videos
def test_memory_grows_by_at_most_200_bytes_a_video(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        ids = [f"video-{number:08}" for number in range(count)]
        values = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
        table = {"id": ids} | {f"rgb_{column}": values[:, column] for column in range(4)}
        pa.parquet.write_table(pa.table(table), tmp_path / f"{count}.parquet", row_group_size=2000)
        labels = [f"{video},class {n % 40}|class {n % 7}\n" for n, video in enumerate(ids)]
        (tmp_path / f"{count}.csv").write_text("id,labels\n" + "".join(labels))
        arguments = [
            tmp_path / f"{count}.parquet",
            "--labels",
            tmp_path / f"{count}.csv",
            "--out",
            tmp_path / f"{count}",
        ]
        command = [sys.executable, "-c", _MEASURE, "import", *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        return int(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)

    few, many = peak(50_000), peak(150_000)
    assert (many - few) / 100_000 <= 200
