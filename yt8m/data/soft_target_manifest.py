"""Manifest of soft targets: the sidecar of every training shard, and their origin."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import Field, PositiveInt

from yt8m import storage
from yt8m.config import Config, ConfigFile
from yt8m.data.partition import Partition
from yt8m.data.tfrecord import inspect_framing, read_payloads
from yt8m.errors import DataError
from yt8m.storage.names import fitting_name

# Overhead of a record: TFRecord's frame, the Example's tags, the video's id; with top-K encoding also the probability
# of all other classes.
_DENSE_RECORD_BYTES, _TOP_K_RECORD_BYTES = 62, 99
_PROBABILITY_BYTES, _CLASS_BYTES = 2, 2


class SoftTargetEncoding(Config):
    """Encoding of a video's `C` probabilities as float16.

    Dense encoding stores all of them in 2 C bytes (7,724 bytes for 3,862 classes). Top-K encoding stores the K largest
    with their classes in 4 K bytes; every other class gets the mean of the omitted ones, which preserves the sum.

    Attributes:
        top_k: Number of largest probabilities `K` to store for each video. Null means all of them, the dense encoding.
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
        recipe_hash: Hash of the teachers' weights and code, encoding and data; the first record of every sidecar.
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

    @classmethod
    def merge(cls, parts: Sequence[Path], partition: Partition) -> Self:
        """Read the manifests of all parts of the soft targets for a partition.

        Args:
            parts: Manifests that together name a sidecar for every training shard. At least one.
            partition: Partition for training the student.

        Raises:
            DataError: The teachers, encoding or data of a part differ from those of the first one or from the
                partition, two parts have the same shard, or a training shard is missing in all parts.
        """
        manifests = [(path, cls.load(path)) for path in parts]
        first_path, first = manifests[0]
        sidecars: dict[str, str] = {}
        for path, manifest in manifests:
            if manifest.recipe_hash != first.recipe_hash:
                raise DataError(
                    f"{path}: its teachers, encoding or data ({manifest._origin}) differ from those of {first_path} "
                    f"({first._origin}). Rerun the node that is out of date."
                )
            shared = next((shard for shard in manifest.sidecars if shard in sidecars), "")
            if shared:
                raise DataError(f"{path}: another part has soft targets for {shared} as well. Give each part once.")
            sidecars |= manifest.sidecars
        videos = sum(manifest.videos for _, manifest in manifests)
        merged = first.model_copy(update={"sidecars": sidecars, "videos": videos})
        merged.check_fits(partition, ", ".join(map(str, parts)))
        return merged

    @property
    def _origin(self) -> str:
        """The hash, and the folder of the sidecars, whose path has the name of the node that wrote them."""
        folder = next((f", {uri.rpartition('/')[0]}" for uri in self.sidecars.values()), "")
        return f"{self.recipe_hash[:12]}{folder}"

    def check_sidecars(self, partition: Partition) -> None:
        """Check that the sidecar of every training shard is undamaged and complete, without reading its values.

        Raises:
            DataError: A sidecar is damaged, was made from other teachers, or has too few or too many videos.
            StorageError: A sidecar is missing.
        """
        ahead = storage.ReadAhead(tuple(self.sidecars[shard.uri] for shard in partition.training))
        for shard in partition.training:
            sidecar = self.sidecars[shard.uri]
            fault = sidecar_fault(ahead.stage_in(sidecar), self.recipe_hash, shard.videos)
            if fault:
                raise DataError(f"{sidecar}: {fault}. Rerun the node that wrote it, which replaces it.")

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
            raise DataError(f"{source}: no soft targets for {missing[0]} (such shards: {len(missing)}). {remedy}")
        if self.partition_digest != partition.digest:
            received = self.partition_digest[:12]
            raise DataError(f"{source}: made for partition {received}, not for {partition.digest[:12]}. {remedy}")


def sidecar_name(shard_index: int, shard_uri: str) -> str:
    """Return the file name of a training shard's sidecar; unique even if shards of several folders share a name.

    Args:
        shard_index: Index of the shard in the partition's training list.
        shard_uri: URI of the shard.
    """
    return fitting_name(f"{shard_index:05d}-{shard_uri.rsplit('/', 1)[-1]}")


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
