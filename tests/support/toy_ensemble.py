"""Small quantized models, and ensembles of them, for tests."""

import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from tests.support.videos import video_of, write_shard
from yt8m.bit_allocation.choose import Choice
from yt8m.data.format import DataSpec
from yt8m.ensembling.files import EnsembleWeights
from yt8m.ensembling.members import Member
from yt8m.models import build_from_bytes
from yt8m.models.architecture import ArchitectureConfig
from yt8m.models.dbof import DBoFConfig
from yt8m.models.files import read_description, save_model
from yt8m.quantization.config import QuantizationConfig
from yt8m.quantization.quantized_columns import Piece
from yt8m.stages.evaluate import EvaluateConfig
from yt8m.stages.export import ExportConfig, export
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.stages.quantize import quantize_weights

# Size in which the models below are quantized.
SIZE = "8"
# Members of the ensemble that tests share: weight and number of bits, of groups of columns in the third.
SHARES = {"first": 0.25, "second": 0.35, "third": 0.4}
BITS: dict[str, int | tuple[int, ...]] = {"first": 8, "second": 4, "third": (8, 3, 2)}
SPEC = DataSpec(features={"rgb": 12, "audio": 4}, num_classes=30, max_frames=9)


def write_quantized_model(
    folder: Path,
    seed: int,
    bits: int | tuple[int, ...] = 8,
    spec: DataSpec = SPEC,
    config: ArchitectureConfig | None = None,
) -> Path:
    """Write a model (DBoF by default) with random weights, most of them quantized; return its folder.

    Several numbers of bits are those of groups of columns of each large variable.
    """
    keras.utils.set_random_seed(seed)
    config = config or DBoFConfig(num_clusters=16 * (1 + seed % 2), hidden_units=24)
    model = build_from_bytes(config, spec)
    for variable in model.weights:
        # Batch statistics of trained models are not 0 and 1.
        if variable.path.endswith(("moving_mean", "beta")):
            variable.assign(np.random.default_rng(seed).normal(0, 0.1, variable.shape))
    save_model(folder / "float", model, config, spec)
    quantize_weights(
        model=folder / "float",
        bits=bits if isinstance(bits, int) else _in_groups(model, bits),
        config=QuantizationConfig(threshold_elements=100),
        output=folder / "quantized",
    )
    return folder / "quantized"


def _in_groups(model: Any, bits: tuple[int, ...]) -> Choice:
    """Divide the columns of every variable into groups with these bits."""
    pieces = {}
    for variable in (each for each in model.weights if each.shape):
        stops = np.linspace(0, variable.shape[-1], len(bits) + 1).astype(int).tolist()
        pieces[variable.path] = {
            Piece(variable.path, start, stop): each for (start, stop), each in zip(pairwise(stops), bits, strict=True)
        }
    return Choice(bits=pieces, sensitivities={}, checks=(), videos=0, checked_videos=0)


def write_weights(
    path: Path, members: Mapping[str, float], budget_bytes: int = 2**30, gap_float: float = 0.79004
) -> Path:
    """Write a file of ensemble weights like `search_weights`; return its path."""
    weights = EnsembleWeights(
        members=dict(members), sizes=dict.fromkeys(members, SIZE), size_bytes=1000, budget_bytes=budget_bytes,
        method="flat", gap_select=0.81, gap=0.79, gap_float=gap_float,
    )  # fmt: skip
    weights.save(path)
    return path


def export_ensemble(models: Mapping[str, Path], weights: Path, folder: Path, **config: Any) -> Path:
    """Export without measuring latency; return the exported model's folder. Its card is `folder / "card.md"`."""
    output = folder / "export"
    settings = ExportConfig(latency_batch_sizes=(), evaluation=EvaluateConfig(batch_size=3), **config)
    with TemporaryDirectory() as inputs:
        export(
            partition=write_partition(Path(inputs), read_description(next(iter(models.values()))).data),
            members={name: write_member(Path(inputs) / name, {SIZE: model}) for name, model in models.items()},
            weights=weights,
            config=settings,
            output=output,
            card=folder / "card.md",
        )
    return output


def write_member(folder: Path, models: Mapping[str, Path]) -> Path:
    """Write a member with copies of models by size; return its folder."""
    for size, model in models.items():
        shutil.copytree(model, Member(folder).model(size))
    return folder


def write_partition(folder: Path, spec: DataSpec = SPEC) -> Path:
    """Write shards of a few short videos, and their partition; return its file."""
    sizes: dict[str, Any] = dict(spec.features)
    for number, name in enumerate(("train", "validate")):
        videos = [video_of(10 * number + each, labels=[each], **sizes) for each in range(4)]
        write_shard(folder / f"{name}.tfrecord", videos)
    training, validation = (f"{folder}/train*",), (f"{folder}/validate*",)
    config = PrepareConfig(training=training, validation=validation, holdout_shards=1, spec=spec)
    prepare(config=config, output=folder / "partition.json")
    return folder / "partition.json"


def random_videos(lengths: list[int], spec: DataSpec = SPEC, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make frames uint8 (B, max(lengths), D), zero on padding, and num_frames int32 (B,)."""
    frames = np.random.default_rng(seed).integers(0, 256, (len(lengths), max(lengths), spec.num_features), np.uint8)
    for row, length in enumerate(lengths):
        frames[row, length:] = 0
    return frames, np.array(lengths, np.int32)
