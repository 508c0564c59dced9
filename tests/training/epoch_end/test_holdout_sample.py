import numpy as np
import pytest

from yt8m.data.format import RecordLayout
from yt8m.data.partition import Partition
from yt8m.data.reading import read_videos
from yt8m.errors import StorageError
from yt8m.holdout import Division, hash_keys
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.training.epoch_end import holdout_sample
from yt8m.training.epoch_end.holdout_sample import HoldoutSample, SampleFigures

SHARDS, VIDEOS = 6, 10


@pytest.fixture(scope="module")
def partition(tmp_path_factory, shards) -> Partition:
    """Make a partition with six hold-out shards of ten videos, the first of which has no labels in any of them."""
    folder = tmp_path_factory.mktemp("partition")
    for index in range(SHARDS):
        labels = [[] if number == 0 else [number] for number in range(VIDEOS)]
        videos = [shards.video_of(100 * index + number, labels=each) for number, each in enumerate(labels)]
        shards.write(folder / f"validate{index}.tfrecord", videos)
    shards.write(folder / "train.tfrecord", [shards.video_of(5000 + n, labels=[n % 10]) for n in range(10)])
    config = PrepareConfig(
        training=(f"{folder}/train*",),
        validation=(f"{folder}/validate*",),
        holdout_shards=SHARDS,
        report_share=0,
        spec=shards.spec,
    )
    prepare(config=config, output=folder / "partition.json")
    return Partition.load(folder / "partition.json")


class Recorder:
    """Predictor with random probabilities that remembers what it got and returned."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(1)
        self.sizes: list[int] = []
        self.frames: set[bytes] = set()
        self.probabilities: list[np.ndarray] = []

    def __call__(self, frames, num_frames):
        assert len(frames) == len(num_frames)
        self.sizes.append(len(frames))
        self.frames |= {each.tobytes() for each in frames}
        self.probabilities.append(self._random.random((len(frames), 10), np.float32))
        return self.probabilities[-1]


def frames_of(partition: Partition, **changes) -> set[bytes]:
    recorder = Recorder()
    HoldoutSample(partition.model_copy(update=changes), batch_size=4).measure(recorder, exclusive=False)
    return recorder.frames


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_small_holdout_is_measured_as_a_whole(partition, exclusive):
    recorder = Recorder()
    figures = HoldoutSample(partition, batch_size=4).measure(recorder, exclusive=exclusive)
    assert len(recorder.frames) == SHARDS * VIDEOS
    # Twice the batch size at once, always.
    assert recorder.sizes == [8] * 8
    p = np.concatenate(recorder.probabilities)[: SHARDS * VIDEOS].astype(np.float64)
    # Per shard, one video without a label, and one of every class but 0.
    labels = np.tile(np.vstack([np.zeros(10), np.eye(10)[1:]]), (SHARDS, 1))
    likelihood = labels * np.log(p + 1e-5) + (not exclusive) * (1 - labels) * np.log(1 - p + 1e-5)
    assert figures.loss == pytest.approx(-likelihood.sum() / len(p), rel=1e-5)
    hits = labels.ravel()[np.argsort(-p.ravel())]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    assert figures.gap == pytest.approx((precision * hits).sum() / labels.sum(), abs=1e-6)


def test_as_many_predictions_count_in_gap_as_are_asked_for(partition):
    # Class 1 is predicted for every video, of which one per shard has it; then class 2, which counts only from two on.
    def predict(frames, _):
        return np.tile(np.linspace(0.9, 0.1, 10, dtype=np.float32)[[9, *range(9)]], (len(frames), 1))

    one, two = (HoldoutSample(partition, batch_size=4, top_k=k).measure(predict, exclusive=False).gap for k in (1, 2))
    assert 0 < one < two


def test_no_video_that_figures_are_reported_on_is_in_the_sample(partition, shards):
    ids = [b"%04d" % (100 * index + number) for index in range(SHARDS) for number in range(VIDEOS)]
    hashes = hash_keys(ids, seed=3)
    division = Division.of(hashes, np.ones(len(ids), np.bool_), share=0.25, seed=3)
    spec = shards.spec

    def padded(video_id: bytes) -> bytes:
        frames = shards.video_of(int(video_id)).frames
        rows = np.hstack([[np.frombuffer(row, np.uint8) for row in frames[name]] for name in spec.features])
        return np.vstack([rows, np.zeros((spec.max_frames - len(rows), spec.num_features), np.uint8)]).tobytes()

    select = {
        padded(video_id) for video_id, in_report in zip(ids, division.in_report(ids), strict=True) if not in_report
    }
    assert len(select) == division.select_videos == 45
    assert frames_of(partition, division=division) == select
    parts = [HoldoutSample(partition.model_copy(update={"division": each}), 4).part for each in (division, Division())]
    assert parts == ["select", "hold-out"]


@pytest.fixture
def large(monkeypatch) -> None:
    """Make a hold-out of 60 videos a large one: at most 20 videos are chosen, from three shards."""
    monkeypatch.setattr(holdout_sample, "SAMPLE_VIDEOS", 20)
    monkeypatch.setattr(holdout_sample, "SAMPLED_VIDEOS", 25)


@pytest.mark.slow
@pytest.mark.usefixtures("large")
def test_of_a_large_holdout_some_videos_of_some_shards_are_chosen_by_its_seed(partition):
    found = [frames_of(partition, seed=seed) for seed in range(6)]
    assert found[0] == frames_of(partition, seed=0)
    assert len({frozenset(each) for each in found}) > 1
    assert all(8 <= len(each) <= 20 for each in found)
    whole = set()
    for each in found:
        whole |= each
    assert len(whole) > 30


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_shards_of_groups_that_decide_nothing_are_not_chosen(tmp_path, shards, seed):
    # All videos of a shard are of one group, so that its videos decide all or none.
    for index in range(SHARDS):
        videos = [shards.video_of(100 * index + number, labels=[number]) for number in range(VIDEOS)]
        for video in videos:
            video.group = b"%d" % index
        shards.write(tmp_path / f"validate{index}.tfrecord", videos)
    shards.write(tmp_path / "train.tfrecord", [shards.video_of(5000 + n, labels=[n]) for n in range(10)])
    config = PrepareConfig(
        training=(f"{tmp_path}/train*",),
        validation=(f"{tmp_path}/validate*",),
        holdout_shards=SHARDS,
        report_share=0.8,
        seed=seed,
        spec=shards.spec.model_copy(update={"layout": RecordLayout(group="group")}),
    )
    prepare(config=config, output=tmp_path / "partition.json")
    partition = Partition.load(tmp_path / "partition.json")
    assert sorted(partition.select_counts) == [0] * 5 + [VIDEOS]
    assert len(frames_of(partition)) == VIDEOS


def test_without_videos_that_decide_there_are_no_figures(partition):
    everything = Division(share=0.9, threshold=2**64 - 1, select_videos=1, report_videos=SHARDS * VIDEOS - 1)
    sample = HoldoutSample(partition.model_copy(update={"division": everything}), batch_size=4)
    assert sample.measure(Recorder(), exclusive=False) == SampleFigures(gap=None, loss=None)


@pytest.mark.slow
@pytest.mark.usefixtures("large")
def test_other_shards_are_not_opened(partition):
    chosen, opened = frames_of(partition), 0
    for lost in partition.holdout:
        moved = lost.model_copy(update={"uri": f"{lost.uri}.lost"})
        holdout = tuple(moved if shard is lost else shard for shard in partition.holdout)
        try:
            assert frames_of(partition, holdout=holdout) == chosen
        except StorageError:
            opened += 1
    assert opened == 3


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("memory", [1 << 20, pytest.param(0, marks=pytest.mark.slow)])
def test_the_sample_is_the_same_in_every_epoch_with_and_without_memory(partition, monkeypatch, memory):
    monkeypatch.setattr(holdout_sample, "_MEMORY_BYTES", memory)
    sample, reads = HoldoutSample(partition, batch_size=4), []

    def read(*arguments, **options):
        reads.append(1)
        return read_videos(*arguments, **options)

    monkeypatch.setattr(holdout_sample, "read_videos", read)
    expected = frames_of(partition)
    reads.clear()
    for _ in range(2):
        recorder = Recorder()
        sample.measure(recorder, exclusive=False)
        assert recorder.frames == expected
    assert len(reads) == (1 if memory else 2)


def test_videos_without_labels_have_no_gap(partition, monkeypatch):

    def read_unlabeled(*arguments, **options):
        return read_videos(*arguments, **options).map(lambda batch: batch | {"labels": batch["labels"] * 0})

    monkeypatch.setattr(holdout_sample, "read_videos", read_unlabeled)
    figures = HoldoutSample(partition, batch_size=4).measure(Recorder(), exclusive=False)
    assert figures.gap is None
    assert figures.loss > 0


def test_predictions_that_are_not_numbers_have_no_finite_loss(partition):
    figures = HoldoutSample(partition, batch_size=4).measure(
        lambda frames, _: np.full((len(frames), 10), np.nan, np.float32), exclusive=False
    )
    assert figures.gap is None
    assert not np.isfinite(figures.loss)
