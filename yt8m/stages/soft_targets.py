"""Stage `soft_targets`: stores the teachers' mean predictions for all training videos (paper, sections 3.1, 4.2)."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import PositiveInt

from yt8m import storage
from yt8m.config import Config
from yt8m.data.partition import Partition, Shard
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest, sidecar_fault, sidecar_name
from yt8m.ensembling.files import TeacherSelection
from yt8m.errors import ConfigError, suggest
from yt8m.identity import MEASURING, behavior, digest, folder_digest, package_versions
from yt8m.models import ARCHITECTURES
from yt8m.models.files import read_description
from yt8m.progress import progress
from yt8m.stages.result import StageResult

_LOGGER = logging.getLogger("yt8m.stages")


class SoftTargetsConfig(Config):
    """Prediction and storage of soft targets.

    Attributes:
        encoding: How the probabilities are stored.
        batch_size: Number of videos per batch. It changes speed and memory, not results.
    """

    encoding: SoftTargetEncoding = SoftTargetEncoding()
    batch_size: PositiveInt = 128


def soft_targets(
    *,
    partition: Path,
    models: Mapping[str, Path],
    selection: Path | None,
    config: SoftTargetsConfig,
    output_uri: str,
    output: Path,
    worker: int = 0,
    workers: int = 1,
) -> StageResult:
    """Write one sidecar per training shard, without copying frames.

    Complete sidecars are final, so a killed stage continues with the first missing one. Damaged sidecars are replaced.
    Workers can share the work: each writes the sidecars and the manifest of its own shards, and the sidecars do not
    depend on the number of workers. Students read all manifests together.

    Args:
        partition: Partition file with the training shards.
        models: Model folders by name.
        selection: File that names the teachers among the models (`TeacherSelection`). If None, all models teach.
        config: Encoding and batch size.
        output_uri: Folder of the sidecars, with a subfolder per `SoftTargetManifest.recipe_hash`.
        output: Manifest to write (`SoftTargetManifest`).
        worker: Index of this worker, from 0.
        workers: Number of workers.

    Returns:
        Metrics of this worker: `videos` and `shards`, `written_shards` (missing before), `bytes_per_video`, and
        `seconds` and `videos_per_second` of the written shards; details `teachers`.

    Raises:
        ConfigError: The worker's index is out of range, or a selected teacher is not among the models.
        DataError: A model or shard cannot be used.
    """
    if not 0 <= worker < workers:
        raise ConfigError(f"worker: expected 0 to {workers - 1}, received {worker}.")
    shards, teachers = Partition.load(partition), _teachers(models, selection)
    part = shards.training[worker::workers]
    manifest = _manifest(shards, part, teachers, config.encoding, output_uri)
    missing = [shard for shard in part if not _is_final(manifest, shard)]
    start = time.monotonic()
    if missing:
        done = sum(shard.videos for shard in part) - sum(shard.videos for shard in missing)
        _write(missing, shards, manifest, teachers, batch_size=config.batch_size, done=done)
    seconds = time.monotonic() - start
    manifest.save(output)
    videos, written = sum(shard.videos for shard in part), sum(shard.videos for shard in missing)
    size = sum(storage.stat(manifest.sidecars[shard.uri]).size for shard in part)
    metrics = {
        "videos": float(videos),
        "shards": float(len(part)),
        "written_shards": float(len(missing)),
        "bytes_per_video": size / max(videos, 1),
        "seconds": seconds,
        "videos_per_second": written / max(seconds, 1e-9),
    }
    return StageResult(metrics, {"teachers": list(teachers)})


def _teachers(models: Mapping[str, Path], selection: Path | None) -> dict[str, Path]:
    chosen = TeacherSelection.load(selection).chosen if selection else tuple(models)
    unknown = [name for name in chosen if name not in models]
    if unknown:
        raise ConfigError(f"{selection}: no model is named '{unknown[0]}'. {suggest(unknown[0], models)}")
    return {name: models[name] for name in chosen}


def _manifest(
    partition: Partition,
    part: Sequence[Shard],
    teachers: Mapping[str, Path],
    encoding: SoftTargetEncoding,
    output_uri: str,
) -> SoftTargetManifest:
    architectures = {read_description(folder).model.architecture for folder in teachers.values()}
    recipe_hash = digest(
        # Sorted, because the teachers have equal weights and their order does not matter.
        teachers=sorted(folder_digest(folder) for folder in teachers.values()),
        encoding=encoding.model_dump(mode="json"),
        partition=partition.digest,
        code=behavior(["yt8m.stages.soft_targets"], architectures, ARCHITECTURES, without=MEASURING),
        packages=package_versions(),
    )
    folder = storage.join(output_uri, recipe_hash[:16])
    numbers = {uri: number for number, uri in enumerate(partition.training_uris)}
    return SoftTargetManifest(
        teachers=tuple(teachers),
        num_classes=partition.spec.num_classes,
        encoding=encoding,
        partition_digest=partition.digest,
        recipe_hash=recipe_hash,
        sidecars={shard.uri: storage.join(folder, sidecar_name(numbers[shard.uri], shard.uri)) for shard in part},
        videos=sum(shard.videos for shard in part),
    )


def _is_final(manifest: SoftTargetManifest, shard: Shard) -> bool:
    sidecar = manifest.sidecars[shard.uri]
    if not storage.exists(sidecar):
        return False
    fault = sidecar_fault(storage.stage_in(sidecar), manifest.recipe_hash, shard.videos)
    if fault:
        _LOGGER.warning("%s: %s. Writing it again.", sidecar, fault)
    return not fault


def _write(
    missing: list[Shard],
    partition: Partition,
    manifest: SoftTargetManifest,
    teachers: Mapping[str, Path],
    *,
    batch_size: int,
    done: int,
) -> None:
    # These import TensorFlow and Keras, which recipes do not need.
    from yt8m.data.soft_targets import write_soft_targets  # noqa: PLC0415
    from yt8m.training.teachers import mean_predictor, predict_shards  # noqa: PLC0415

    predictor = mean_predictor(teachers.values(), partition.spec)
    total = done + sum(shard.videos for shard in missing)
    with progress(f"Soft targets of {', '.join(teachers)}", total, done=done) as advance:
        for shard, chunks in predict_shards(predictor, missing, partition, batch_size):
            write_soft_targets(manifest.sidecars[shard.uri], chunks, manifest.encoding, manifest.recipe_hash)
            advance(shard.videos)
