"""What `yt8m init` writes for a hold-out of one group, which cannot be divided, is what `prepare` accepts."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.init import write
from pipelines.init.holdout import explain_indivisible
from pipelines.recipe.schema import Recipe
from tests.support.init_command import init, recipe_of
from tests.support.own_videos import OwnVideos
from tests.support.videos import video_of, write_shard
from yt8m.data.description import DESCRIPTION_NAME, DatasetDescription
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.data.importing.dataset import import_dataset
from yt8m.data.importing.target import ImportConfig
from yt8m.data.partition import Partition
from yt8m.data.tfrecord import inspect_framing
from yt8m.stages.prepare import PrepareConfig, prepare

SPEC = DataSpec(features={"rgb": 4, "audio": 2}, num_classes=3, max_frames=3, layout=RecordLayout(group="group"))
REASON = "its labeled videos are all of one group"


def import_groups(folder: Path, groups: int) -> None:
    # The classes of a video do not depend on its group.
    videos = OwnVideos(20 * groups, groups=groups, labels=lambda number: (f"class {number // groups % 3}",))
    import_dataset(videos, None, ImportConfig(), str(folder))


def partition_of(recipe: Recipe, folder: Path) -> Partition:
    data = recipe.data
    config = PrepareConfig(
        training=data.training,
        validation=data.validation,
        holdout_shards=data.holdout_shards,
        report_share=data.report_share,
        spec=data.resolve_spec(),
    )
    prepare(config=config, output=folder / "partition.json")
    return Partition.load(folder / "partition.json")


@pytest.mark.parametrize(("groups", "part"), [(10, "report"), (4, "hold-out")])
def test_both_recipes_for_few_groups_can_be_prepared(tmp_path: Path, groups: int, part: str) -> None:
    import_groups(tmp_path / "shards", groups)
    result = init(tmp_path / "own", "--data", tmp_path / "shards")
    assert result.exit_code == 0, result.output
    for name in ("first.yaml", "recipe.yaml"):
        assert partition_of(recipe_of(tmp_path / "own", name), tmp_path).division.part == part
        text = " ".join((tmp_path / "own" / name).read_text().replace("#", "").split())
        assert (f"cannot be divided: {REASON} (20 videos looked at)." in text) is (part == "hold-out")
        # A recipe that asks for a division is refused before anything runs.
        options = ["plan", str(tmp_path / "own" / name), "--set", "data.report_share=0.4"]
        planned = CliRunner().invoke(main, options)
        assert planned.exit_code == (2 if part == "hold-out" else 0), planned.output
        assert ("data.report_share: 0.4: the hold-out cannot be divided" in planned.stderr) is (part == "hold-out")
    said = f"cannot be divided into videos that decide and videos that give the figures: {REASON}"
    assert (said in result.stderr) is (part == "hold-out")
    assert ("data.report_share is 0 in first.yaml and recipe.yaml" in result.stderr) is (part == "hold-out")


def test_a_sample_of_one_group_is_not_divided_though_the_whole_hold_out_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    for name, first in (("train0", 0), ("train1", 1000), ("validate0", 2000)):
        # The second group of a shard is at its end, where the sample does not come.
        videos = [video_of(first + n, 1 + n % 3, [n % 3]) for n in range(200)]
        videos = [replace(each, group=b"%s %d" % (name.encode(), n // 150)) for n, each in enumerate(videos)]
        write_shard(tmp_path / "data" / f"{name}.tfrecord", videos)
    DatasetDescription(
        data=SPEC, seed=0, videos={"train": 400, "validate": 200}, shards={"train": 2, "validate": 1}
    ).save(tmp_path / "data" / DESCRIPTION_NAME)
    monkeypatch.setattr(write, "_MOST_VIDEOS", 100)
    assert init(tmp_path / "own", "--data", tmp_path / "data").exit_code == 0
    shares = [recipe_of(tmp_path / "own", name).data.report_share for name in ("first.yaml", "recipe.yaml")]
    assert shares == [0, 0.5]


def test_videos_without_labels_are_no_second_group(tmp_path: Path) -> None:
    def told(groups: str, labeled: str) -> str:
        path = tmp_path / "validate0.tfrecord"
        videos = [
            replace(video_of(n, 2, [n % 3] if label == "x" else []), group=group.encode())
            for n, (group, label) in enumerate(zip(groups, labeled, strict=True))
        ]
        write_shard(path, videos)
        return explain_indivisible({str(path): inspect_framing(path, verify_payloads=False).records}, SPEC)

    assert told("aaab", "xxx ") == f"{REASON} (4 videos looked at)"
    assert told("aaab", "xxxx") == ""
    assert told("aaa", "   ") == ""  # of labels that are missing, others tell
