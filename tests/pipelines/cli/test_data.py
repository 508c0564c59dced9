import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.cli.data import generate
from yt8m.errors import ConfigError


@pytest.fixture
def run():
    def run(*arguments):
        return CliRunner().invoke(main, ["data", "check", *map(str, arguments)])

    return run


SMALL = ("--features", "rgb=4,audio=2", "--classes", "10", "--max-frames", "5")


def test_healthy_shards_are_shown_with_exit_code_0(run, tmp_path, shards):
    shards.write(tmp_path / "a.tfrecord", [shards.video_of(n, labels=[n]) for n in range(3)])
    result = run(tmp_path / "*.tfrecord", *SMALL)

    assert result.exit_code == 0
    assert "Every record of every shard is a usable video." in result.stdout
    assert "7 of 10: 3, 4, 5, 6, 7, 8, 9" in result.stdout


def test_damage_is_shown_with_its_offset_and_exit_code_1(run, tmp_path, shards):
    path = tmp_path / "a.tfrecord"
    shards.write(path, [shards.video_of(0), shards.Video(id=b"[red]"), shards.video_of(2)])
    path.write_bytes(path.read_bytes()[:-1])
    result = run(path, *SMALL)

    assert result.exit_code == 1
    assert f"{path}: damaged at byte" in result.stdout
    assert f"{path}: record 1 (id [red]): no frames" in result.stdout


def test_the_report_can_be_printed_as_json(run, tmp_path, shards):
    shards.write(tmp_path / "a.tfrecord", [shards.video_of(0), shards.Video()])
    result = run(tmp_path / "a.tfrecord", "--json", *SMALL)
    report = json.loads(result.stdout)

    assert result.exit_code == 1
    assert report["videos"] == 1
    assert report["bad_records"][0]["reason"] == "no frames"


def test_the_description_of_a_generated_data_set_determines_what_is_expected(run, tmp_path, shards):
    shards.write(tmp_path / "a.tfrecord", [shards.video_of(0)])
    shards.describe(tmp_path)

    assert run(tmp_path / "a.tfrecord").exit_code == 0
    assert run(tmp_path / "a.tfrecord", "--features", "rgb=3,audio=2").exit_code == 1


@pytest.mark.parametrize("foreign", [b"[]", b"not json", b"\xff", b'{"data": 3}'])
def test_another_file_in_the_place_of_the_description_is_refused(run, tmp_path, shards, foreign):
    shards.write(tmp_path / "a.tfrecord", [shards.video_of(0)])
    (tmp_path / "dataset.json").write_bytes(foreign)

    result = run(tmp_path / "a.tfrecord")
    assert result.exit_code == 2
    assert f"{tmp_path / 'dataset.json'}: not a description of the shards beside it" in result.stderr
    assert "Rename the file" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing*"], "no shard matches 'nothing*'"),
        ([__file__, "--features", "rgb"], "'rgb' is not NAME=SIZE"),
        ([__file__, "--features", "rgb=16,rgb=4"], "'rgb' is given twice, with 16 and 4."),
        ([__file__, "--classes", "0"], "num_classes"),
    ],
)
def test_unusable_arguments_exit_with_2(run, arguments, said):
    result = run(*arguments)

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_folder_is_refused_with_the_pattern_of_its_shards(run, tmp_path):
    result = run(tmp_path)

    assert result.exit_code == 2
    assert f"'{tmp_path}' is a folder. Give its shards: '{tmp_path}/*.tfrecord'" in result.stderr


def test_ids_of_several_videos_fail_the_check(run, tmp_path, shards):
    shards.describe(tmp_path)
    shards.write(tmp_path / "a.tfrecord", [shards.video_of(1), shards.video_of(2)])
    shards.write(tmp_path / "b.tfrecord", [shards.video_of(2), shards.video_of(3)])
    result = run(tmp_path / "*.tfrecord")

    assert result.exit_code == 1
    assert f"0002: {tmp_path}/a.tfrecord, {tmp_path}/b.tfrecord" in result.stdout
    assert "but several videos have the same id (such ids: 1)" in " ".join(result.stdout.split())
    assert run(tmp_path / "a.tfrecord").exit_code == 0


def test_videos_without_labels_are_told(run, tmp_path, shards):
    shards.describe(tmp_path)
    shards.write(tmp_path / "a.tfrecord", [shards.video_of(1, labels=None)])
    result = run(tmp_path / "a.tfrecord")
    assert result.exit_code == 0
    assert "but none has a label: they serve for predictions, not for training" in " ".join(result.stdout.split())


def test_shards_with_brackets_in_their_paths_are_found(run, tmp_path, shards):
    folder = tmp_path / "my videos [final]"
    folder.mkdir()
    shards.write(folder / "Title [dQw4w9WgXcQ].tfrecord", [shards.video_of(5)])
    shards.describe(folder)

    assert run(folder / "Title [dQw4w9WgXcQ].tfrecord").exit_code == 0
    assert run(folder / "*.tfrecord").exit_code == 0


def test_different_data_sets_are_not_checked_together_without_options(run, tmp_path, shards):
    for name, frames in (("one", 5), ("two", 4)):
        (tmp_path / name).mkdir()
        shards.write(tmp_path / name / "a.tfrecord", [shards.video_of(frames)])
        shards.describe(tmp_path / name, data=shards.spec.model_dump() | {"max_frames": frames})
    result = run(tmp_path / "*" / "*.tfrecord")

    assert result.exit_code == 2
    assert f"{tmp_path}/one and {tmp_path}/two hold different data (max_frames 5 and 4)" in result.stderr
    assert run(tmp_path / "*" / "*.tfrecord", "--max-frames", "5").exit_code == 0


def test_generate_prints_sizes_and_glob_patterns(tmp_path: Path) -> None:
    result = CliRunner().invoke(generate, ["--out", str(tmp_path), "--preset", "smoke", "--videos", "40"])
    assert result.exit_code == 0, result.output
    assert "rgb: 32 + audio: 8 values per frame, 24 classes, up to 16 frames" in result.output
    assert "train: 30 videos in 4 shards" in result.output
    assert f"training: {tmp_path}/train*.tfrecord" in result.output
    assert f"validation: {tmp_path}/validate*.tfrecord" in result.output


def test_generate_reports_a_complete_data_set(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--preset", "smoke", "--videos", "40"]
    assert "already complete" not in CliRunner().invoke(generate, arguments).output
    assert "already complete" in CliRunner().invoke(generate, arguments).output
    (tmp_path / "train0001.tfrecord").unlink()
    assert "already complete" not in CliRunner().invoke(generate, arguments).output


def test_unusable_options_of_generate_are_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(generate, ["--out", str(tmp_path), "--videos", "0"])
    assert isinstance(result.exception, ConfigError)
    assert "data generate: videos:" in str(result.exception)


def test_the_check_says_once_what_foreign_records_have_and_reads_them_with_the_options(run, tmp_path, shards):
    videos = [shards.video_of(n, x=6) for n in range(30)]
    for video in videos:
        video.id_name = "clip/key"
    path = shards.write(tmp_path / "a", videos)
    result = run(path)
    assert result.exit_code == 1
    assert result.stdout.count("The records have:") == 1
    options = ["--features", "x=6", "--layout", "id=clip/key"]
    assert f"`yt8m data check` with {' '.join(options)}" in result.stdout
    assert run(path, *options).exit_code == 0
    wrong = run(path, "--layout", "id")
    assert wrong.exit_code == 2
    assert "Invalid value for '--layout': 'id' is not KEY=VALUE" in " ".join(wrong.stderr.split())
    twice = run(path, "--layout", "id=clip/key,id=key")
    assert twice.exit_code == 2
    assert "'id' is given twice, with clip/key and key" in " ".join(twice.stderr.split())


@pytest.mark.parametrize(("labels", "doubtful"), [([[0, 1], [1, 0]], True), ([[0, 1], [1]], False)])
def test_two_classes_for_every_video_are_doubtful(run, tmp_path, shards, labels, doubtful):
    videos = [shards.video_of(n, labels=given) for n, given in enumerate(labels)]
    result = run(shards.write(tmp_path / "a", videos), *SMALL)
    assert result.exit_code == 0
    assert ("label_form=multi_hot" in result.stdout) == doubtful


def test_the_layout_adds_to_that_of_the_description(run, tmp_path, shards):
    described = shards.spec.model_dump() | {"layout": {"id": "key"}}
    shards.describe(tmp_path, data=described)
    video = shards.video_of(1, labels=[0, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    video.id_name = "key"
    path = shards.write(tmp_path / "a.tfrecord", [video])
    assert run(path).exit_code == 1
    assert run(path, "--layout", "label_form=multi_hot").exit_code == 0
    unknown = run(path, "--layout", "ids=key")
    assert unknown.exit_code == 2
    assert "layout.ids" in unknown.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"1,2,3\n", "not a TFRecord file but text, perhaps CSV"),
        (b"a,b", "truncated: 3 bytes left, but a record's header has 12, or not a TFRecord file"),
        (b"\x05\0\0\0\0\0", "truncated: 6 bytes left"),
    ],
)
def test_small_files_are_told_by_their_content(run, tmp_path, content, said):
    (tmp_path / "a.tfrecord").write_bytes(content)
    result = run(tmp_path / "a.tfrecord", *SMALL)
    assert result.exit_code == 1
    assert said in result.stdout
