"""What `yt8m evaluate --run --input` says of videos that the run has read before."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pipelines.cli.format import describe_bytes
from yt8m import storage
from yt8m.data.partition import Partition, Shard, find_known
from yt8m.errors import StorageError

if TYPE_CHECKING:
    from yt8m.data.known_videos import KnownVideos, Side

# Most bytes of a side of the run that are read to compare ids: minutes on a disk, or to download.
_MOST_BYTES, _MOST_REMOTE_BYTES = 20 * 10**9, 10**9
_LEARNED = "Figures on videos that a model has learned say nothing about new ones."


class Comparison(NamedTuple):
    """What is known of the measured videos.

    Attributes:
        in_training: Number of videos with the id of a training video of the run. None if ids were not compared.
        in_select: Number of videos with the id of a hold-out video by which the run decided. None if ids were not
            compared.
        warnings: Sentences on this, and on what could not be compared.
    """

    in_training: int | None
    in_select: int | None
    warnings: tuple[str, ...]


def compare_with_run(measured: Partition, partition: Partition, run: str) -> Comparison:
    """Compare the ids of the videos of --input with those of both sides of a run.

    Args:
        measured: Partition whose hold-out are the videos of --input.
        partition: Partition of the run.
        run: Name of the run.
    """
    from yt8m.data.known_videos import find_known_videos

    shards: dict[Side, Sequence[Shard]] = {"training": partition.training, "hold-out": partition.holdout}
    reasons = {side: _why_not_read(each) for side, each in shards.items()}
    read = [side for side, reason in reasons.items() if not reason]
    warnings = []
    in_training = in_select = None
    if read:
        found = find_known_videos(measured, partition, read)
        if "training" in read:
            in_training = int(found.in_training.sum())
        if "hold-out" in read:
            in_select = int(found.in_select.sum())
        warnings += _about_videos(found, partition, run)
    for side, reason in reasons.items():
        if reason:
            both = find_known(measured.holdout, shards[side])
            warnings.append(_about_shards(side, both, len(measured.holdout), run, reason))
    return Comparison(in_training, in_select, tuple(warnings))


def find_missing(shards: Sequence[Shard]) -> list[str]:
    """Describe the shards of a run that are gone or have another size.

    Raises:
        StorageError: Their store cannot be asked.
    """
    problems = []
    for shard in shards:
        size = storage.stat(shard.uri).size if storage.exists(shard.uri) else -1
        if size < 0:
            problems.append(f"{shard.uri} is gone")
        elif size != shard.size_bytes:
            problems.append(f"{shard.uri} has {size:,} bytes instead of {shard.size_bytes:,}")
    return problems


def _why_not_read(shards: Sequence[Shard]) -> str:
    """Tell why shards of a run are not read to compare ids; return an empty string if they are."""
    remote = any(storage.is_remote(shard.uri) for shard in shards)
    size, most = sum(shard.size_bytes for shard in shards), _MOST_REMOTE_BYTES if remote else _MOST_BYTES
    if size > most:
        return f"which have {describe_bytes(size)}, at most {describe_bytes(most)} are read for this"
    try:
        missing = find_missing(shards)
    except StorageError as error:
        return f"some cannot be read: {error}"
    return missing[0] if missing else ""


def _about_videos(found: "KnownVideos", partition: Partition, run: str) -> list[str]:
    """Return sentences on the measured videos whose ids the run has."""
    total, sentences = f"{found.measured.videos:,}", []
    if found.in_training.any():
        sentences.append(
            f"--input: {found.in_training.sum():,} of {total} videos have the ids of training videos of {run}, for "
            f"instance {found.name_first(found.in_training)}. {_LEARNED}"
        )
    if found.in_select.any():
        part = "the part `select` of its hold-out" if partition.division.part == "report" else "its hold-out"
        sentences.append(
            f"--input: {found.in_select.sum():,} of {total} videos have the ids of videos that decide in {run} ({part})"
            f", for instance {found.name_first(found.in_select)}. Epochs, averages, teachers and weights were chosen "
            "by them, and so are the thresholds of --by-class, so that figures are too good."
        )
    if found.changed:
        sentences.append(
            f"--input: ids were compared with what the shards of {run} have now, but {len(found.changed)} of these "
            f"have changed since it read them, for instance {found.changed[0]}."
        )
    return sentences


def _about_shards(side: "Side", both: Sequence[Shard], total: int, run: str, reason: str) -> str:
    """Say what was found by whole shards of a side, whose ids were not compared."""
    if both:
        harm = _LEARNED if side == "training" else "The run chose by some of their videos."
        found = f"{len(both)} of {total} shards are {side} shards of {run}, for instance {both[0].uri}. {harm}"
    else:
        found = f"no shard of {total} is a {side} shard of {run}."
    return (
        f"--input: {found} Only whole shards were compared with this side, not the ids of videos: of its shards, "
        f"{reason}."
    )
