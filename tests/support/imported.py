"""Imported data sets, read back as training reads them."""

import csv
from pathlib import Path

import numpy as np

from yt8m.data.description import DatasetDescription
from yt8m.data.format import scale_and_offset
from yt8m.data.reading import data_errors, read_videos


def read_dataset(folder: Path) -> dict[str, tuple[str, list[str], np.ndarray]]:
    """Read an imported data set by the project's reader: side, names of labels, and floats by id."""
    description = DatasetDescription.in_folder(str(folder))
    spec = description.data
    with (folder / description.vocabulary).open(encoding="utf-8", newline="") as file:
        names = {int(row["Index"]): row["Name"] for row in csv.DictReader(file)}
    scale = np.concatenate([np.full(size, scale_and_offset(*spec.range_of(n))[0]) for n, size in spec.features.items()])
    offset = np.concatenate(
        [np.full(size, scale_and_offset(*spec.range_of(n))[1]) for n, size in spec.features.items()]
    )
    found = {}
    for side, count in description.shards.items():
        shards = sorted(map(str, folder.glob(f"{side}*.tfrecord")))
        assert len(shards) == count
        with data_errors():
            for batch in read_videos(shards, spec, batch_size=16, on_bad="fail").as_numpy_iterator():
                for place, identity in enumerate(batch["ids"]):
                    frames = batch["frames"][place, : batch["num_frames"][place]] * scale + offset
                    labels = [names[number] for number in np.flatnonzero(batch["labels"][place]).tolist()]
                    assert identity.decode() not in found
                    found[identity.decode()] = (side, labels, frames)
    return found
