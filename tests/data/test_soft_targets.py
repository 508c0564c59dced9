"""Soft targets: their encoding, and the checks that each belongs to its video."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from yt8m.data.partition import Partition, Shard
from yt8m.data.reading import data_errors, read_videos
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest, sidecar_name
from yt8m.data.soft_targets import SoftTargetShards, parse_soft_target, write_soft_targets
from yt8m.errors import DataError, StorageError

DENSE = SoftTargetEncoding()


def probabilities_of(videos: int, classes: int = 10, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).beta(0.1, 2, (videos, classes)).astype(np.float32)


def manifest_of(uris, sidecars, **changes):
    values: dict[str, Any] = {
        "teachers": ("a", "b"),
        "num_classes": 10,
        "encoding": DENSE,
        "partition_digest": "d",
        "recipe_hash": "r",
        "sidecars": dict(zip(uris, sidecars, strict=True)),
        "videos": 0,
    }
    return SoftTargetManifest(**values | changes)


def read(uris, spec, manifest, **options):
    with data_errors():
        batches = read_videos(uris, spec, batch_size=4, soft_targets=SoftTargetShards(manifest), **options)
        return list(batches.as_numpy_iterator())


@pytest.fixture
def made(tmp_path, shards):
    """Write two shards with bad records among the videos, and their sidecars; return probabilities by id as well."""
    uris: list[str] = []
    sidecars: list[str] = []
    by_id: dict[bytes, np.ndarray] = {}
    for n, size in enumerate((6, 5)):
        videos = [shards.video_of(10 * n + i) for i in range(size)]
        uris.append(shards.write(tmp_path / f"{n}.tfrecord", [*videos[:2], b"\xff", shards.Video(), *videos[2:]]))
        sidecars.append(str(tmp_path / "soft" / sidecar_name(n, uris[-1])))
        probabilities = probabilities_of(size, seed=n)
        ids = [video.id for video in videos]
        chunks = [(ids[:4], probabilities[:4]), (ids[4:], probabilities[4:])]
        assert write_soft_targets(sidecars[-1], chunks, DENSE, "r") == size
        by_id |= dict(zip(ids, probabilities, strict=True))
    return uris, sidecars, by_id


@pytest.mark.parametrize("seed", [None, 5])
def test_every_video_gets_its_soft_targets(made, shards, seed):
    uris, sidecars, by_id = made
    batches = read(uris, shards.spec, manifest_of(uris, sidecars), shuffle_seed=seed, shuffle_buffer=4)

    assert sorted(i for batch in batches for i in batch["ids"]) == sorted(by_id)
    for batch in batches:
        assert batch["soft_targets"].dtype == np.float32
        assert set(batch) == {"frames", "num_frames", "labels", "ids", "soft_targets"}
        np.testing.assert_allclose(batch["soft_targets"], [by_id[i] for i in batch["ids"]], rtol=2**-11, atol=2**-25)


def test_soft_targets_do_not_change_the_order(made, shards):
    uris, sidecars, _ = made
    options: dict[str, Any] = {"shuffle_seed": 5, "shuffle_buffer": 4, "skip_batches": 1}
    with_targets = read(uris, shards.spec, manifest_of(uris, sidecars), **options)
    plain = list(read_videos(uris, shards.spec, batch_size=4, **options).as_numpy_iterator())

    for expected, received in zip(plain, with_targets, strict=True):
        np.testing.assert_array_equal(received["ids"], expected["ids"])
        np.testing.assert_array_equal(received["frames"], expected["frames"])


def written(path, probabilities, encoding, recipe_hash="r"):
    ids = [b"%04d" % n for n in range(len(probabilities))]
    write_soft_targets(str(path), [(ids, probabilities)], encoding, recipe_hash)
    return str(path)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(
    probabilities=arrays(np.float32, (3, 10), elements=st.floats(0, 1, width=32)),
    top_k=st.sampled_from([1, 4, 9, 10, 50]),
)
def test_top_k_keeps_the_largest_and_the_sum(tmp_path_factory, shards, probabilities, top_k):
    folder = tmp_path_factory.mktemp("top")
    uri = shards.write(folder / "shard", [shards.video_of(n) for n in range(3)])
    encoding = SoftTargetEncoding(top_k=top_k)
    sidecar = written(folder / "sidecar", probabilities, encoding)
    (batch,) = read([uri], shards.spec, manifest_of([uri], [sidecar], encoding=encoding))

    for stored, given_row in zip(batch["soft_targets"], probabilities, strict=True):
        top = np.argsort(-given_row, kind="stable")[:top_k]
        np.testing.assert_allclose(stored[top], given_row[top], rtol=2**-11, atol=2**-25)
        assert len(np.unique(np.delete(stored, top))) <= 1
        np.testing.assert_allclose(stored.sum(), given_row.sum(), rtol=2**-10, atol=2**-22)


def test_ties_in_the_top_k_go_to_the_smaller_classes(tmp_path):
    sidecar = written(tmp_path / "sidecar", np.full((1, 10), 0.25, np.float32), SoftTargetEncoding(top_k=4))
    (stored,) = tf.data.TFRecordDataset(sidecar).skip(1).map(parse_soft_target)
    assert stored["classes"] == np.arange(4, dtype="<u2").tobytes()


def test_equal_soft_targets_are_equal_bytes(tmp_path):
    probabilities = np.array([[0.5, 0.125, 0.25, 0.125]], np.float32)
    sidecar = written(tmp_path / "sidecar", probabilities, SoftTargetEncoding(top_k=2))
    (record,) = tf.data.TFRecordDataset(sidecar).skip(1).as_numpy_iterator()

    fields = [  # sorted by name, although the map is unordered
        b"\n\x13" + b"\n\x07classes" + b"\x12\x08\n\x06\n\x04" + b"\0\0\2\0",
        b"\n\x0e" + b"\n\x02id" + b"\x12\x08\n\x06\n\x04" + b"0000",
        b"\n\x19" + b"\n\rprobabilities" + b"\x12\x08\n\x06\n\x04" + b"\x00\x38\x00\x34",
        b"\n\x0e" + b"\n\x04rest" + b"\x12\x06\n\x04\n\x02" + b"\x00\x30",
    ]
    content = b"".join(fields)
    assert record == b"\n" + bytes([len(content)]) + content


def test_sizes_per_video_stay_below_their_limits(tmp_path):
    probabilities = probabilities_of(50, 3862)

    def bytes_per_video(top_k: int | None) -> float:
        sidecar = written(tmp_path / str(top_k), probabilities, SoftTargetEncoding(top_k=top_k))
        return Path(sidecar).stat().st_size / 50

    assert bytes_per_video(None) <= 8000
    assert bytes_per_video(100) <= 4 * 100 + 120


def test_an_interrupted_sidecar_leaves_nothing(tmp_path):
    def chunks():
        yield [b"0"], probabilities_of(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_soft_targets(str(tmp_path / "sidecar"), chunks(), DENSE, "r")
    assert list(tmp_path.iterdir()) == []


def test_soft_targets_of_another_video_are_refused_with_both_ids(made, shards):
    uris, sidecars, _ = made
    with pytest.raises(DataError, match=r"record 0: soft target for '0010', but the shard has video '0000'") as error:
        read(uris, shards.spec, manifest_of(uris, sidecars[::-1]))
    assert str(error.value).startswith(sidecars[1])


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (5, "record 5: no soft target, but the shard has video '0005'"),
        (7, "record 6: soft target for '0006', but the shard has no more videos"),
    ],
)
def test_too_few_or_too_many_soft_targets_are_refused(made, shards, kept, said):
    uris, sidecars, _ = made
    written(sidecars[0], probabilities_of(kept), DENSE)
    with pytest.raises(DataError, match=said):
        read(uris, shards.spec, manifest_of(uris, sidecars))


def test_soft_targets_of_another_number_of_classes_are_refused(made, shards):
    uris, sidecars, _ = made
    written(sidecars[0], probabilities_of(6, 12), DENSE)
    with pytest.raises(DataError, match="soft target for '0000' has another number of classes"):
        read(uris, shards.spec, manifest_of(uris, sidecars))


def test_a_sidecar_of_other_teachers_is_refused_although_its_ids_fit(made, shards):
    uris, sidecars, _ = made
    written(sidecars[0], probabilities_of(6), DENSE, "another")
    with pytest.raises(DataError, match=f"{sidecars[0]}: made from other teachers, .*: hash 'another', expected 'r'"):
        read(uris, shards.spec, manifest_of(uris, sidecars))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.01, 1.01])
@pytest.mark.parametrize("encoding", [DENSE, SoftTargetEncoding(top_k=3)])
def test_values_that_are_not_probabilities_are_not_written(tmp_path, encoding, wrong):
    probabilities = probabilities_of(3)
    probabilities[1, 4] = wrong
    with pytest.raises(DataError, match=r"sidecar: the prediction for video '0001' has values outside \[0, 1\] or NaN"):
        written(tmp_path / "sidecar", probabilities, encoding)
    assert list(tmp_path.iterdir()) == []


def test_a_probability_slightly_above_one_is_rounded(tmp_path, shards):
    uri = shards.write(tmp_path / "shard", [shards.video_of(0)])
    sidecar = written(tmp_path / "sidecar", np.full((1, 10), np.nextafter(np.float32(1), 2)), DENSE)
    (batch,) = read([uri], shards.spec, manifest_of([uri], [sidecar]))
    assert (batch["soft_targets"] == 1).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.01, 1.01])
@pytest.mark.parametrize(("top_k", "field"), [(None, 0), (3, 0), (3, 1)])
def test_values_that_are_not_probabilities_are_refused(tmp_path, shards, top_k, field, wrong):
    encoding = SoftTargetEncoding(top_k=top_k)
    uri = shards.write(tmp_path / "shard", [shards.video_of(0)])
    # The three largest of ten, and the mean of the other seven.
    kept, rest = np.array([[0.9, 0.8, 0.7], [0.1] * 3], np.float16)
    sidecar = written(tmp_path / "sidecar", np.array([[*kept, *[0.1] * 7]], np.float32), encoding)
    replace_record(sidecar, (kept, rest)[field][:1].tobytes(), np.float16(wrong).tobytes())
    with pytest.raises(DataError, match=r"record 0: soft target for '0000' has values outside \[0, 1\] or NaN"):
        read([uri], shards.spec, manifest_of([uri], [sidecar], encoding=encoding))


def replace_record(sidecar, old, new):
    """Change the first soft target of a sidecar without damaging the file."""
    header, video = (record.numpy() for record in tf.data.TFRecordDataset(sidecar))
    assert video.count(old)
    with tf.io.TFRecordWriter(sidecar) as writer:
        writer.write(header)
        writer.write(video.replace(old, new, 1))


def test_a_damaged_or_missing_sidecar_is_named(made, shards):
    uris, sidecars, _ = made
    manifest = manifest_of(uris, sidecars)
    with open(sidecars[0], "r+b") as file:  # noqa: PTH123
        file.truncate(100)
    with pytest.raises(DataError, match=f"{sidecars[0]}: damaged at byte"):
        read(uris, shards.spec, manifest)
    with pytest.raises(StorageError, match="nowhere: there is no such file"):
        read(uris, shards.spec, manifest_of(uris, [sidecars[0] + "nowhere", sidecars[1]]))
    with pytest.raises(DataError, match=r"1\.tfrecord: this shard has no soft targets"):
        read(uris, shards.spec, manifest_of(uris[:1], sidecars[:1]))


def test_a_manifest_of_another_partition_is_refused(made, shards, tmp_path):
    uris, sidecars, _ = made
    training = tuple(Shard(uri=uri, videos=5, size_bytes=1, checksum="0") for uri in uris)
    partition = Partition(spec=shards.spec, seed=0, training=training, holdout=(), class_counts=(0,) * 10)
    path = tmp_path / "manifest.json"

    def opened(**changes):
        fitting = manifest_of(uris, sidecars, partition_digest=partition.digest)
        fitting.model_copy(update=changes).save(path)
        return SoftTargetShards.open([path], partition)

    assert opened().manifest.teachers == ("a", "b")
    with pytest.raises(DataError, match=r"manifest\.json: soft targets for 11 classes, but 10 expected"):
        opened(num_classes=11)
    with pytest.raises(DataError, match="made for partition other"):
        opened(partition_digest="other")
    with pytest.raises(DataError, match=r"no soft targets for .*1\.tfrecord \(such shards: 1\)"):
        opened(sidecars={uris[0]: sidecars[0]})


def test_shards_of_the_same_name_have_different_sidecars():
    assert sidecar_name(0, "/a/0.tfrecord") != sidecar_name(1, "gs://b/0.tfrecord")
    assert sidecar_name(12, "/a/0.tfrecord") == "00012-0.tfrecord"


def test_sidecars_of_shards_with_the_longest_names_can_be_written(tmp_path: Path) -> None:
    names = {sidecar_name(1, f"/a/{letter * (246 // len(letter.encode()))}.tfrecord") for letter in "aé語"}
    for name in names:
        assert write_soft_targets(str(tmp_path / name), [], SoftTargetEncoding(), "hash") == 0
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize(("top_k", "classes"), [(None, 3862), (100, 3862), (5000, 3862)])
def test_soft_targets_take_as_many_bytes_as_their_file(top_k: int | None, classes: int, tmp_path: Path) -> None:
    encoding, path = SoftTargetEncoding(top_k=top_k), tmp_path / "soft.tfrecord"
    probabilities = np.random.default_rng(0).random((10, classes), np.float32)
    write_soft_targets(str(path), [([b"abcd"] * 10, probabilities)], encoding, "a" * 64)
    first_record_bytes = 64 + 16
    assert path.stat().st_size == first_record_bytes + 10 * encoding.record_bytes(classes)
