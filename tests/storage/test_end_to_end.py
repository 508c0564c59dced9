"""The stages on data in an object store."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.cli.data import check
from tests.storage.fault_proxy import Plan
from tests.support.recipes import load_recipe
from tests.support.toy_ensemble import export_ensemble, write_quantized_model, write_weights
from tests.support.videos import video_of, write_shard
from tests.support.weights import read_weights
from yt8m import storage
from yt8m.data.partition import Partition
from yt8m.data.reading import data_errors, read_videos
from yt8m.data.soft_target_manifest import SoftTargetManifest
from yt8m.errors import StorageError
from yt8m.stages.generate import GenerateConfig, generate, globs
from yt8m.stages.predict import PredictConfig, predict
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.stages.soft_targets import SoftTargetsConfig, soft_targets
from yt8m.stages.train import TrainConfig, train

DATA = GenerateConfig(preset="smoke", videos=60, max_frames=4, videos_per_shard=10)
MODEL = {"architecture": "dbof", "num_clusters": 8, "hidden_units": 6, "pooling": "max", "head": {"kind": "logistic"}}
# Reads the shards in every epoch, instead of keeping the videos in memory.
TRAINING = {"epochs": 2, "batch_size": 8, "seed": 3, "memory_bytes": 0}


def make_partition(uri: str, output: Path) -> Partition:
    training, validation = globs(uri)
    spec = DATA.resolve().spec
    config = PrepareConfig(training=(training,), validation=(validation,), holdout_shards=2, spec=spec)
    prepare(config=config, output=output)
    return Partition.load(output)


def read(uris: list[str], partition: Partition, **options) -> list[dict]:
    with data_errors():
        return list(read_videos(uris, partition.spec, batch_size=7, **options).as_numpy_iterator())


def assert_same(first: list[dict], second: list[dict]) -> None:
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])


@pytest.mark.parametrize("remote", ["s3"], indirect=True)
def test_shards_in_an_object_store_read_as_on_disk(remote, tmp_path):
    for uri in (remote.uri, str(tmp_path / "data")):
        generate(config=DATA, output_uri=uri)
    there = make_partition(remote.uri, tmp_path / "there.json")
    here = make_partition(str(tmp_path / "data"), tmp_path / "here.json")

    assert [shard.checksum for shard in there.training] == [shard.checksum for shard in here.training]
    assert all(uri.startswith(remote.uri) for uri in (*there.training_uris, *there.holdout_uris))
    assert_same(read(there.holdout_uris, there), read(here.holdout_uris, here))
    options = {"shuffle_seed": 1, "epoch": 1}
    assert_same(read(there.training_uris, there, **options), read(here.training_uris, here, **options))


@pytest.mark.parametrize("remote", ["s3"], indirect=True)
def test_data_check_reads_an_object_store(remote):
    generate(config=DATA, output_uri=remote.uri)

    result = CliRunner().invoke(check, [f"{remote.uri}/*.tfrecord", "--json"])

    assert result.exit_code == 0
    assert json.loads(result.stdout)["videos"] == DATA.videos


@pytest.mark.parametrize("remote", ["gs"], indirect=True)
@pytest.mark.slow
def test_reading_survives_a_bad_network_and_gives_the_same_videos(remote, tmp_path):
    generate(config=DATA, output_uri=remote.uri)
    partition = make_partition(remote.uri, tmp_path / "partition.json")
    before = read(partition.training_uris, partition)
    for uri in list(Path(storage.stage_in(partition.training_uris[0])).parent.glob("*-train*")):
        uri.unlink()

    remote.fail(Plan("flip", times=4, matching=lambda method, _, size: method == "GET" and size > 5000))
    assert_same(read(partition.training_uris, partition), before)


@pytest.mark.parametrize("remote", ["gs"], indirect=True)
def test_a_shard_that_cannot_be_fetched_is_named(remote):
    missing = storage.join(remote.uri, "gone.tfrecord")

    with pytest.raises(StorageError, match=f"{missing}: there is no such object"), data_errors():
        next(iter(read_videos([missing], DATA.resolve().spec, batch_size=7)))


@pytest.mark.slow
@pytest.mark.parametrize("remote", ["s3"], indirect=True)
def test_a_training_repeats_every_kind_of_request_that_fails(remote, tmp_path, caplog):
    generate(config=DATA, output_uri=remote.uri)
    make_partition(remote.uri, tmp_path / "partition.json")
    config = TrainConfig.parse({"model": MODEL, "training": TRAINING, "label_weight": 1.0}, "test")
    shards = Path(os.environ["YT8M_CACHE_DIR"])

    def run(name: str) -> list[tuple[str, str]]:
        for copy in shards.glob("*-train*"):
            copy.unlink()
        remote.proxy.requests.clear()
        train(
            config=config,
            partition=tmp_path / "partition.json",
            output=tmp_path / name,
            predictions=tmp_path / f"{name}-predictions",
            checkpoint_uri=storage.join(remote.uri, name, "checkpoints"),
            tensorboard_uri=storage.join(remote.uri, name, "logs"),
        )
        return [(method, path.partition("?")[0]) for method, path in remote.proxy.requests]

    asked = set(run("calm"))
    seen: set[tuple[str, str]] = set()

    def is_first(method: str, path: str, _size: int) -> bool:
        request = (method, path.partition("?")[0])
        new = request not in seen
        seen.add(request)
        return new

    plan = remote.fail(Plan("reset", times=1000, matching=is_first))
    caplog.clear()
    run("stormy")

    # The first request of each kind to each object failed, and each failure is in the log.
    assert plan.done == len(seen) >= len(asked) > 10
    for part in ("/train0", "/validate0", "/checkpoints/", "/logs/"):
        assert any(part in message and "Retrying for another" in message for message in caplog.messages)
    for name, value in read_weights(tmp_path / "calm").items():
        np.testing.assert_array_equal(value, read_weights(tmp_path / "stormy")[name])


@pytest.mark.slow
@pytest.mark.parametrize("remote", ["gs"], indirect=True)
def test_teachers_soft_targets_and_students_work_in_an_object_store(remote, tmp_path):
    generate(config=DATA, output_uri=remote.uri)
    partition = make_partition(remote.uri, tmp_path / "partition.json")
    teacher, manifest = tmp_path / "teacher", tmp_path / "soft_targets.json"
    checkpoints = storage.join(remote.uri, "checkpoints")
    options: dict[str, Any] = {
        "partition": tmp_path / "partition.json",
        "predictions": tmp_path / "predictions",
        "checkpoint_uri": checkpoints,
    }
    config = TrainConfig.parse({"model": MODEL, "training": TRAINING, "label_weight": 1.0}, "test")

    train(config=config, output=teacher, tensorboard_uri=storage.join(remote.uri, "logs"), **options)
    assert storage.list_uris(storage.join(remote.uri, "logs", "*", "train", "events*"))
    (checkpoint,) = storage.list_uris(storage.join(checkpoints, "*"))
    train(config=config, output=tmp_path / "again", **options)  # goes on from the end
    for name, value in read_weights(teacher).items():
        np.testing.assert_array_equal(value, read_weights(tmp_path / "again")[name])
    assert storage.list_uris(storage.join(checkpoints, "*")) == [checkpoint]

    soft_targets(
        partition=tmp_path / "partition.json",
        models={"teacher": teacher},
        selection=None,
        config=SoftTargetsConfig(batch_size=8),
        output_uri=storage.join(remote.uri, "soft-targets"),
        output=manifest,
    )
    sidecars = SoftTargetManifest.load(manifest).sidecars
    assert list(sidecars) == partition.training_uris
    assert all(uri.startswith(remote.uri) and storage.exists(uri) for uri in sidecars.values())

    student = TrainConfig.parse({"model": MODEL, "training": TRAINING, "label_weight": 0.5}, "test")
    result = train(config=student, output=tmp_path / "student", soft_targets=[manifest], **options)
    assert result.metrics["videos"] == partition.division.report_videos


@pytest.mark.slow
@pytest.mark.parametrize("remote", ["s3"], indirect=True)
def test_a_submission_is_written_from_and_to_an_object_store(remote, tmp_path):
    weights = write_weights(tmp_path / "weights.json", {"one": 1.0})
    model = export_ensemble({"one": write_quantized_model(tmp_path / "one", 0)}, weights, tmp_path)
    for name, first in (("a", 0), ("b", 3)):
        with storage.publish_file(storage.join(remote.uri, f"{name}.tfrecord")) as path:
            write_shard(path, [video_of(number, labels=None, rgb=12, audio=4) for number in range(first, first + 3)])
    output = storage.join(remote.uri, "submission.csv")
    options: dict[str, Any] = {"model": model, "inputs": [f"{remote.uri}/*.tfrecord"], "output": output}

    predict(config=PredictConfig(batch_size=2), **options)

    lines = storage.read_text(output).splitlines()
    assert [line.partition(",")[0] for line in lines] == ["VideoId", *(f"{number:04}" for number in range(6))]
    assert predict(config=PredictConfig(batch_size=2), **options).metrics["resumed_shards"] == 2


@pytest.mark.parametrize("remote", ["s3", pytest.param("gs", marks=pytest.mark.slow)], indirect=True)
def test_means_in_an_object_store_give_the_same_videos_as_a_local_file(remote, tmp_path):
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "ids": np.array([b"%04d" % number for number in range(16)]),
        "labels": np.arange(16, dtype=np.uint16),
        "label_ptr": np.arange(17),
        "num_frames": np.full(16, 3, np.uint16),
        "mean_rgb": rng.integers(0, 256, (16, 1024), np.uint8),
        "mean_audio": rng.integers(0, 256, (16, 128), np.uint8),
    }
    for folder in (remote.uri, str(tmp_path)):
        means = storage.join(folder, "means.npz")
        with storage.open_atomic(means) as file:
            np.savez(file, **arrays)
        generate(config=GenerateConfig(means=means, videos=16), output_uri=storage.join(folder, "videos"))
    for here in storage.list_uris(tmp_path / "videos" / "*"):
        there = storage.join(remote.uri, "videos", Path(here).name)
        if here.endswith(".json"):
            assert json.loads(storage.read_text(there))["generation"]["means"] == {
                "file": "means.npz",
                "videos": 16,
                "sha256": hashlib.sha256((tmp_path / "means.npz").read_bytes()).hexdigest(),
            }
        else:
            assert storage.read_bytes(there) == Path(here).read_bytes()


@pytest.mark.parametrize("remote", ["s3", pytest.param("gs", marks=pytest.mark.slow)], indirect=True)
@pytest.mark.parametrize("place", ["", pytest.param("/*.tfrecord", marks=pytest.mark.slow)])
def test_recipes_for_shards_in_an_object_store(remote, tmp_path, place):
    generate(config=DATA, output_uri=remote.uri)
    result = CliRunner().invoke(main, ["init", str(tmp_path / "own"), "--data", remote.uri + place])
    assert result.exit_code == 0, result.output
    for name in ("first.yaml", "recipe.yaml"):
        data = load_recipe(tmp_path / "own" / name).data
        assert (data.training, data.validation) == tuple((pattern,) for pattern in globs(remote.uri))
        assert data.resolve_spec() == DATA.resolve().spec
