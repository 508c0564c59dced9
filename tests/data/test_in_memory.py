import numpy as np
import pytest

from yt8m.data.in_memory import VideosInMemory
from yt8m.data.reading import read_videos


@pytest.fixture
def paths(tmp_path, shards):
    counts = (7, 5)
    return [
        shards.write(tmp_path / f"{n}.tfrecord", [shards.video_of(10 * n + i, labels=[i]) for i in range(count)])
        for n, count in enumerate(counts)
    ]


def batches(videos, **options):
    return list(videos.batches(3, **{"shuffle_seed": 1, "epoch": 0} | options).as_numpy_iterator())


def test_every_epoch_holds_every_video_as_it_was_read(paths, shards):
    videos = VideosInMemory(paths, shards.spec)
    read = next(read_videos(paths, shards.spec, batch_size=100).as_numpy_iterator())
    for epoch in range(2):
        epoch_batches = batches(videos, epoch=epoch)
        joined = {name: np.concatenate([batch[name] for batch in epoch_batches]) for name in read}
        order, place = np.argsort(joined["ids"]), np.argsort(read["ids"])
        for name, array in read.items():
            np.testing.assert_array_equal(joined[name][order], array[place])


def test_order_depends_on_seed_and_epoch_only(paths, shards):
    def ids(**options):
        return [batch["ids"].tolist() for batch in batches(VideosInMemory(paths, shards.spec), **options)]

    assert ids() == ids()
    assert ids() != ids(epoch=1)
    assert ids() != ids(shuffle_seed=2)
    assert ids(skip_batches=2) == ids()[2:]


def test_a_last_batch_of_fewer_videos_is_left_out(paths, shards):
    assert [len(batch["ids"]) for batch in VideosInMemory(paths, shards.spec).batches(5, shuffle_seed=0, epoch=0)] == [
        5,
        5,
    ]


def test_size_counts_padded_frames_labels_and_soft_targets(shards):
    assert VideosInMemory.size_bytes(2, shards.spec, with_soft_targets=False) == 2 * (5 * 6 + 10)
    assert VideosInMemory.size_bytes(2, shards.spec, with_soft_targets=True) == 2 * (5 * 6 + 10 + 40)
