"""Manifest of soft targets: the sidecar of every training shard, and their origin."""

from pathlib import Path

from pydantic import Field, PositiveInt

from yt8m.config import Config, ConfigFile
from yt8m.data.partition import Partition
from yt8m.data.tfrecord import inspect_framing, read_payloads
from yt8m.errors import DataError

# Overhead of a record: TFRecord's frame, the Example's tags, the video's id; with top-K encoding also the probability
# of all other classes.
_DENSE_RECORD_BYTES, _TOP_K_RECORD_BYTES = 62, 99
_PROBABILITY_BYTES, _CLASS_BYTES = 2, 2


class SoftTargetEncoding(Config):
    """Encoding of a video's `C` probabilities as float16.

    Dense encoding stores all of them in 2 C bytes (7,724 bytes for 3,862 classes). Top-K encoding stores the K largest
    with their classes in 4 K bytes; every other class gets the mean of the omitted ones, which preserves the sum.

    Attributes:
        top_k: Number of probabilities `K` to store. None means dense encoding.
    """

    top_k: PositiveInt | None = None

    def record_bytes(self, num_classes: int) -> int:
        """Return the size of a video's record in a sidecar, with a video id of four letters."""
        if self.top_k is None or self.top_k >= num_classes:
            return num_classes * _PROBABILITY_BYTES + _DENSE_RECORD_BYTES
        return self.top_k * (_PROBABILITY_BYTES + _CLASS_BYTES) + _TOP_K_RECORD_BYTES


class SoftTargetManifest(ConfigFile):
    """Soft targets of all training shards of a partition, or of some of them.

    Attributes:
        teachers: Names of the models whose mean prediction is stored.
        num_classes: Number of classes `C`.
        encoding: Encoding of the probabilities.
        partition_digest: `Partition.digest` of the partition with the training shards.
        recipe_hash: Hash of teachers, encoding and data; the first record of every sidecar.
        sidecars: URI of the sidecar of each training shard, by URI of the shard.
        videos: Total number of soft targets.
    """

    teachers: tuple[str, ...] = Field(min_length=1)
    num_classes: PositiveInt
    encoding: SoftTargetEncoding
    partition_digest: str
    recipe_hash: str
    sidecars: dict[str, str]
    videos: int

    def check_fits(self, partition: Partition, source: str | Path) -> None:
        """Check that the soft targets belong to a partition.

        Args:
            partition: Partition for training the student.
            source: Path of the manifest, for error messages.

        Raises:
            DataError: The classes or the data differ, or a training shard has no soft targets.
        """
        remedy = "Create soft targets for this partition."
        classes = partition.spec.num_classes
        if self.num_classes != classes:
            raise DataError(f"{source}: soft targets for {self.num_classes} classes, but {classes} expected. {remedy}")
        missing = [uri for uri in partition.training_uris if uri not in self.sidecars]
        if missing:
            raise DataError(f"{source}: no soft targets for {missing[0]} ({len(missing)} such shards). {remedy}")
        if self.partition_digest != partition.digest:
            received = self.partition_digest[:12]
            raise DataError(f"{source}: made for partition {received}, not for {partition.digest[:12]}. {remedy}")


def sidecar_name(shard_index: int, shard_uri: str) -> str:
    """Return the file name of a training shard's sidecar; unique even if shards of several folders share a name.

    Args:
        shard_index: Index of the shard in the partition's training list.
        shard_uri: URI of the shard.
    """
    return f"{shard_index:05d}-{shard_uri.rsplit('/', 1)[-1]}"


def sidecar_fault(path: Path, recipe_hash: str, videos: int | None = None) -> str:
    """Check the size, shape and origin of a sidecar, without reading its values.

    Args:
        path: Local path of the sidecar.
        recipe_hash: Expected `SoftTargetManifest.recipe_hash`.
        videos: Number of usable videos in the sidecar's shard, if known.

    Returns:
        Description of the first problem, or an empty string if there is none.
    """
    framing = inspect_framing(path, verify_payloads=False)
    if framing.damage:
        return f"damaged at byte {framing.damage.offset}: {framing.damage.reason}"
    (made_by,) = read_payloads(path, 0, 1)
    if made_by != recipe_hash.encode():
        received = made_by.decode("ascii", "replace")
        return f"made from other teachers, encoding or data: hash {received[:12]!r}, expected {recipe_hash[:12]!r}"
    found = framing.records - 1
    return "" if videos in {None, found} else f"{found} soft targets for {videos} videos"
