"""Chooses the bits of each piece of a model: the fewest bytes whose loss of GAP stays within a limit."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
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
from yt8m.quantization.quantized_columns import Piece, quantize_pieces, whole

# Predictions of videos that may be made for each video of the training: a tenth of its work, as a step of training
# takes about three times as long as a prediction. At most half of them measure pieces, the others whole models.
WORK_SHARE = 0.3
# Videos on which a piece or model is measured, however short the training was, and the most for a piece: the expected
# GAP of predictions is known far better than their GAP is.
LEAST_VIDEOS, MOST_VIDEOS = 16, 256
# Most pieces of a variable whose columns belong to classes: the last half of the classes, the quarter before it, and so
# on; and pieces of other matrices.
CLASS_PIECES, EQUAL_PIECES = 6, 4
# Pieces have a multiple of so many classes, so that the last byte of a row is full and nothing is to be cut off.
FULL_BYTES = 8
# Largest expected loss as a multiple of the largest loss of GAP. Most models expect to lose more than they do, since
# they trust in details that they have learned by heart. If one expects too little, labels tell.
EXPECTED_LOSS_LIMIT = 1.5


@dataclass(frozen=True)
class Choice:
    """Chosen bits, with what was measured to choose them.

    Attributes:
        bits: Number of bits of each piece, by name of the variable.
        sensitivities: Expected loss of GAP by piece and number of bits, when this piece alone has few bits.
        checks: Measured allocations in their order, each with its bytes, the sum of the losses of its pieces alone
            (`sum_of_losses`), the expected loss of all together (`expected_loss`), the loss of GAP on labels
            (`gap_loss`), and its standard error (`gap_loss_error`).
        videos: Number of videos on which pieces were measured.
        checked_videos: Number of videos on which allocations were measured.
        seconds: Seconds that all this took.
    """

    bits: Mapping[str, Mapping[Piece, int]]
    sensitivities: Mapping[Piece, Mapping[int, float]]
    checks: tuple[dict[str, float], ...]
    videos: int
    checked_videos: int
    seconds: float = field(default=0.0, compare=False)

    def losses(self, piece: Piece) -> dict[int, float]:
        """Return the expected loss by number of bits of all that was measured of a piece."""
        parts = [
            losses
            for part, losses in self.sensitivities.items()
            if part.name == piece.name and piece.start <= part.start and part.stop <= piece.stop
        ]
        return {bits: sum(losses[bits] for losses in parts) for bits in MEASURED_BITS}

    def as_details(self) -> dict[str, Any]:
        """Return what was measured of whole models, as plain JSON data."""
        counts = {"videos": self.videos, "checked_videos": self.checked_videos}
        return {**counts, "checks": list(self.checks), "seconds": self.seconds}


def choose_bits(
    model: Path,
    partition: Partition,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    config: QuantizationConfig,
    threshold_elements: int,
    examples: int,
    batch_size: int,
    gap_top_k: int,
) -> Choice:
    """Measure how sensitive a model is to few bits of each piece, and choose the fewest bytes within the limits.

    A variable whose columns belong to classes is divided into pieces, as a model loses little by few bits for rare
    classes. In YouTube-8M's vocabulary classes are numbered from the most frequent to the rarest.

    Args:
        model: Folder of the float model.
        partition: Partition whose hold-out videos that decide are used.
        shapes: Shapes of the variables to quantize, at least one, by name.
        config: What the model may lose and take.
        threshold_elements: Each piece of a variable has more elements than this.
        examples: Number of videos in all steps of the training, which bounds the work.
        batch_size: Number of videos per batch.
        gap_top_k: Number of predictions per video that count in GAP.

    Raises:
        BudgetError: Even in 2 bits, the variables take more bytes than the limit.
        DataError: The model is damaged, or shards cannot be read.
    """
    start, classes = time.monotonic(), partition.spec.num_classes
    pieces = {name: divide(name, shape, classes, threshold_elements) for name, shape in shapes.items()}
    count = sum(map(len, pieces.values()))
    work, variants = WORK_SHARE * examples, count * len(MEASURED_BITS) + 1
    videos = min(max(int(work / 2 / variants), LEAST_VIDEOS), MOST_VIDEOS)
    # The float model, and allocations of which half are left after each one.
    checks = 1 + (len(BITS) * count).bit_length()
    sample = Sample.read(partition, max(int((work - videos * variants) / checks), LEAST_VIDEOS), batch_size)
    fewer = sample.part(videos)
    meter = _Meter(model, config.method_in, batch_size)
    measured = meter.measure(fewer, pieces, gap_top_k)
    found = list(allocations(measured))
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
        bits=chosen.by_variable(),
        sensitivities={each.piece: dict(each.losses) for each in measured},
        checks=tuple(checked),
        videos=len(fewer),
        checked_videos=len(sample),
        seconds=time.monotonic() - start,
    )


def divide(name: str, shape: tuple[int, ...], num_classes: int, threshold_elements: int) -> list[Piece]:
    """Divide a variable into pieces.

    Of columns that belong to classes, each piece but the first has about as many classes as all before it. Other
    matrices are divided into equal pieces, so that a part of them can have more bits than the rest.

    Args:
        name: Name of the variable.
        shape: Its shape.
        num_classes: Number of classes; each has one or more columns side by side.
        threshold_elements: Each piece has more elements than this.

    Returns:
        Pieces from left to right.
    """
    if len(shape) != 2:
        return [whole(name, shape)]
    rows, columns = shape
    if columns % num_classes:
        stops = [index * columns // EQUAL_PIECES for index in range(1, EQUAL_PIECES + 1)]
        small = rows * (columns // EQUAL_PIECES) <= threshold_elements
        return [whole(name, shape)] if small else _between(name, stops, 1)
    width, stops = columns // num_classes, [num_classes]
    while len(stops) < CLASS_PIECES and rows * width * (half := _half(stops[0])) > threshold_elements:
        stops.insert(0, stops[0] - half)
    return _between(name, stops, width)


def _half(classes: int) -> int:
    half = classes // 2
    return half if half < FULL_BYTES else half // FULL_BYTES * FULL_BYTES


def _between(name: str, stops: Sequence[int], width: int) -> list[Piece]:
    return [Piece(name, start * width, stop * width) for start, stop in pairwise([0, *stops])]


def search_allocation(
    found: Sequence[Allocation], meter: "_Meter", sample: Sample, gap_loss: float, gap_top_k: int
) -> tuple[Allocation, list[dict[str, float]]]:
    """Search the smallest allocation within the limits of GAP: of the expected loss, and of that on labels.

    The loss on labels is beyond the limit if it is larger by more than its standard error: on few videos chance would
    decide.

    Args:
        found: Allocations from the most bytes to the fewest. The first one, in 8 bits if there is no limit of bytes, is
            taken for granted.
        meter: Predicts with allocations.
        sample: Videos on which they are measured.
        gap_loss: Largest loss of GAP; the expected loss may be `EXPECTED_LOSS_LIMIT` times as large.
        gap_top_k: Number of predictions per video that count in GAP.

    Returns:
        The allocation, and what was measured of each one that was tried; see `Choice.checks`.
    """
    checks: list[dict[str, float]] = []
    exact = meter.predict(sample, {})
    most = expected_gap(exact, exact, gap_top_k)
    # Smaller allocations lose more, so that each one tells on which side of it the limit is.
    good, bad = 0, len(found)
    with progress("Allocations", (len(found) - 1).bit_length(), "allocations") as advance:
        while bad - good > 1:
            middle = (good + bad) // 2
            allocation = found[middle]
            predicted = meter.predict(sample, allocation.by_variable())
            expected = most - expected_gap(exact, predicted, gap_top_k)
            lost, error = sample.lost_gap(exact, predicted, gap_top_k)
            checks.append(
                {
                    "bytes": allocation.size_bytes,
                    "sum_of_losses": allocation.loss,
                    "expected_loss": expected,
                    "gap_loss": lost,
                    "gap_loss_error": error,
                }
            )
            within = expected <= EXPECTED_LOSS_LIMIT * gap_loss and lost - error <= gap_loss
            good, bad = (middle, bad) if within else (good, middle)
            left = (bad - good - 1).bit_length()
            advance(note=f"{allocation.size_bytes:,} bytes: {expected:.5f} of GAP", total=len(checks) + left)
    return found[good], checks


class _Meter:
    """Predicts with variants of a model, some of whose variables are quantized."""

    def __init__(self, model: Path, method_in: Callable[[int], Method], batch_size: int) -> None:
        self._source = model / WEIGHTS_FILE
        self._method_in = method_in
        self._batch_size = batch_size
        network = load_model(model).model
        self._variables: dict[str, Any] = {variable.path: variable for variable in network.weights}
        self._predictor: Predictor = keras_predictor(network)

    def predict(self, sample: Sample, bits: Mapping[str, Mapping[Piece, int]]) -> Any:
        """Predict a sample with some variables quantized and the others as they are."""
        for name, weight in iterate_floats(self._source):
            given = bits.get(name)
            exact = quantize_pieces(weight, given, self._method_in).dequantize() if given else weight
            self._variables[name].assign(exact)
        return sample.predict(self._predictor, self._batch_size)

    def measure(self, sample: Sample, pieces: Mapping[str, Sequence[Piece]], gap_top_k: int) -> list[Sensitivity]:
        """Measure the expected loss of GAP when one piece alone has few bits, for all pieces."""
        reference = sample.predict(self._predictor, self._batch_size)
        exact = expected_gap(reference, reference, gap_top_k)
        found = []
        with progress("Sensitivity", sum(map(len, pieces.values())), "pieces") as advance:
            for name, weight in iterate_floats(self._source):
                for piece in pieces.get(name, ()):
                    part, losses = piece.of(weight), {}
                    for bits in MEASURED_BITS:
                        variant = weight.copy()
                        piece.of(variant)[...] = quantize_array(part, bits, self._method_in(bits)).dequantize()
                        self._variables[name].assign(variant)
                        predicted = sample.predict(self._predictor, self._batch_size)
                        losses[bits] = exact - expected_gap(reference, predicted, gap_top_k)
                    found.append(Sensitivity(piece, part.shape, losses))
                    advance(note=name)
                self._variables[name].assign(weight)
        return found
