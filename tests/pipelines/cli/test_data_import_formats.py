"""`yt8m data import`: from files of every format, written by their usual libraries, to shards that are read back."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.support.imported import read_dataset
from yt8m.data.description import DatasetDescription

NAMES = ("bird", "cat", "dog, barking", "ünïcode")
SIZES = {"rgb": 5, "audio": 2}
COUNT = 60


@dataclass
class Own:
    """Own videos: features, labels and group by id."""

    features: dict[str, dict[str, np.ndarray]]
    labels: dict[str, list[str]]
    groups: dict[str, str]


def _own(least_frames: int = 1, most_frames: int = 4) -> Own:
    rng = np.random.default_rng(0)
    ids = [f"clip {number}" for number in rng.permutation(COUNT)]
    lengths = {video: int(rng.integers(least_frames, most_frames + 1)) for video in ids}
    features = {
        video: {
            name: (rng.normal(3 * place, 1 + place, (frames, size))).astype(np.float32)
            for place, (name, size) in enumerate(SIZES.items())
        }
        for video, frames in lengths.items()
    }
    labels = {video: [NAMES[number % 4], NAMES[0]][: 1 + (number % 4 > 2)] for number, video in enumerate(ids)}
    return Own(features, labels, {video: f"source {number % 12}" for number, video in enumerate(ids)})


def _labels_csv(folder: Path, own: Own) -> list[str]:
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "labels"))
        rows.writerows((video, "|".join(labels)) for video, labels in own.labels.items())
    return ["--labels", str(folder / "labels.csv"), "--label-separator", "|"]


def _labels_json(folder: Path, own: Own) -> list[str]:
    (folder / "labels.json").write_text(json.dumps(own.labels))
    return ["--labels", str(folder / "labels.json")]


def _labels_parquet(folder: Path, own: Own) -> list[str]:
    table = pa.table({"id": list(own.labels), "labels": list(own.labels.values())})
    pa.parquet.write_table(table, folder / "labels.parquet")
    return ["--labels", str(folder / "labels.parquet")]


def _npy_files(folder: Path, own: Own) -> list[str]:
    for name in SIZES:
        (folder / name).mkdir()
        for video, features in own.features.items():
            np.save(folder / name / f"{video}.npy", features[name])
    return [f"rgb={folder / 'rgb'}", f"audio={folder / 'audio'}", *_labels_csv(folder, own)]


def _npy_stacked(folder: Path, own: Own) -> list[str]:
    for name in SIZES:
        np.save(folder / f"{name}.npy", np.stack([features[name] for features in own.features.values()]))
    (folder / "ids.txt").write_text("".join(f"{video}\n" for video in own.features))
    arrays = [f"rgb={folder / 'rgb.npy'}", f"audio={folder / 'audio.npy'}"]
    return [*arrays, "--ids", str(folder / "ids.txt"), *_labels_json(folder, own)]


def _npz_files(folder: Path, own: Own) -> list[str]:
    (folder / "videos").mkdir()
    for video, features in own.features.items():
        arrays: dict[str, Any] = dict(features)
        np.savez(folder / "videos" / f"{video}.npz", **arrays)
    return [str(folder / "videos" / "*.npz"), *_labels_parquet(folder, own)]


def _npz_stacked(folder: Path, own: Own) -> list[str]:
    stacked: dict[str, Any] = {
        name: np.concatenate([features[name] for features in own.features.values()]) for name in SIZES
    }
    np.savez_compressed(folder / "videos.npz", id=np.array(list(own.features)), **stacked)
    return [str(folder / "videos.npz"), *_labels_csv(folder, own)]


def _parquet_videos(folder: Path, own: Own) -> list[str]:
    columns: dict[str, Any] = {"video_id": list(own.features), "tags": list(own.labels.values())}
    columns |= {"channel": list(own.groups.values())}
    columns |= {name: [features[name].tolist() for features in own.features.values()] for name in SIZES}
    pa.parquet.write_table(pa.table(columns), folder / "videos.parquet", row_group_size=17)
    return [str(folder / "videos.parquet"), "--labels-column", "tags", "--group-column", "channel"]


def _frame_rows(own: Own) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {"id": [], "t": []}
    for video, features in own.features.items():
        for frame, values in enumerate(features["rgb"]):
            rows["id"].append(video)
            rows["t"].append(frame)
            for name, size in SIZES.items():
                for column in range(size):
                    rows.setdefault(f"{name}_{column}", []).append(features[name][frame, column])
            del values
    return rows


def _parquet_frames(folder: Path, own: Own) -> list[str]:
    pa.parquet.write_table(pa.table(_frame_rows(own)), folder / "frames.parquet", row_group_size=13)
    return [str(folder / "frames.parquet"), "--frame-column", "t", *_labels_csv(folder, own)]


def _csv_videos(folder: Path, own: Own) -> list[str]:
    rows = _frame_rows(own)
    del rows["t"]
    rows["labels"] = ["|".join(labels) for labels in own.labels.values()]
    pa.csv.write_csv(pa.table(rows), folder / "videos.csv")
    return [str(folder / "videos.csv"), "--label-separator", "|"]


def _csv_frames(folder: Path, own: Own) -> list[str]:
    pa.csv.write_csv(pa.table(_frame_rows(own)), folder / "frames.csv")
    return [str(folder / "frames.csv"), "--frame-column", "t", *_labels_json(folder, own)]


def _hdf5_groups(folder: Path, own: Own) -> list[str]:
    with h5py.File(folder / "videos.h5", "w") as file:
        for video, features in own.features.items():
            group = file.create_group(video)
            for name, values in features.items():
                group.create_dataset(name, data=values)
    return [str(folder / "videos.h5"), *_labels_csv(folder, own)]


def _hdf5_stacked(folder: Path, own: Own) -> list[str]:
    with h5py.File(folder / "videos.h5", "w") as file:
        file.create_dataset("id", data=list(own.features), dtype=h5py.string_dtype())
        for name in SIZES:
            file.create_dataset(name, data=np.concatenate([each[name] for each in own.features.values()]))
    return [str(folder / "videos.h5"), *_labels_parquet(folder, own)]


# Functions that write a format, with the shortest and longest video that it can hold here.
FORMATS: dict[str, tuple[Callable[[Path, Own], list[str]], int, int]] = {
    "npy, a file per video": (_npy_files, 1, 4),
    "npy, stacked videos of equal length": (_npy_stacked, 3, 3),
    "npz, a file per video": (_npz_files, 1, 4),
    "npz, stacked vectors": (_npz_stacked, 1, 1),
    "parquet, a row per video": (_parquet_videos, 1, 4),
    "parquet, a row per frame": (_parquet_frames, 1, 4),
    "csv, a row per video": (_csv_videos, 1, 1),
    "csv, a row per frame": (_csv_frames, 1, 4),
    "hdf5, a group per video": (_hdf5_groups, 1, 4),
    "hdf5, stacked vectors": (_hdf5_stacked, 1, 1),
}


# One of each kind of file is quick.
@pytest.mark.parametrize(
    "name", [name if name.endswith("per video") else pytest.param(name, marks=pytest.mark.slow) for name in FORMATS]
)
def test_files_become_shards_that_hold_the_same(name: str, tmp_path: Path) -> None:
    write, least, most = FORMATS[name]
    own = _own(least, most)
    (tmp_path / "in").mkdir()
    arguments = write(tmp_path / "in", own)
    result = CliRunner().invoke(main, ["data", "import", *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output

    description = DatasetDescription.in_folder(str(tmp_path / "out"))
    assert dict(description.data.features) in (SIZES, dict(reversed(SIZES.items())))
    assert description.data.max_frames == max(len(each["rgb"]) for each in own.features.values())
    found = read_dataset(tmp_path / "out")
    assert found.keys() == own.features.keys()
    sides: dict[str, set[str]] = {}
    for video, features in own.features.items():
        side, labels, frames = found[video]
        assert set(labels) == set(own.labels[video])
        place = 0
        for feature, size in description.data.features.items():
            low, high = description.data.range_of(feature)
            expected, decoded = features[feature], frames[:, place : place + size]
            inside = (expected >= low) & (expected <= high)
            assert np.all(np.abs(decoded - expected)[inside] <= (high - low) / 510 * 1.001)
            assert inside.mean() > 0.9
            place += size
        sides.setdefault(own.groups[video], set()).add(side)
    assert set(description.videos) == {"train", "validate", "test"}
    if "--group-column" in arguments:
        assert all(len(each) == 1 for each in sides.values())
    else:
        assert description.videos == {"train": 48, "validate": 6, "test": 6}
    check = CliRunner().invoke(main, ["data", "check", str(tmp_path / "out" / "*.tfrecord")])
    assert check.exit_code == 0, check.output
