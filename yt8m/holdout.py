"""The division of the hold-out into two parts: *select*, on which everything is decided, and *report*.

Which part a video belongs to depends on its id, or its group if it has one, on the seed and on the ids of the other
hold-out videos. It depends neither on the order of the videos nor on the number of shards.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt

from yt8m.config import Config
from yt8m.errors import DataError

# Part of the hold-out on which figures are computed: `report`, or the whole hold-out if it is not divided.
Part = Literal["report", "hold-out"]

_HASH_BYTES = 8


class Division(Config):
    """The division of the hold-out; by default there is none, and both parts are the whole hold-out.

    Attributes:
        share: Share of the videos that was asked for *report*. 0 means that the hold-out is not divided.
        seed: Seed of the hashes.
        threshold: A video belongs to *report* if the hash of its group or id is smaller; see `hash_keys`.
        select_videos: Number of videos in *select*.
        report_videos: Number of videos in *report*.
    """

    share: float = Field(default=0.0, ge=0, lt=1)
    seed: NonNegativeInt = 0
    threshold: NonNegativeInt = 0
    select_videos: NonNegativeInt = 0
    report_videos: NonNegativeInt = 0

    @property
    def part(self) -> Part:
        """Part of the hold-out on which figures are computed."""
        return "report" if self.threshold else "hold-out"

    def in_report(self, keys: Iterable[bytes]) -> NDArray[np.bool_]:
        """Tell which videos belong to *report*; none if the hold-out is not divided.

        Args:
            keys: Group or id of each of `N` videos.

        Returns:
            Mask, bool `(N,)`.
        """
        return self.hashes_in_report(hash_keys(keys, self.seed))

    def hashes_in_report(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell like `in_report` which videos belong to *report*, from the hashes of their groups or ids, `(N,)`."""
        return hashes < np.uint64(self.threshold)

    @classmethod
    def of(
        cls,
        hashes: NDArray[np.uint64],
        labeled: NDArray[np.bool_],
        share: float,
        seed: int,
        *,
        spare_shards: int = 0,
    ) -> Self:
        """Divide videos so that the number in *report* is as near to the share as it can be.

        Args:
            hashes: Hash of the group or id of each video, uint64 `(N,)`.
            labeled: Whether each video has labels, bool `(N,)`.
            share: Share of *report*. 0 means no division.
            seed: Seed of the hashes.
            spare_shards: Number of validation shards that could be held out, too, for the error message.

        Raises:
            DataError: There are no two parts with labels.
        """
        videos = len(hashes)
        if not share:
            return cls(select_videos=videos, report_videos=videos)
        order = np.argsort(hashes, kind="stable")
        ordered, with_labels = hashes[order], np.cumsum(labeled[order])
        # Borders between videos of different groups, with labels on both sides.
        borders = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        before = with_labels[borders - 1]
        borders = borders[(before > 0) & (before < labeled.sum())]
        if not borders.size:
            raise indivisible(share, _too_few(hashes, labeled), spare_shards)
        border = int(borders[np.argmin(np.abs(borders - share * videos))])
        return cls(
            share=share,
            seed=seed,
            threshold=int(ordered[border]),
            select_videos=videos - border,
            report_videos=border,
        )


def indivisible(share: float, reason: str, spare_shards: int = 0) -> DataError:
    """Return the error for a hold-out that cannot be divided.

    Args:
        share: Share of *report* that was asked for.
        reason: Why it cannot be divided.
        spare_shards: Number of validation shards that could be held out, too.
    """
    more = f" Or hold out more of the {spare_shards} other validation shards (data.holdout_shards)."
    return DataError(
        f"data.report_share: {share}: the hold-out cannot be divided into a part to decide on and a part to report on, "
        f"because {reason}. Set data.report_share: 0, which decides and reports on the same videos. Or put labeled "
        "videos of more groups on the validation side, for instance with a larger share of it in `yt8m data import "
        f"--split`.{more * (spare_shards > 0)}"
    )


def hash_keys(keys: Iterable[bytes], seed: int, purpose: str = "") -> NDArray[np.uint64]:
    """Hash groups or ids of videos to 64 bits: the first 8 bytes, big-endian, of SHA-256 of `SEED:KEY`.

    Args:
        keys: Groups or ids of `N` videos.
        seed: Seed, written as a decimal number in front of each key.
        purpose: What the hashes are for, written after the seed: `SEED PURPOSE:KEY`. The hashes of two purposes have
            nothing to do with each other. By default, they divide the hold-out.

    Returns:
        Hashes, uint64 `(N,)`.
    """
    start = hashlib.sha256(f"{seed}{' ' * bool(purpose)}{purpose}:".encode())
    digests = []
    for key in keys:
        hashed = start.copy()
        hashed.update(key)
        digests.append(hashed.digest()[:_HASH_BYTES])
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)


def _too_few(hashes: NDArray[np.uint64], labeled: NDArray[np.bool_]) -> str:
    if labeled.sum() < 2:
        return f"{int(labeled.sum())} of its {len(hashes)} videos has labels"
    return f"all of its {int(labeled.sum())} labeled videos have one group or id"
