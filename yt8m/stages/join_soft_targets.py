"""Stage `join_soft_targets`: merges the soft targets that several workers wrote."""

from collections.abc import Mapping
from pathlib import Path

from yt8m import storage
from yt8m.data.partition import Partition
from yt8m.data.soft_target_manifest import SoftTargetManifest, sidecar_fault
from yt8m.errors import DataError
from yt8m.stages.result import StageResult


def join_soft_targets(*, partition: Path, parts: Mapping[str, Path], output: Path) -> StageResult:
    """Merge the manifests of all workers, and check that every training shard has a complete sidecar.

    Args:
        partition: Partition file with the training shards.
        parts: Manifests of stage `soft_targets` by the name of the node that wrote them. At least one.
        output: Merged manifest to write (`SoftTargetManifest`).

    Returns:
        Metrics `videos` and `shards`; details `teachers`.

    Raises:
        DataError: The teachers, encoding or data of a part differ from those of the first one, a training shard is
            missing in all parts, or its sidecar is damaged.
    """
    shards = Partition.load(partition)
    manifests = {name: SoftTargetManifest.load(path) for name, path in parts.items()}
    first_name, first = next(iter(manifests.items()))
    sidecars: dict[str, str] = {}
    for name, manifest in manifests.items():
        if manifest.recipe_hash != first.recipe_hash:
            raise DataError(
                f"{name}: its teachers, encoding or data ({manifest.recipe_hash[:12]}) differ from those of "
                f"{first_name} ({first.recipe_hash[:12]}). Rerun the node that is out of date."
            )
        assert sidecars.keys().isdisjoint(manifest.sidecars), f"{name} has shards of another part"
        sidecars |= manifest.sidecars
    joined = first.model_copy(update={"sidecars": sidecars, "videos": sum(each.videos for each in manifests.values())})
    joined.check_fits(shards, ", ".join(parts))
    _check_sidecars(shards, manifests)
    joined.save(output)
    figures = {"videos": float(joined.videos), "shards": float(len(sidecars))}
    return StageResult(figures, {"teachers": list(joined.teachers)})


def _check_sidecars(partition: Partition, parts: Mapping[str, SoftTargetManifest]) -> None:
    videos = {shard.uri: shard.videos for shard in partition.training}
    for name, part in parts.items():
        ahead = storage.ReadAhead(tuple(part.sidecars.values()))
        for shard, sidecar in part.sidecars.items():
            fault = sidecar_fault(ahead.stage_in(sidecar), part.recipe_hash, videos[shard])
            if fault:
                raise DataError(f"{name}: {sidecar}: {fault}. Rerun {name}, which replaces the sidecar.")
