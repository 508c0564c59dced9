"""Checks of the two sides of a partition: labels, copies of shards, and videos on both sides.

What no model can be trained on or measured with is refused. What may be wrong is told in a sentence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from yt8m.data.checking.labels import explain_missing_labels, first_records, propose_two_classes
from yt8m.data.checking.remarks import remark_on_bytes
from yt8m.data.format import DataSpec
from yt8m.data.scan import Scan, name_video
from yt8m.data.vocabulary.names import ClassNames
from yt8m.errors import DataError

# Share of the videos of a side that should have a label. YouTube-8M's all have one.
LEAST_LABELED = 0.9
# Share of the hold-out's labels that may be of classes without a training video.
MOST_UNTRAINED = 0.01
# Share of the hold-out's videos that may be training videos, too, before the data are refused.
MOST_SHARED = 0.5
# Difference of the shares of frame-level videos on the two sides from which the data are refused.
MOST_OF_OTHER_KIND = 0.5
_MOST_LISTED = 3

# Content of a shard and ids of its videos.
Content = tuple[tuple[str, int], bytes]


@dataclass(frozen=True)
class Sides:
    """Scans of the two sides, and the names of the classes for messages."""

    training: Scan
    holdout: Scan
    names: ClassNames = field(default_factory=ClassNames)

    @property
    def by_name(self) -> dict[str, Scan]:
        """The scans by name of the side, for messages."""
        return {"training": self.training, "hold-out": self.holdout}

    def classes(self, scan: Scan) -> str:
        """List the classes that have videos on a side."""
        return self.names.listing(np.flatnonzero(scan.class_counts).tolist())

    @property
    def untrained(self) -> list[int]:
        """Classes that have videos on the hold-out, but none in training."""
        return np.flatnonzero((self.training.class_counts == 0) & (self.holdout.class_counts > 0)).tolist()

    @cached_property
    def shared(self) -> NDArray[np.int64]:
        """Indices of the hold-out videos whose id a training video has."""
        return self.holdout.videos_in(self.training)


def check_labels(sides: Sides, spec: DataSpec) -> None:
    """Check that both sides have labels, and that those of the training videos differ.

    Raises:
        DataError: They do not. The message says what the records have.
    """
    for name, scan in sides.by_name.items():
        if not scan.class_counts.any():
            instead = explain_missing_labels(first_records(scan.shards[0].uri), spec)
            raise DataError(f"no labeled video in the {name} shards ({len(scan.shards)}): {instead}")
    if _same_labels(sides.training) and sides.training.videos > 1:
        classes = np.flatnonzero(sides.training.class_counts).tolist()
        two = propose_two_classes(spec) if spec.layout.label_form == "numbers" and classes == [0, 1] else ""
        raise DataError(
            f"all {sides.training.videos:,} training videos have the same labels ({sides.classes(sides.training)}): "
            f"there is nothing to tell apart. Add videos of other classes.{' ' * bool(two)}{two}"
        )
    if not sides.holdout.class_counts[sides.training.class_counts > 0].any():
        raise DataError(
            f"no training video has a class of the hold-out videos ({sides.classes(sides.holdout)} there, "
            f"{sides.classes(sides.training)} in training). Take both from the same data, or mix their videos with "
            "`yt8m data split`."
        )


def check_frames(sides: Sides, spec: DataSpec) -> None:
    """Check that the features of the training videos differ, and that both sides are of one kind.

    Raises:
        DataError: No feature differs between the middle frames of training videos, or one side mostly has frames and
            the other one vector per video.
    """
    found = sides.training.features
    constant = [name for name in found if found[name].constant]
    if len(constant) == len(found) and sides.training.videos > 1:
        clipped = {name: found[name].clipped_share for name in found}
        remarks = " ".join(remark_on_bytes(clipped, constant, spec))
        raise DataError(
            f"the features of all {sides.training.videos:,} training videos have the same bytes: no model can tell "
            f"them apart. {remarks}"
        )
    training, holdout = (sum(scan.frame_level.values()) / scan.videos for scan in sides.by_name.values())
    if abs(training - holdout) > MOST_OF_OTHER_KIND:
        (frames, of_frames), (vectors, of_vectors) = sorted(
            sides.by_name.items(), key=lambda side: -sum(side[1].frame_level.values()) / side[1].videos
        )
        raise DataError(
            f"the {frames} shards have videos of many frames, such as {_shard_of_kind(of_frames, frames=True)}; the "
            f"{vectors} shards have one vector per video, such as {_shard_of_kind(of_vectors, frames=False)}. Models "
            "that learn from one do not understand the other. Give shards of one kind for both sides."
        )


def find_copies(sides: Sides) -> dict[str, str]:
    """Find shards that have the content of another one of their side.

    Returns:
        URI of the shard with the shortest name that has this content, by URI of the copy.

    Raises:
        DataError: A hold-out shard has the content of a training shard.
    """
    originals: dict[str, dict[Content, str]] = {}
    copies: dict[str, str] = {}
    for name, scan in sides.by_name.items():
        equal: dict[Content, list[str]] = {}
        for shard, end in zip(scan.shards, scan.ends, strict=True):
            # A checksum of 32 bits alone would be equal by chance for some of thousands of shards.
            ids = scan.id_hashes[end - shard.videos : end].tobytes()
            equal.setdefault((shard.content, ids), []).append(shard.uri)
        # The names of copies are usually longer: `train0 (1).tfrecord`.
        originals[name] = {content: min(uris, key=lambda uri: (len(uri), uri)) for content, uris in equal.items()}
        for content, uris in equal.items():
            copies |= {uri: originals[name][content] for uri in uris if uri != originals[name][content]}
    both = originals["training"].keys() & originals["hold-out"].keys()
    pairs = sorted((originals["hold-out"][content], originals["training"][content]) for content in both)
    if pairs:
        listed = "; ".join(f"{one} and {other}" for one, other in pairs[:_MOST_LISTED])
        raise DataError(
            f"{len(pairs)} hold-out shards have the same content as training shards: {listed}"
            f"{'; ...' * (len(pairs) > _MOST_LISTED)}. Remove one of each pair, or change the patterns so that they "
            "match only one."
        )
    return copies


def check_shared_videos(sides: Sides, spec: DataSpec) -> None:
    """Check that the hold-out measures more than what was memorized.

    Raises:
        DataError: Most hold-out videos are training videos, too. Ids that do not tell videos apart prove nothing.
    """
    holdout = sides.holdout
    if len(sides.shared) > MOST_SHARED * holdout.videos and len(np.unique(holdout.id_hashes)) > holdout.videos / 2:
        raise DataError(
            f"{explain_shared(sides, spec)} Take the hold-out from other videos. If these are different videos, give "
            "each an id of its own."
        )


def find_doubts(sides: Sides, copies: Mapping[str, str], spec: DataSpec) -> Iterator[str]:
    """Yield a sentence for everything that may be wrong with the data, but does not prevent a training.

    Args:
        sides: The sides, without copies.
        copies: Copies that were left out; see `find_copies`.
        spec: Features and classes.
    """
    if copies:
        copy, original = next(iter(copies.items()))
        yield f"{_count(len(copies), 'shard')} left out as copies, for instance {copy} of {original}."
    yield from filter(None, (explain_shared(sides, spec), _shared_groups(sides, spec) if spec.layout.group else ""))
    for name, scan in sides.by_name.items():
        if repeated := scan.videos - len(np.unique(scan.id_hashes)):
            yield f"{repeated:,} of {scan.videos:,} {name} videos have the id of another one of these."
        labeled = sum(scan.labeled.values())
        # Where the data have one class, the other videos have none.
        if labeled < LEAST_LABELED * scan.videos and spec.num_classes > 1:
            yield f"Only {labeled:,} of {scan.videos:,} {name} videos have a label ({labeled / scan.videos:.1%})."
        if unlabeled := [uri for uri, count in scan.labeled.items() if not count]:
            yield (
                f"{len(unlabeled)} of {len(scan.labeled)} {name} shards have no labeled video, for instance "
                f"{unlabeled[0]}. Test shards have none."
            )
        yield from _doubts_about_frames(name, scan, spec)
    if _same_labels(sides.holdout):
        yield f"All hold-out videos have the same labels ({sides.classes(sides.holdout)}), so that they measure little."
    elif (sides.holdout.class_counts > 0).sum() == 1 and spec.num_classes > 1:
        yield f"Only one class has videos on the hold-out ({sides.classes(sides.holdout)})."
    if untrained := explain_untrained(sides):
        yield untrained


def explain_shared(sides: Sides, spec: DataSpec) -> str:
    """Describe the videos on both sides, with the first of them; return an empty string if there is none."""
    if not len(sides.shared):
        return ""
    number = int(sides.shared[0])
    other = int(np.flatnonzero(sides.training.id_hashes == sides.holdout.id_hashes[number])[0])
    return (
        f"{len(sides.shared):,} of {sides.holdout.videos:,} hold-out videos are training videos, too, for instance "
        f"{name_video(sides.holdout, number, spec)} and {sides.training.place_of(other)[0]}."
    )


def explain_untrained(sides: Sides) -> str:
    """Describe the classes of the hold-out without a training video; return an empty string if they have few labels."""
    untrained = sides.holdout.class_counts[sides.untrained].sum() / sides.holdout.class_counts.sum()
    if untrained <= MOST_UNTRAINED:
        return ""
    return (
        f"Classes of hold-out videos without a training video: {len(sides.untrained)}, with {untrained:.1%} of the "
        f"hold-out's labels: {sides.names.listing(sides.untrained)}."
    )


def figures_of(sides: Sides, copies: Mapping[str, str]) -> dict[str, float]:
    """Return metrics of labels, copies and repeated videos."""
    scans = sides.by_name.values()
    return {
        "unlabeled_videos": float(sum(scan.videos - sum(scan.labeled.values()) for scan in scans)),
        "holdout_classes_without_training_video": float(len(sides.untrained)),
        "holdout_videos_in_training": float(len(sides.shared)),
        "repeated_videos": float(sum(scan.videos - len(np.unique(scan.id_hashes)) for scan in scans)),
        "copied_shards": float(len(copies)),
    }


def _doubts_about_frames(name: str, scan: Scan, spec: DataSpec) -> Iterator[str]:
    number = sum(scan.frame_level.values())
    if 0 < number < scan.videos:
        yield (
            f"{number:,} of {scan.videos:,} {name} videos have frames, such as those in "
            f"{_shard_of_kind(scan, frames=True)}; the others have one vector each, such as those in "
            f"{_shard_of_kind(scan, frames=False)}. Better give shards of one kind."
        )
    clipped = {feature: found.clipped_share for feature, found in scan.features.items()}
    constant = [feature for feature, found in scan.features.items() if found.constant and scan.videos > 1]
    yield from (f"In the {name} videos: {remark}" for remark in remark_on_bytes(clipped, constant, spec))


def _shard_of_kind(scan: Scan, *, frames: bool) -> str:
    """Return the shard with the largest share of videos with frames, or of videos without."""
    shares = {shard.uri: scan.frame_level[shard.uri] / shard.videos for shard in scan.shards}
    return (max if frames else min)(shares, key=lambda uri: shares[uri])


def _same_labels(scan: Scan) -> bool:
    return bool(np.isin(scan.class_counts, (0, scan.videos)).all())


def _shared_groups(sides: Sides, spec: DataSpec) -> str:
    """Describe the groups on both sides, with the first of them; return an empty string if there is none."""
    holdout, training = sides.holdout.group_hashes, sides.training.group_hashes
    # A video without a group is one of its own; whether it is on both sides is a question of ids.
    shared = np.setdiff1d(np.flatnonzero(np.isin(holdout, training)), sides.shared, assume_unique=True)
    if not len(shared):
        return ""
    number = int(shared[0])
    other = int(np.flatnonzero(training == holdout[number])[0])
    return (
        f"{len(shared):,} of {sides.holdout.videos:,} hold-out videos are of groups that have training videos, too, so "
        f"that figures are too high. For instance, {name_video(sides.holdout, number, spec)} has the group of "
        f"{name_video(sides.training, other, spec)}. Take each group to one side, as `yt8m data import` does."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
