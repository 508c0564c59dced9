"""Chooses the bits of each variable: the fewest bytes whose loss of GAP stays within a limit."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yt8m.bit_allocation.sample import Sample, expected_gap
from yt8m.data.partition import Partition
from yt8m.errors import BudgetError
from yt8m.models.files import WEIGHTS_FILE, load_model
from yt8m.models.inference import Predictor, keras_predictor
from yt8m.progress import progress
from yt8m.quantization.allocation import MEASURED_BITS, Allocation, Sensitivity, allocations
from yt8m.quantization.config import QuantizationConfig
from yt8m.quantization.files import iterate_floats
from yt8m.quantization.methods import Method, quantize_array
from yt8m.quantization.quantized_array import BITS

# Predictions of videos that may be made for each video of the training: a tenth of its work, as a step of training
# takes about three times as long as a prediction. At most half of them measure variables, the others whole models.
WORK_SHARE = 0.3
# Videos on which a variable or model is measured, however short the training was, and the most for a variable: the
# expected GAP of predictions is known far better than their GAP is.
LEAST_VIDEOS, MOST_VIDEOS = 16, 256
# Largest expected loss of a model, as a multiple of the largest loss of GAP. Models expect to lose more than they do,
# as they trust in details that they have learned by heart.
EXPECTED_LOSS_LIMIT = 2


@dataclass(frozen=True)
class Choice:
    """Chosen bits, with what was measured to choose them.

    Attributes:
        bits: Number of bits by name of the variable.
        sensitivities: Expected loss of GAP by name of the variable and number of bits, when this variable alone has
            few bits.
        checks: Measured allocations in their order, each with its bytes, the sum of the losses that its variables are
            expected to cause (`expected_loss`), and the loss of GAP on labels (`gap_loss`).
        videos: Number of videos on which variables were measured.
        checked_videos: Number of videos on which allocations were measured.
    """

    bits: Mapping[str, int]
    sensitivities: Mapping[str, Mapping[int, float]]
    checks: tuple[dict[str, float], ...]
    videos: int
    checked_videos: int

    def as_details(self) -> dict[str, Any]:
        """Return what was measured of whole models, as plain JSON data."""
        return {"videos": self.videos, "checked_videos": self.checked_videos, "checks": list(self.checks)}


def choose_bits(
    model: Path,
    partition: Partition,
    names: Collection[str],
    *,
    config: QuantizationConfig,
    examples: int,
    batch_size: int,
    gap_top_k: int,
) -> Choice:
    """Measure how sensitive a model is to few bits of each variable, and choose the fewest bytes within the limits.

    Args:
        model: Folder of the float model.
        partition: Partition whose hold-out videos that decide are used.
        names: Names of the variables to quantize, at least one.
        config: What the model may lose and take.
        examples: Number of videos in all steps of the training, which bounds the work.
        batch_size: Number of videos per batch.
        gap_top_k: Number of predictions per video that count in GAP.

    Raises:
        BudgetError: Even in 2 bits, the variables take more bytes than the limit.
        DataError: The model is damaged, or shards cannot be read.
    """
    work, variants = WORK_SHARE * examples, len(names) * len(MEASURED_BITS) + 1
    videos = min(max(int(work / 2 / variants), LEAST_VIDEOS), MOST_VIDEOS)
    # The float model, and allocations that are tried by going back in steps that double.
    checks = 1 + (len(BITS) * len(names)).bit_length()
    sample = Sample.read(partition, max(int((work - videos * variants) / checks), LEAST_VIDEOS), batch_size)
    fewer = sample.part(videos)
    meter = _Meter(model, names, config.method_in, batch_size)
    variables = meter.measure(fewer, gap_top_k)
    found = list(allocations(variables))
    if config.max_bytes is not None:
        least = found[-1].size_bytes
        found = [each for each in found if each.size_bytes <= config.max_bytes]
        if not found:
            raise BudgetError(
                f"quantization.max_bytes: the variables of {model} take at least {least:,} bytes, received "
                f"{config.max_bytes:,}. Raise it, or train a smaller model."
            )
    chosen, checked = search_allocation(found, meter, sample, config.max_gap_loss, gap_top_k)
    return Choice(
        bits=chosen.bits,
        sensitivities={each.name: dict(each.losses) for each in variables},
        checks=tuple(checked),
        videos=len(fewer),
        checked_videos=len(sample),
    )


def search_allocation(
    found: list[Allocation], meter: "_Meter", sample: Sample, gap_loss: float, gap_top_k: int
) -> tuple[Allocation, list[dict[str, float]]]:
    """Search the smallest allocation within the limit of GAP: of the expected loss, and of that on labels.

    Args:
        found: Allocations from the most bytes to the fewest. The first one is taken for granted.
        meter: Predicts with allocations.
        sample: Videos whose labels decide.
        gap_loss: Largest loss of GAP on the labels; the expected loss may be `EXPECTED_LOSS_LIMIT` times as large.
        gap_top_k: Number of predictions per video that count in GAP.

    Returns:
        The allocation, and what was measured of each one that was tried; see `Choice.checks`.
    """
    checks: list[dict[str, float]] = []
    exact = sample.gap(meter.predict(sample, {}), gap_top_k)
    expected = [each.loss <= EXPECTED_LOSS_LIMIT * gap_loss for each in found]
    chosen, back = max(sum(expected) - 1, 0), 1
    while chosen > 0:
        lost = exact - sample.gap(meter.predict(sample, found[chosen].bits), gap_top_k)
        allocation = found[chosen]
        checks.append({"bytes": allocation.size_bytes, "expected_loss": allocation.loss, "gap_loss": lost})
        if lost <= gap_loss:
            break
        chosen, back = max(chosen - back, 0), 2 * back
    return found[chosen], checks


class _Meter:
    """Predicts with variants of a model, some of whose variables are quantized."""

    def __init__(
        self, model: Path, names: Collection[str], method_in: Callable[[int], Method], batch_size: int
    ) -> None:
        self._source = model / WEIGHTS_FILE
        self._names = names
        self._method_in = method_in
        self._batch_size = batch_size
        network = load_model(model).model
        self._variables: dict[str, Any] = {variable.path: variable for variable in network.weights}
        self._predictor: Predictor = keras_predictor(network)

    def predict(self, sample: Sample, bits: Mapping[str, int]) -> Any:
        """Predict a sample with some variables quantized and the others as they are."""
        for name, weight in iterate_floats(self._source):
            if name in self._names:
                self._variables[name].assign(self._quantized(weight, bits[name]) if name in bits else weight)
        return sample.predict(self._predictor, self._batch_size)

    def measure(self, sample: Sample, gap_top_k: int) -> list[Sensitivity]:
        """Measure the expected loss of GAP when one variable alone has few bits, for all variables."""
        reference = sample.predict(self._predictor, self._batch_size)
        exact = expected_gap(reference, reference, gap_top_k)
        found = []
        with progress("Sensitivity", len(self._names), "variables") as advance:
            for name, weight in iterate_floats(self._source):
                if name not in self._names:
                    continue
                losses = {}
                for bits in MEASURED_BITS:
                    self._variables[name].assign(self._quantized(weight, bits))
                    variant = sample.predict(self._predictor, self._batch_size)
                    losses[bits] = exact - expected_gap(reference, variant, gap_top_k)
                self._variables[name].assign(weight)
                found.append(Sensitivity(name, weight.shape, losses))
                advance(note=name)
        return found

    def _quantized(self, weight: Any, bits: int) -> Any:
        return quantize_array(weight, bits, self._method_in(bits)).dequantize()
