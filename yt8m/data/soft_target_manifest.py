"""Which sidecar holds the soft targets of which training shard, and what made them."""

from pathlib import Path

from pydantic import Field, PositiveInt

from yt8m.config import Config, ConfigFile
from yt8m.data.partition import Partition
from yt8m.data.tfrecord import inspect_framing, read_payloads
from yt8m.errors import DataError


class SoftTargetEncoding(Config):
    """How a video's C probabilities are stored, in float16.

    Dense: all of them, 2 C bytes (7,724 at 3,862 classes). Top K: the K largest with their classes, 4 K bytes;
    every other class gets the mean of what was left out, so that the sum stays.

    Attributes:
        top_k: K, or `None` for dense.
    """

    top_k: PositiveInt | None = None


class SoftTargetManifest(ConfigFile):
    """Describes the soft targets of a partition's training shards, or of a part of them.

    Attributes:
        teachers: Names of the models whose mean prediction is stored.
        num_classes: C.
        encoding: How it is stored.
        partition_digest: `Partition.digest` of the partition whose training shards were predicted.
        recipe_hash: Identifies teachers, encoding and data; every sidecar begins with it.
        sidecars: URI of each training shard to the URI of its sidecar.
        videos: Soft targets in all.
    """

    teachers: tuple[str, ...] = Field(min_length=1)
    num_classes: PositiveInt
    encoding: SoftTargetEncoding
    partition_digest: str
    recipe_hash: str
    sidecars: dict[str, str]
    videos: int

    def check_fits(self, partition: Partition, source: str | Path) -> None:
        """Refuse soft targets that were not made for a partition.

        Args:
            partition: What a student is about to be trained on.
            source: Where the manifest came from; errors begin with it.

        Raises:
            DataError: Other classes, other data, or a training shard without soft targets.
        """
        remedy = "Make the soft targets anew for this partition."
        classes = partition.spec.num_classes
        if self.num_classes != classes:
            raise DataError(f"{source}: soft targets for {self.num_classes} classes, but {classes} expected. {remedy}")
        missing = [uri for uri in partition.training_uris if uri not in self.sidecars]
        if missing:
            raise DataError(f"{source}: no soft targets for {missing[0]} ({len(missing)} such shards). {remedy}")
        if self.partition_digest != partition.digest:
            received = self.partition_digest[:12]
            raise DataError(f"{source}: made for partition {received}, but it is {partition.digest[:12]}. {remedy}")


def sidecar_name(shard_index: int, shard_uri: str) -> str:
    """File name of a training shard's sidecar: shards of different folders may have the same name.

    Args:
        shard_index: Position in the partition's training list.
        shard_uri: The shard.
    """
    return f"{shard_index:05d}-{shard_uri.rsplit('/', 1)[-1]}"


def sidecar_fault(path: Path, recipe_hash: str, videos: int | None = None) -> str:
    """Say what is wrong with a sidecar's framing, make or number of videos; reads a few bytes of every record.

    Args:
        path: The sidecar or its local copy.
        recipe_hash: What must have made it (`SoftTargetManifest.recipe_hash`), which its first record tells.
        videos: Usable videos of its shard, where that is known.

    Returns:
        Empty when nothing is.
    """
    framing = inspect_framing(path, verify_payloads=False)
    if framing.damage:
        return f"damaged at byte {framing.damage.offset}: {framing.damage.reason}"
    (made_by,) = read_payloads(path, 0, 1)
    if made_by != recipe_hash.encode():
        received = made_by.decode("ascii", "replace")
        return f"made by recipe {received[:12]!r} where {recipe_hash[:12]!r} is expected: other teachers or other data"
    found = framing.records - 1
    return "" if videos in {None, found} else f"{found} soft targets for {videos} videos"
