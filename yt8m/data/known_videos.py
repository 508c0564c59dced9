"""Videos to measure a model on that its run has read before: those of its training, and those of its hold-out."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.data.read_report import ReadReport
from yt8m.data.scan import Scan, name_video, scan_shards

Side = Literal["training", "hold-out"]
SIDES: tuple[Side, ...] = ("training", "hold-out")


@dataclass(frozen=True)
class KnownVideos:
    """Which of the measured videos have the id of a video of a run.

    Attributes:
        measured: The measured videos.
        spec: Features, classes and layout of the measured videos.
        in_training: Whether a training video has the id of each measured video, bool (N,).
        in_select: Whether a hold-out video by which the run decided has it, bool (N,).
        in_report: Whether a hold-out video by which the run decided nothing has it, bool (N,).
        changed: URIs of the run's shards whose content is another one than when the run read them.
    """

    measured: Scan
    spec: DataSpec
    in_training: NDArray[np.bool_]
    in_select: NDArray[np.bool_]
    in_report: NDArray[np.bool_]
    changed: tuple[str, ...]

    def name_first(self, chosen: NDArray[np.bool_]) -> str:
        """Name the first of the chosen videos by its id and its shard, which is read.

        Args:
            chosen: Mask of at least one video, bool (N,).
        """
        return name_video(self.measured, int(np.flatnonzero(chosen)[0]), self.spec)


def find_known_videos(measured: Partition, run: Partition, sides: Collection[Side] = SIDES) -> KnownVideos:
    """Compare the ids of videos to measure with those of a run. All these shards are read.

    Args:
        measured: Partition whose hold-out are the videos to measure.
        run: Partition of the run.
        sides: Sides of the run to compare with. None of the videos counts as known from another side.
    """
    quiet = ReadReport(log=False)
    found = scan_shards(measured.holdout_uris, measured.spec, "skip", quiet, "ids to measure")
    known = {"training": np.zeros(0, np.int64), "select": np.zeros(0, np.int64), "report": np.zeros(0, np.int64)}
    changed: list[str] = []
    for side, shards in (("training", run.training), ("hold-out", run.holdout)):
        if side not in sides:
            continue
        seed = run.division.seed if side == "hold-out" else None
        uris = [shard.uri for shard in shards]
        scan = scan_shards(uris, run.spec, "skip", quiet, f"ids of the {side} side", group_seed=seed)
        contents = {shard.uri: shard.content for shard in scan.shards}
        changed += [shard.uri for shard in shards if contents.get(shard.uri) != shard.content]
        if side == "training":
            known["training"] = scan.id_hashes
        else:
            reported = run.division.hashes_in_report(scan.group_hashes)
            known["select"], known["report"] = scan.id_hashes[~reported], scan.id_hashes[reported]
    masks = {f"in_{part}": np.isin(found.id_hashes, hashes) for part, hashes in known.items()}
    return KnownVideos(measured=found, spec=measured.spec, changed=tuple(changed), **masks)
