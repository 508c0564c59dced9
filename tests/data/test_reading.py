"""Reading intact shards: content, order and resumption, streamed and in memory."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.format import DataSpec, dequantize
from yt8m.data.read_report import ReadReport
from yt8m.data.reading import VideosInMemory, data_errors, read_videos
from yt8m.errors import DataError


def read(uris, spec, **options):
    """Read all batches as NumPy arrays."""
    with data_errors():
        return list(read_videos(uris, spec, **{"batch_size": 4} | options).as_numpy_iterator())


def ids_of(batches):
    return [video_id for batch in batches for video_id in batch["ids"]]


@pytest.fixture
def many_shards(tmp_path, shards):
    """Write more shards than a group has: eleven of 1 to 11 videos, every third followed by a bad record."""
    sizes = range(1, 12)
    uris, number = [], 0
    for size in sizes:
        records = []
        for _ in range(size):
            records += [shards.video_of(number), *([b""] * (number % 3 == 0))]
            number += 1
        uris.append(shards.write(tmp_path / f"{size}.tfrecord", records))
    return uris, list(sizes)


@pytest.fixture
def three_shards(tmp_path, shards):
    sizes = (11, 7, 9)
    starts = np.cumsum((0, *sizes))
    return [
        shards.write(tmp_path / f"{n}.tfrecord", [shards.video_of(int(starts[n]) + i, 1 + i % 7) for i in range(size)])
        for n, size in enumerate(sizes)
    ]


def test_videos_are_complete_and_in_order(tmp_path, shards):
    videos = [shards.video_of(n, num_frames=n + 1, labels=sorted({n, 9})) for n in range(4)]
    (batch,) = read([shards.write(tmp_path / "a", videos)], shards.spec)

    assert batch["frames"].shape == (4, 5, 6)
    assert batch["frames"].dtype == batch["labels"].dtype == np.uint8
    assert batch["num_frames"].tolist() == [1, 2, 3, 4]
    assert batch["num_frames"].dtype == np.int32
    assert batch["ids"].tolist() == [b"0000", b"0001", b"0002", b"0003"]
    for n, video in enumerate(videos):
        frames = [np.frombuffer(r + a, np.uint8) for r, a in zip(*video.frames.values(), strict=True)]
        np.testing.assert_array_equal(batch["frames"][n, : n + 1], frames)
        assert not batch["frames"][n, n + 1 :].any()
        assert np.flatnonzero(batch["labels"][n]).tolist() == sorted({n, 9})


def test_features_are_joined_in_the_order_of_the_specification(tmp_path, shards):
    uri = shards.write(tmp_path / "a", [shards.video_of(0)])
    audio_first = DataSpec(features={"audio": 2, "rgb": 4}, num_classes=10, max_frames=5)
    (batch,), (turned,) = read([uri], shards.spec), read([uri], audio_first)

    np.testing.assert_array_equal(turned["frames"], np.roll(batch["frames"], 2, axis=-1))


def test_frames_beyond_the_maximum_are_truncated(tmp_path, shards):
    (batch,) = read([shards.write(tmp_path / "a", [shards.video_of(0, 6), shards.video_of(0, 5)])], shards.spec)

    assert batch["num_frames"].tolist() == [5, 5]


def test_ids_of_2017_and_unlabeled_videos_are_read(tmp_path, shards):
    old = shards.video_of(1)
    old.id_name = "video_id"
    unlabeled = shards.video_of(2, labels=None)
    (batch,) = read([shards.write(tmp_path / "a", [old, unlabeled])], shards.spec)

    assert batch["ids"].tolist() == [b"0001", b"0002"]
    assert batch["labels"].sum(1).tolist() == [1, 0]


def test_a_video_level_record_is_a_video_of_one_frame(tmp_path, shards):
    means = {"rgb": [-3.0, -1.9921875, 0.0, 3.0], "audio": [2.0, 0.5]}
    video = shards.Video(id=b"mean", labels=[3], means=means)
    (batch,) = read([shards.write(tmp_path / "a", [video, shards.video_of(1)])], shards.spec)

    expected = np.array([0, 0, 127, 255, 255, 159], np.uint8)
    np.testing.assert_array_equal(batch["frames"][0, 0], expected)
    assert batch["num_frames"].tolist() == [1, 3]
    np.testing.assert_allclose(dequantize(expected)[1:3], [-1.9921875, 0.0], atol=2 / 255)


@pytest.mark.parametrize("steps_off", [-0.49, 0.0, 0.49])
def test_means_are_read_as_the_nearest_bytes(tmp_path, shards, steps_off):
    levels = np.arange(256, dtype=np.uint8)
    video = shards.Video(id=b"mean", means={"rgb": dequantize(levels) + np.float32(steps_off * 4 / 255)})
    spec = DataSpec(features={"rgb": 256}, num_classes=10)
    (batch,) = read([shards.write(tmp_path / "a", [video])], spec)

    np.testing.assert_array_equal(batch["frames"][0, 0], levels)


@pytest.mark.slow
def test_the_order_depends_on_seed_and_epoch_only(three_shards, shards):
    def order(**options):
        return ids_of(read(three_shards, shards.spec, shuffle_buffer=8, **options))

    first = order(shuffle_seed=1)
    assert order(shuffle_seed=1) == first
    assert sorted(first) == order()
    assert first != order()
    assert first != order(shuffle_seed=2)
    assert first != order(shuffle_seed=1, epoch=1)


@pytest.mark.parametrize("process_seed", [0, 7])
def test_the_order_does_not_depend_on_the_seed_of_the_process(three_shards, shards, process_seed):
    before = ids_of(read(three_shards, shards.spec, shuffle_seed=0))
    tf.random.set_seed(process_seed)
    try:
        assert ids_of(read(three_shards, shards.spec, shuffle_seed=0)) == before
    finally:
        tf.random.set_seed(None)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("skipped", [1, 6, 8])
def test_skipping_batches_continues_the_same_stream(three_shards, shards, seed, skipped):
    options = {"shuffle_seed": seed, "shuffle_buffer": 8, "epoch": 2}
    whole = read(three_shards, shards.spec, **options)
    tail = read(three_shards, shards.spec, skip_batches=skipped, **options)

    assert len(whole) == 7
    assert len(tail) == max(0, 7 - skipped)
    for expected, received in zip(whole[skipped:], tail, strict=True):
        for name, values in expected.items():
            np.testing.assert_array_equal(received[name], values)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("skipped", [0, 13, 17])
def test_known_sizes_skip_shards_unopened_and_change_nothing(many_shards, shards, seed, skipped):
    uris, sizes = many_shards
    options = {"shuffle_seed": seed, "shuffle_buffer": 8, "epoch": 1}
    whole = ids_of(read(uris, shards.spec, **options))
    report = ReadReport()
    tail = read(uris, shards.spec, skip_batches=skipped, videos_per_shard=sizes, report=report, **options)

    assert sorted(whole) == [b"%04d" % n for n in range(66)]
    assert ids_of(tail) == whole[4 * skipped :]
    opened = len(report.checksums)
    assert opened == 11 if skipped == 0 else opened <= 11
    assert opened < 11 or skipped < 13


def test_the_remainder_can_be_dropped(three_shards, shards):
    assert [len(b["ids"]) for b in read(three_shards, shards.spec, drop_remainder=True)] == [4] * 6
    assert [len(b["ids"]) for b in read(three_shards, shards.spec)] == [4] * 6 + [3]


def test_batch_shapes_are_known_before_reading(three_shards, shards):
    spec = read_videos(three_shards, shards.spec, batch_size=4, drop_remainder=True).element_spec
    assert {name: tuple(each.shape) for name, each in spec.items()} == {
        "frames": (4, 5, 6),
        "num_frames": (4,),
        "labels": (4, 10),
        "ids": (4,),
    }
    assert spec["frames"].dtype == tf.uint8


def test_real_shards_are_read(real_data):
    report = ReadReport()
    uris = sorted(map(str, real_data.glob("*/*.tfrecord")))
    batches = read(uris, DataSpec(), batch_size=512, report=report)

    assert sum(len(batch["ids"]) for batch in batches) == 2377
    first = batches[0]
    assert (first["ids"][0], first["num_frames"][0], np.flatnonzero(first["labels"][0]).tolist()) == (
        b"fYdw",
        265,
        [46],
    )
    assert (first["num_frames"][1:] == 1).all()
    (bad,) = report.bad_records.values()
    assert (bad.record, bad.id, bad.reason) == (0, "SzHA", "no audio")


def test_real_means_are_quantized_as_in_the_collected_means(real_data):
    means = np.load(real_data / "validate_means.npz")
    row_of = {video_id: row for row, video_id in enumerate(means["ids"])}
    (batch,) = read([str(real_data / "video_level/validate0000.tfrecord")], DataSpec(), batch_size=512)
    rows = [(n, row_of[video_id]) for n, video_id in enumerate(batch["ids"]) if video_id in row_of]

    assert rows
    for n, row in rows[:50]:
        expected = np.concatenate([means["mean_rgb"][row], means["mean_audio"][row]])
        assert np.abs(batch["frames"][n, 0].astype(int) - expected).max() <= 1


@pytest.fixture
def two_shards(tmp_path, shards):
    counts = (7, 5)
    return [
        shards.write(tmp_path / f"{n}.tfrecord", [shards.video_of(10 * n + i, labels=[i]) for i in range(count)])
        for n, count in enumerate(counts)
    ]


def batches_in_memory(videos, **options):
    return list(videos.batches(3, **{"shuffle_seed": 1, "epoch": 0} | options).as_numpy_iterator())


def test_every_epoch_from_memory_has_every_video_unchanged(two_shards, shards):
    videos = VideosInMemory(two_shards, shards.spec, 12)
    read = next(read_videos(two_shards, shards.spec, batch_size=100).as_numpy_iterator())
    for epoch in range(2):
        epoch_batches = batches_in_memory(videos, epoch=epoch)
        joined = {name: np.concatenate([batch[name] for batch in epoch_batches]) for name in read}
        order, place = np.argsort(joined["ids"]), np.argsort(read["ids"])
        for name, array in read.items():
            np.testing.assert_array_equal(joined[name][order], array[place])


@pytest.mark.slow
def test_the_order_from_memory_depends_on_seed_and_epoch_only(two_shards, shards):
    def ids(**options):
        videos = VideosInMemory(two_shards, shards.spec, 12)
        return [batch["ids"].tolist() for batch in batches_in_memory(videos, **options)]

    assert ids() == ids()
    assert ids() != ids(epoch=1)
    assert ids() != ids(shuffle_seed=2)
    assert ids(skip_batches=2) == ids()[2:]


def test_an_incomplete_last_batch_from_memory_is_dropped(two_shards, shards):
    batches = VideosInMemory(two_shards, shards.spec, 12).batches(5, shuffle_seed=0, epoch=0)
    assert [len(batch["ids"]) for batch in batches] == [5, 5]


@pytest.mark.parametrize("promised", [11, 13])
def test_another_number_of_videos_than_promised_is_refused(two_shards, shards, promised):
    with pytest.raises(DataError, match=f"12 videos, but expected {promised}. Run prepare again"):
        VideosInMemory(two_shards, shards.spec, promised)


PEAK_OF_LOADING = """
import resource, sys
from yt8m.data.format import DataSpec
from yt8m.data.reading import VideosInMemory, read_videos
uri, number = sys.argv[1], int(sys.argv[2])
spec = DataSpec(features={"rgb": 4}, num_classes=10, max_frames=5_000)
for _ in read_videos([uri] * 4, spec, batch_size=256).as_numpy_iterator():
    pass
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
VideosInMemory([uri] * number, spec, 1000 * number)
used = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
print(used / VideosInMemory.size_bytes(1000 * number, spec, with_soft_targets=False))
"""


@pytest.mark.slow
def test_loading_takes_hardly_more_memory_than_the_videos(tmp_path, shards):
    uri = shards.write(tmp_path / "a.tfrecord", [shards.video_of(number, rgb=4) for number in range(1000)])
    command = [sys.executable, "-c", PEAK_OF_LOADING, uri, "20"]
    assert float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) < 1.3


def test_the_size_in_memory_counts_padded_frames_labels_and_soft_targets(shards):
    assert VideosInMemory.size_bytes(2, shards.spec, with_soft_targets=False) == 2 * (5 * 6 + 10)
    assert VideosInMemory.size_bytes(2, shards.spec, with_soft_targets=True) == 2 * (5 * 6 + 10 + 40)
