"""Stage `quantize`: stores the large variables of a model in few bits (paper, section 3.2), and measures it."""

import shutil
import time
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from yt8m import storage
from yt8m.bootstrap import difference_error
from yt8m.data.partition import Partition
from yt8m.ensembling.files import OffersFile
from yt8m.ensembling.members import Member, Offers, load_members
from yt8m.errors import DataError
from yt8m.export.budget import directory_bytes
from yt8m.metrics import keys_from_top
from yt8m.models.files import WEIGHTS_FILE, read_description, save_weights
from yt8m.predictions import Predictions
from yt8m.quantization.allocation import MEASURED_BITS
from yt8m.quantization.config import Bits, QuantizationConfig
from yt8m.quantization.files import iterate_quantized
from yt8m.quantization.methods import QuantizationError, measure_error
from yt8m.quantization.quantized_array import QuantizedArray
from yt8m.quantization.quantized_columns import Piece, Quantized, quantize_pieces, whole
from yt8m.records.settings import as_details
from yt8m.stages.evaluate import EvaluateConfig, measure
from yt8m.stages.result import StageResult
from yt8m.training.auto.rules import resolve_threshold_elements
from yt8m.training.provenance import FILE_NAME, Provenance

if TYPE_CHECKING:
    from yt8m.bit_allocation.choose import Choice


class QuantizeConfig(QuantizationConfig):
    """Quantization, and how the quantized model is measured.

    Attributes:
        evaluation: How the model is measured on the hold-out videos.
    """

    evaluation: EvaluateConfig = EvaluateConfig()


def quantize(
    *, partition: Path, model: Path, predictions: Path, config: QuantizeConfig, output: Path, offers: Path
) -> StageResult:
    """Quantize a model as a member of an ensemble, and predict the hold-out videos with it, in every size.

    Args:
        partition: Partition file with the hold-out shards.
        model: Folder of a model written by a training or averaging step.
        predictions: Predictions of that model, from the same step.
        config: Method and threshold, and how the quantized model is measured.
        output: Folder of the member (`yt8m.ensembling.members.Member`), written atomically.
        offers: Folder of what the search reads (`yt8m.ensembling.members.Offers`), written atomically.

    Returns:
        Of the first size, the metrics and details of `quantize_weights`, and of `evaluate` for the quantized model; and
        the metric `quantization_loss_error`, the standard error of the difference in GAP to the float model. Details
        `sizes`, the bytes of the model's folder in each size.

    Raises:
        DataError: There is no model, it is already quantized, or a weight is not finite; the predictions are of other
            videos or classes than the partition's hold-out, or of another number of classes per video; or shards cannot
            be read.
    """
    _check_predictions(predictions, Partition.load(partition), config.evaluation.top_k)
    with storage.publish_directory(output) as folder, storage.publish_directory(offers) as offers_folder:
        member, offered = Member(folder), Offers(offers_folder)
        shutil.copyfile(predictions, offered.float_predictions)
        if (model / FILE_NAME).is_file():
            shutil.copyfile(model / FILE_NAME, folder / FILE_NAME)  # for runs that take the member
        results = {
            size: _make(
                partition=partition,
                model=model,
                bits=bits,
                config=config,
                floats=predictions,
                output=member.model(size),
                predictions=offered.predictions(size),
            )
            for size, bits in config.sizes.items()
        }
        family = read_description(model).model.architecture
        sizes = {size: directory_bytes(member.model(size)) for size in results}
        OffersFile(family=family, sizes=sizes).save(offered.description)
    first, *_ = results.values()
    automatic = results.get("auto", first).details
    allocation = {"allocation": automatic["allocation"]} if "allocation" in automatic else {}
    return StageResult(first.metrics, {**first.details, **allocation, "sizes": sizes})


def _make(
    *, partition: Path, model: Path, bits: Bits, config: QuantizeConfig, floats: Path, output: Path, predictions: Path
) -> StageResult:
    """Quantize a model in one size, and predict the hold-out videos with it."""
    chosen = _choose_bits(partition, model, config) if bits == "auto" else bits
    result = measure(
        quantize_weights(model=model, bits=chosen, config=config, output=output),
        partition=partition,
        model=output,
        config=config.evaluation,
        predictions=predictions,
    )
    # The ids of the hold-out videos are known only now.
    both = load_members({"float": floats, "quantized": predictions}, config.evaluation.top_k)
    error = _loss_error(both["float"], both["quantized"], config.evaluation.gap_top_k)
    return StageResult({**result.metrics, "quantization_loss_error": error}, result.details)


def _loss_error(floats: Predictions, quantized: Predictions, gap_top_k: int) -> float:
    """Estimate the standard error of the difference in GAP on the videos on which figures are reported."""
    found = [each.rows(each.rows_report) for each in (floats, quantized)]
    one, other = (keys_from_top(each.classes, each.scores, each.label_ptr, each.labels, gap_top_k) for each in found)
    return difference_error(one, other, np.diff(found[0].label_ptr))


def _check_predictions(path: Path, partition: Partition, top_k: int) -> None:
    """Check what can be known of the float model's predictions before the quantized model predicts."""
    found, classes = Predictions.load(path), partition.spec.num_classes
    received = (found.num_videos, found.num_classes, found.top_k)
    expected = (partition.num_holdout_videos, classes, min(top_k, classes))
    if received != expected:
        shape = "{:,} videos, {:,} classes, the top {:,} of each video"
        raise DataError(
            f"{path}: expected predictions of the partition's hold-out ({shape.format(*expected)}), received others "
            f"({shape.format(*received)}). Give those that training or averaging wrote with the model, with the same "
            "partition and evaluation.top_k."
        )


def _choose_bits(partition: Path, model: Path, config: QuantizeConfig) -> "Choice | int":
    """Choose the bits of each large variable; any number of bits if there are none."""
    from yt8m.bit_allocation.choose import choose_bits  # noqa: PLC0415 - Keras

    threshold = resolve_threshold_elements(config.threshold_elements, read_description(model).data).value
    shapes = {name: weight.shape for name, weight in _floats(model / WEIGHTS_FILE) if _is_large(weight, threshold)}
    videos = Partition.load(partition)
    if not shapes:
        return 8
    return choose_bits(
        model,
        videos,
        shapes,
        config=config,
        threshold_elements=threshold,
        examples=Provenance.load(model).examples if (model / FILE_NAME).is_file() else videos.num_training_videos,
        batch_size=config.evaluation.batch_size,
        gap_top_k=config.evaluation.gap_top_k,
    )


def quantize_weights(*, model: Path, bits: "Choice | int", config: QuantizationConfig, output: Path) -> StageResult:
    """Write a copy of a model folder with the large variables quantized.

    Only one float variable is in memory at a time, so memory stays below the float model plus the quantized one.

    Args:
        model: Folder of a model written by a training or averaging step.
        bits: Number of bits of all large variables, or of each piece of them.
        config: Method and threshold.
        output: Folder of the quantized model.

    Returns:
        Metrics `bytes_before` and `bytes_after` (of the weight files), `largest_error` and `mean_error` over all
        quantized weights, `variance_lost` (their mean squared error as a share of the variance of each variable, mean
        over weights), `bits` (the mean number of bits of a quantized weight), `quantized_variables`, `parameters`, and
        `seconds` without reading and writing. Details `variables`, with the same figures per variable or piece of it,
        and `settings`; if bits were chosen for each piece, `allocation` with what was measured.

    Raises:
        DataError: There is no model, it is already quantized, or a weight is not finite.
    """
    description = read_description(model)
    threshold = resolve_threshold_elements(config.threshold_elements, description.data)
    source = model / WEIGHTS_FILE
    choice = None if isinstance(bits, int) else bits
    weights: dict[str, NDArray[Any] | Quantized] = {}
    table: list[dict[str, Any]] = []
    seconds = 0.0
    for name, weight in _floats(source):
        start = time.monotonic()
        given: Mapping[Piece, int] = {}
        if _is_large(weight, threshold.value):
            given = {whole(name, weight.shape): bits} if isinstance(bits, int) else bits.bits[name]
        weights[name], rows = _quantize_variable(source, name, weight, given, config)
        seconds += time.monotonic() - start
        for row, piece in zip_longest(rows, given):
            losses = choice.losses(piece) if choice and piece else {}
            table.append({**row, **({f"loss_{few}_bits": losses.get(few) for few in MEASURED_BITS} if choice else {})})
        # Free these floats before the next ones are read.
        del weight
    save_weights(output, weights, description.model, description.data)
    quantized = [row for row in table if row["quantized"]]
    elements = sum(row["elements"] for row in quantized)

    def mean(key: str) -> float:
        return float(sum(row[key] * row["elements"] for row in quantized) / max(elements, 1))

    return StageResult(
        metrics={
            "bytes_before": float(source.stat().st_size),
            "bytes_after": float((output / WEIGHTS_FILE).stat().st_size),
            "largest_error": max((row["largest_error"] for row in quantized), default=0.0),
            "mean_error": mean("mean_error"),
            "variance_lost": mean("variance_lost"),
            "bits": mean("bits"),
            "quantized_variables": float(sum(isinstance(weight, Quantized) for weight in weights.values())),
            "parameters": float(sum(row["elements"] for row in table)),
            "seconds": seconds,
        },
        details={
            "threshold_elements": threshold.value,
            "variables": table,
            "settings": as_details({"threshold_elements": threshold}),
            **({"allocation": {**choice.as_details(), "variables": table}} if choice else {}),
        },
    )


def _floats(source: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Read the weights of a model that is not quantized yet, one at a time."""
    for name, weight in iterate_quantized(source):
        if isinstance(weight, Quantized):
            raise DataError(f"{source}: {name}: already quantized. Give the model that training or averaging wrote.")
        yield name, weight
        # A local variable would keep this array in memory while the next one is read.
        del weight


def _is_large(weight: NDArray[Any], threshold_elements: int) -> bool:
    return weight.size > threshold_elements and np.issubdtype(weight.dtype, np.floating)


def _quantize_variable(
    source: Path, name: str, weight: NDArray[Any], bits: Mapping[Piece, int], config: QuantizationConfig
) -> tuple[NDArray[Any] | Quantized, list[dict[str, Any]]]:
    """Quantize the pieces of one variable, or keep it if none are given; return it and its rows of the table."""
    if not bits:
        return weight, [_row(name, weight, weight, QuantizationError(0.0, 0.0, 0.0))]
    try:
        stored = quantize_pieces(weight, bits, config.method_in)
    except DataError as problem:
        raise DataError(f"{source}: {name}: {problem}") from problem
    if isinstance(stored, QuantizedArray):
        return stored, [_row(name, weight, stored, measure_error(weight, stored))]
    rows = []
    for piece, group in zip(bits, stored.groups, strict=True):
        part = piece.of(weight)
        rows.append(_row(f"{name}[:, {piece.start}:{piece.stop}]", part, group, measure_error(part, group)))
    return stored, rows


def _row(
    name: str, weight: NDArray[Any], stored: NDArray[Any] | QuantizedArray, error: QuantizationError
) -> dict[str, Any]:
    return {
        "name": name,
        "shape": list(weight.shape),
        "elements": weight.size,
        "quantized": isinstance(stored, QuantizedArray),
        "bits": stored.bits if isinstance(stored, QuantizedArray) else 8 * weight.itemsize,
        "bytes_before": weight.nbytes,
        "bytes_after": stored.nbytes,
        "largest_error": error.largest,
        "mean_error": error.mean,
        "variance_lost": error.variance_share,
    }
