from pathlib import Path

import numpy as np
import pytest

from tests.support.changed_files import append, changed_file
from yt8m.data.partition import Partition
from yt8m.data.reading import read_videos
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest
from yt8m.data.soft_targets import SoftTargetShards
from yt8m.ensembling.files import Combination, TeacherSelection
from yt8m.errors import ConfigError, DataError
from yt8m.models.files import load_model
from yt8m.stages.soft_targets import SoftTargetsConfig, soft_targets

from .conftest import train_small

CONFIG = SoftTargetsConfig(batch_size=4)


@pytest.fixture(scope="module")
def other(tmp_path_factory, small_partition) -> Path:
    return train_small(tmp_path_factory.mktemp("other"), small_partition, seed=8)


def run(partition, models, folder, name="all", config=CONFIG, **more):
    output = folder / f"{name}.json"
    result = soft_targets(
        partition=partition,
        models=models,
        selection=more.pop("selection", None),
        config=config,
        output_uri=str(folder / "sidecars"),
        output=output,
        **more,
    )
    return result, SoftTargetManifest.load(output)


def opened(partition, folder, *names):
    paths = [folder / f"{name}.json" for name in names]
    return SoftTargetShards.open(paths, Partition.load(partition)).manifest


def contents(manifest):
    return [Path(uri).read_bytes() for _, uri in sorted(manifest.sidecars.items())]


def test_soft_targets_are_the_mean_of_the_teachers(small_partition, trained, other, tmp_path):
    result, manifest = run(small_partition, {"one": trained, "two": other}, tmp_path)
    partition = Partition.load(small_partition)
    assert manifest.teachers == ("one", "two")
    assert manifest.videos == result.metrics["videos"] == 18
    assert result.metrics["written_shards"] == 3
    videos = read_videos(
        partition.training_uris, partition.spec, batch_size=100, soft_targets=SoftTargetShards(manifest)
    )
    batch = next(videos.as_numpy_iterator())
    inputs = {"frames": batch["frames"], "num_frames": batch["num_frames"]}
    mean = sum(np.asarray(load_model(folder).model(inputs, training=False)) for folder in (trained, other)) / 2
    np.testing.assert_allclose(batch["soft_targets"], mean, rtol=1e-3)


def test_several_workers_write_the_same_files_as_one(small_partition, trained, tmp_path):
    _, alone = run(small_partition, {"one": trained}, tmp_path / "alone")
    parts = [
        run(small_partition, {"one": trained}, tmp_path / "many", str(worker), worker=worker, workers=2)
        for worker in range(2)
    ]
    assert [result.metrics["shards"] for result, _ in parts] == [2, 1]
    joined = opened(small_partition, tmp_path / "many", "0", "1")
    assert joined == opened(small_partition, tmp_path / "many", "1", "0")
    assert contents(joined) == contents(alone)
    assert joined.model_copy(update={"sidecars": {}}) == alone.model_copy(update={"sidecars": {}})


def test_a_single_part_is_refused_as_incomplete(small_partition, trained, tmp_path):
    run(small_partition, {"one": trained}, tmp_path, "0", worker=0, workers=2)
    with pytest.raises(DataError, match=r"0\.json: no soft targets for .*train1\.tfrecord \(such shards: 1\)"):
        opened(small_partition, tmp_path, "0")


def test_a_part_given_twice_is_refused(small_partition, trained, tmp_path):
    run(small_partition, {"one": trained}, tmp_path)
    with pytest.raises(DataError, match=r"all\.json: another part has soft targets for .*train0\.tfrecord as well"):
        opened(small_partition, tmp_path, "all", "all")


def test_parts_by_other_teachers_are_not_joined(small_partition, trained, other, tmp_path):
    for worker, teacher in enumerate((trained, other)):
        run(small_partition, {"one": teacher}, tmp_path, str(worker), worker=worker, workers=2)
    said = (
        rf"1\.json: its teachers, encoding or data \(\w{{12}}, {tmp_path}/sidecars/\w+\) differ from those of .*0\.json"
    )
    with pytest.raises(DataError, match=said):
        opened(small_partition, tmp_path, "0", "1")


def test_complete_sidecars_are_not_written_again(small_partition, trained, tmp_path):
    _, manifest = run(small_partition, {"one": trained}, tmp_path)
    before = contents(manifest)
    kept, removed, _ = (Path(uri) for uri in manifest.sidecars.values())
    stamp = kept.stat().st_mtime_ns
    removed.unlink()
    result, again = run(small_partition, {"one": trained}, tmp_path)
    assert result.metrics["written_shards"] == 1
    assert again == manifest
    assert contents(again) == before
    assert kept.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("records", [1, 0.5, 0], ids=["fewer records", "cut off", "no record"])
def test_a_damaged_sidecar_is_replaced_and_logged(small_partition, trained, tmp_path, caplog, records):
    _, manifest = run(small_partition, {"one": trained}, tmp_path)
    before = contents(manifest)
    damaged = Path(manifest.sidecars[Partition.load(small_partition).training_uris[1]])
    content, header_bytes = damaged.read_bytes(), 64 + 16
    record_bytes = (len(content) - header_bytes) // 6
    damaged.write_bytes(content[: header_bytes + int(records * record_bytes)])
    result, again = run(small_partition, {"one": trained}, tmp_path)
    assert result.metrics["written_shards"] == 1
    assert contents(again) == before
    assert f"{damaged}: " in caplog.text


def test_a_sidecar_of_other_teachers_is_replaced(small_partition, trained, other, tmp_path):
    manifests = [run(small_partition, {"one": teacher}, tmp_path)[1] for teacher in (trained, other)]
    before = contents(manifests[0])
    mine, foreign = (Path(next(iter(manifest.sidecars.values()))) for manifest in manifests)
    mine.write_bytes(foreign.read_bytes())
    result, again = run(small_partition, {"one": trained}, tmp_path)
    assert result.metrics["written_shards"] == 1
    assert contents(again) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:-1], "damaged at byte"),
        (lambda content: content[: 64 + 16], "0 soft targets for 6 videos"),
    ],
)
def test_a_damaged_or_incomplete_sidecar_of_a_part_is_named(small_partition, trained, tmp_path, change, said):
    parts = [run(small_partition, {"one": trained}, tmp_path, str(n), worker=n, workers=2)[1] for n in range(2)]
    joined = opened(small_partition, tmp_path, "0", "1")
    joined.check_sidecars(Partition.load(small_partition))
    (sidecar,) = (Path(uri) for uri in parts[1].sidecars.values())
    sidecar.write_bytes(change(sidecar.read_bytes()))
    with pytest.raises(DataError, match=rf"^{sidecar}: {said}.* Rerun the node that wrote it"):
        joined.check_sidecars(Partition.load(small_partition))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("yt8m/models/dbof.py", True),
        ("yt8m/layers/dbof.py", True),
        ("yt8m/top_classes.py", True),
        ("yt8m/training/teachers.py", True),
        ("yt8m/models/netvlad.py", False),
        ("yt8m/metrics.py", False),
        ("yt8m/training/holdout.py", False),
        ("yt8m/training/loop.py", False),
    ],
)
def test_changed_code_of_the_teachers_makes_other_sidecars_and_changed_measuring_does_not(
    small_partition, trained, tmp_path, file, changes
):
    _, before = run(small_partition, {"one": trained}, tmp_path)
    with changed_file(file, append("\nchanged = 1\n")):
        result, after = run(small_partition, {"one": trained}, tmp_path)
    assert result.metrics["written_shards"] == (3 if changes else 0)
    assert (after != before) == changes


@pytest.mark.slow
def test_other_teachers_or_encodings_do_not_mix(small_partition, trained, other, tmp_path):
    top = SoftTargetsConfig(batch_size=4, encoding=SoftTargetEncoding(top_k=3))
    manifests = [
        run(small_partition, {"one": trained}, tmp_path)[1],
        run(small_partition, {"one": other}, tmp_path)[1],
        run(small_partition, {"one": trained}, tmp_path, config=top)[1],
    ]
    assert len({uri for manifest in manifests for uri in manifest.sidecars.values()}) == 9
    assert len({manifest.recipe_hash for manifest in manifests}) == 3


def test_the_selection_chooses_the_teachers(small_partition, trained, other, tmp_path):
    combination = Combination(members=("two",), gap=0.5, gap_select=0.5)
    selection = TeacherSelection(chosen=("two",), gap=0.5, gap_select=0.5, combinations=(combination,))
    selection.save(tmp_path / "selection.json")
    models = {"one": trained, "two": other}
    result, manifest = run(small_partition, models, tmp_path, selection=tmp_path / "selection.json")
    assert manifest.teachers == ("two",)
    assert result.details == {"teachers": ["two"]}
    with pytest.raises(ConfigError, match="no model is named 'two'"):
        run(small_partition, {"one": trained}, tmp_path, selection=tmp_path / "selection.json")


def test_a_worker_out_of_range_is_an_error(small_partition, trained, tmp_path):
    with pytest.raises(ConfigError, match="expected 0 to 1, received 2"):
        run(small_partition, {"one": trained}, tmp_path, worker=2, workers=2)


def test_a_shard_that_lost_videos_is_an_error_and_leaves_no_sidecar(small_partition, trained, tmp_path):
    partition = Partition.load(small_partition)
    grown = partition.training[-1].model_copy(update={"videos": 50})
    partition.model_copy(update={"training": (*partition.training[:-1], grown)}).save(tmp_path / "partition.json")
    with pytest.raises(DataError, match="fewer than 50 videos"):
        run(tmp_path / "partition.json", {"one": trained}, tmp_path)
    assert len(list((tmp_path / "sidecars").rglob("*.tfrecord"))) == 2
