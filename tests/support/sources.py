"""Files of own videos, as the usual library of each format writes them."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from yt8m.data.importing.options import SourceOptions
from yt8m.data.importing.source import open_source
from yt8m.data.importing.video import SourceVideo

# Frames (T, D) of every feature, by id.
Videos = Mapping[str, Mapping[str, NDArray]]


def some_videos(count: int = 4, seed: int = 0, **sizes: int) -> dict[str, dict[str, NDArray]]:
    """Make videos of 1, 2, 3, 1, ... frames. The default features are rgb (4) and audio (2)."""
    rng = np.random.default_rng(seed)
    return {
        f"clip{index:03}": {
            name: rng.normal(size=(index % 3 + 1, size)).astype(np.float32)
            for name, size in (sizes or {"rgb": 4, "audio": 2}).items()
        }
        for index in range(count)
    }


def read(*paths: Path | str, **options: Any) -> list[SourceVideo]:
    """Read all videos of a source, twice, and return them if both passes are equal."""
    source = open_source([str(path) for path in paths], SourceOptions(**options))
    videos, again = list(source), list(source)
    assert [video.id for video in videos] == [video.id for video in again]
    for video in videos:
        assert {name: matrix.shape[1] for name, matrix in video.features.items()} == source.features
        assert all(matrix.dtype == np.float32 for matrix in video.features.values())
    return videos


def write_npz_files(folder: Path, videos: Videos) -> Path:
    """Write a file per video."""
    folder.mkdir()
    for identity, features in videos.items():
        np.savez(folder / f"{identity}.npz", **dict[str, Any](features))
    return folder


def write_npy_folders(folder: Path, videos: Videos) -> list[str]:
    """Write a folder per feature, with a file per video, and return the sources."""
    names = list(next(iter(videos.values())))
    for name in names:
        (folder / name).mkdir(parents=True)
        for identity, features in videos.items():
            np.save(folder / name / f"{identity}.npy", features[name])
    return [f"{name}={folder / name}" for name in names]


def write_padded_npz(path: Path, videos: Videos) -> Path:
    """Write one file with all videos, padded to the longest one."""
    lengths = [len(next(iter(features.values()))) for features in videos.values()]
    arrays = {
        name: np.stack(
            [
                np.pad(features[name], ((0, max(lengths) - len(features[name])), (0, 0)), constant_values=9)
                for features in videos.values()
            ]
        )
        for name in next(iter(videos.values()))
    }
    np.savez_compressed(path, ids=np.array(list(videos)), num_frames=np.array(lengths), **dict[str, Any](arrays))
    return path


def write_parquet(path: Path, videos: Videos, **columns: Sequence) -> Path:
    """Write one row per video, with lists of lists."""
    names = next(iter(videos.values()))
    features = {name: [each[name].tolist() for each in videos.values()] for name in names}
    pa.parquet.write_table(pa.table({"id": list(videos), **features, **columns}), path, row_group_size=2)
    return path


def write_parquet_frames(path: Path, videos: Videos) -> Path:
    """Write one row per frame, with a list of fixed size per feature."""
    names = list(next(iter(videos.values())))
    rows = frame_rows(videos)
    columns = {
        name: pa.array([row[2 + index].tolist() for row in rows], pa.list_(pa.float32(), len(rows[0][2 + index])))
        for index, name in enumerate(names)
    }
    table = pa.table({"video_id": [row[0] for row in rows], "frame": [row[1] for row in rows], **columns})
    pa.parquet.write_table(table, path, row_group_size=2)
    return path


def write_csv_frames(path: Path, videos: Videos) -> Path:
    """Write one row per frame with Python's library, with numbered columns."""
    names = next(iter(videos.values()))
    header = [f"{name}_{number}" for name in names for number in range(next(iter(videos.values()))[name].shape[1])]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "frame_index", *header])
        for identity, frame, *features in frame_rows(videos):
            rows.writerow([identity, frame, *(repr(float(value)) for each in features for value in each)])
    return path


def write_csv(path: Path, videos: Videos) -> Path:
    """Write one row per video with PyArrow, with the frames as JSON."""
    names = next(iter(videos.values()))
    columns = {name: [json.dumps(each[name].tolist()) for each in videos.values()] for name in names}
    pa.csv.write_csv(pa.table({"id": list(videos), **columns}), path)
    return path


def write_hdf5_groups(path: Path, videos: Videos) -> Path:
    """Write a group per video, inside another group."""
    import h5py  # noqa: PLC0415 - most tests do without

    with h5py.File(path, "w") as file:
        for identity, features in videos.items():
            group = file.create_group(f"clips/{identity}", track_order=True)
            for name, values in features.items():
                group[name] = values
    return path


def write_hdf5_ragged(path: Path, videos: Videos) -> Path:
    """Write the frames of all videos below each other, with their lengths."""
    import h5py  # noqa: PLC0415 - most tests do without

    names = list(next(iter(videos.values())))
    with h5py.File(path, "w", track_order=True) as file:
        file["ids"] = list(videos)
        file["lengths"] = [len(features[names[0]]) for features in videos.values()]
        for name in names:
            file[name] = np.concatenate([features[name] for features in videos.values()])
    return path


def frame_rows(videos: Videos) -> list[tuple]:
    """Return id, number and features of every frame."""
    return [
        (identity, frame, *(values[frame] for values in features.values()))
        for identity, features in videos.items()
        for frame in range(len(next(iter(features.values()))))
    ]
