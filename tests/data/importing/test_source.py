"""Sources: all formats of the same videos give the same stream, in bounded memory."""

import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.sources import (
    Videos,
    read,
    some_videos,
    write_csv,
    write_csv_frames,
    write_hdf5_groups,
    write_hdf5_ragged,
    write_npy_folders,
    write_npz_files,
    write_padded_npz,
    write_parquet,
    write_parquet_frames,
)
from yt8m.data.importing.source import SourceOptions, open_source

FORMATS: dict[str, Callable[[Path, Videos], Sequence[Path | str]]] = {
    "npz, one file per video": lambda folder, videos: [write_npz_files(folder / "npz", videos)],
    "npy, one folder per feature": lambda folder, videos: write_npy_folders(folder / "npy", videos),
    "npz, stacked and padded": lambda folder, videos: [write_padded_npz(folder / "padded.npz", videos)],
    "parquet, one row per video": lambda folder, videos: [write_parquet(folder / "videos.parquet", videos)],
    "parquet, one row per frame": lambda folder, videos: [write_parquet_frames(folder / "frames.parquet", videos)],
    "csv, one row per video": lambda folder, videos: [write_csv(folder / "videos.csv", videos)],
    "csv, one row per frame": lambda folder, videos: [write_csv_frames(folder / "frames.csv", videos)],
    "hdf5, one group per video": lambda folder, videos: [write_hdf5_groups(folder / "groups.h5", videos)],
    "hdf5, ragged": lambda folder, videos: [write_hdf5_ragged(folder / "ragged.h5", videos)],
}

IDS = st.from_regex(r"[a-zA-Z0-9äöé_-][a-zA-Z0-9äöé _-]{0,10}[a-z]", fullmatch=True)
LENGTHS = st.dictionaries(IDS, st.integers(1, 4), min_size=2, max_size=5)


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
@given(lengths=LENGTHS, seed=st.integers(0, 99))
@settings(max_examples=5, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_all_formats_give_the_same_videos(write: Callable, lengths: dict[str, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    expected = {
        identity: {
            name: rng.normal(size=(length, size)).astype(np.float32) for name, size in (("rgb", 3), ("audio", 2))
        }
        for identity, length in sorted(lengths.items(), key=lambda item: item[0].encode())
    }
    with TemporaryDirectory() as folder:
        found = read(*write(Path(folder), expected))
    assert [video.id for video in found] == list(expected)
    for video, features in zip(found, expected.values(), strict=True):
        assert list(video.features) == ["rgb", "audio"]
        for name, values in features.items():
            np.testing.assert_array_equal(video.features[name], values)


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_places_name_the_file(tmp_path: Path, write: Callable) -> None:
    sources = write(tmp_path, some_videos())
    assert all(str(tmp_path) in video.where for video in read(*sources))


@pytest.mark.parametrize(
    "name",
    ["npz, stacked and padded", "parquet, one row per frame", "csv, one row per frame", "hdf5, ragged"],
)
@pytest.mark.slow
def test_memory_grows_by_few_bytes_per_video(tmp_path: Path, name: str) -> None:
    few, many = 1500, 4000
    peaks = [_peak(FORMATS[name](tmp_path / str(count), _tiny(tmp_path / str(count), count))) for count in (few, many)]
    assert (peaks[1] - peaks[0]) / (many - few) < 200


def _tiny(folder: Path, count: int) -> Videos:
    folder.mkdir()
    return some_videos(count, rgb=2, audio=2)


def _peak(sources: Sequence[Path | str]) -> int:
    """Return the most memory that two passes over a source take."""
    list(open_source([str(each) for each in sources], SourceOptions()))  # loads modules
    tracemalloc.start()
    source = open_source([str(each) for each in sources], SourceOptions())
    for _ in range(2):
        for _ in source:
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
