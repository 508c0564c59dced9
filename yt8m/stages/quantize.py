"""Stage `quantize`: stores the large variables of a model in 8 or 16 bits (paper, section 3.2)."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt

from yt8m.config import Config
from yt8m.errors import DataError
from yt8m.models.files import WEIGHTS_FILE, read_description, save_weights
from yt8m.quantization.files import iterate_quantized
from yt8m.quantization.methods import THRESHOLD_ELEMENTS, Method, measure_error, quantize_array
from yt8m.quantization.quantized_array import QuantizedArray
from yt8m.stages.evaluate import EvaluateConfig
from yt8m.stages.result import StageResult


class QuantizationConfig(Config):
    """How weights are quantized.

    Attributes:
        method: `uniform` (the paper's), `uniform_per_channel`, `kmeans`, `quantile` or `float16`.
        threshold_elements: Only variables with more elements than this are quantized. The paper's 17,000 by default.
    """

    method: Method = "uniform"
    threshold_elements: NonNegativeInt = THRESHOLD_ELEMENTS


class QuantizeConfig(QuantizationConfig):
    """Quantization, and how the quantized model is measured.

    Attributes:
        evaluation: How the model is measured on the hold-out videos.
    """

    evaluation: EvaluateConfig = EvaluateConfig()


def quantize(*, model: Path, config: QuantizeConfig, output: Path) -> StageResult:
    """Write a copy of a model folder with the large variables quantized.

    Only one float variable is in memory at a time, so memory stays below the float model plus the quantized one.

    Args:
        model: Folder of a model written by a training or averaging step.
        config: Method and threshold.
        output: Folder of the quantized model.

    Returns:
        Metrics `bytes_before` and `bytes_after` (of the weight files), `largest_error` and `mean_error` over all
        quantized weights, `quantized_variables`, and `seconds` without reading and writing; details `variables`, with
        the same figures per variable.

    Raises:
        DataError: There is no model, it is already quantized, or a weight is not finite.
    """
    description = read_description(model)
    source = model / WEIGHTS_FILE
    weights: dict[str, NDArray[Any] | QuantizedArray] = {}
    table: list[dict[str, Any]] = []
    seconds = 0.0
    for name, weight in iterate_quantized(source):
        if isinstance(weight, QuantizedArray):
            raise DataError(f"{source}: {name}: already quantized. Give the model that training or averaging wrote.")
        start = time.monotonic()
        weights[name], row = _quantize_variable(source, name, weight, config)
        seconds += time.monotonic() - start
        table.append(row)
        # Free these floats before the next ones are read.
        del weight
    save_weights(output, weights, description.model, description.data)
    quantized = [row for row in table if row["quantized"]]
    elements = sum(row["elements"] for row in quantized)
    return StageResult(
        metrics={
            "bytes_before": float(source.stat().st_size),
            "bytes_after": float((output / WEIGHTS_FILE).stat().st_size),
            "largest_error": max((row["largest_error"] for row in quantized), default=0.0),
            "mean_error": sum(row["mean_error"] * row["elements"] for row in quantized) / max(elements, 1),
            "quantized_variables": float(len(quantized)),
            "seconds": seconds,
        },
        details={"method": config.method, "threshold_elements": config.threshold_elements, "variables": table},
    )


def _quantize_variable(
    source: Path, name: str, weight: NDArray[Any], config: QuantizeConfig
) -> tuple[NDArray[Any] | QuantizedArray, dict[str, Any]]:
    """Quantize one variable if it is large enough; return it and its row of the table."""
    chosen = weight.size > config.threshold_elements and np.issubdtype(weight.dtype, np.floating)
    stored: NDArray[Any] | QuantizedArray = weight
    largest = mean = 0.0
    if chosen:
        try:
            stored = quantize_array(weight, config.method)
        except DataError as error:
            raise DataError(f"{source}: {name}: {error}") from error
        measured = measure_error(weight, stored)
        largest, mean = measured.largest, measured.mean
    return stored, {
        "name": name,
        "shape": list(weight.shape),
        "elements": weight.size,
        "quantized": chosen,
        "bytes_before": weight.nbytes,
        "bytes_after": stored.nbytes,
        "largest_error": largest,
        "mean_error": mean,
    }
