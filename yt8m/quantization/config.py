"""The recipe's section on quantization."""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from yt8m.config import Config
from yt8m.quantization.methods import Method

# Number of bits of a weight, or `auto`, which chooses those of each piece of a variable.
Bits = Literal[2, 3, 4, 6, 8, "auto"]


class QuantizationConfig(Config):
    """How weights are stored in fewer bits.

    Attributes:
        bits: Number of bits of a weight (the paper: 8): 2, 3, 4, 6 or 8. `auto` measures how sensitive the model is to
            few bits of each variable, on a sample of the hold-out videos that decide, and gives each as few as
            `max_gap_loss` allows; columns of classes fall into up to six groups, where the first classes, which are
            expected to be the most frequent ones, usually get more bits, and other matrices into four. Several, as in
            `[8, auto, 4]`, offer each model in several sizes, of which the search chooses at most one; the first one is
            measured in the report.
        method: Which values a code stands for: `uniform` for 256 equally spaced ones, in 8 bits only (the paper:
            uniform); `kmeans` for those with the least squared error. `auto` is `uniform` in 8 bits, which loads
            fastest, and `kmeans` in fewer.
        threshold_elements: Only variables with more elements than this are quantized (the paper: 17_000), the others
            stay float32. `auto` is five times the number of features or of classes, whichever is larger, at least
            1000 and at most the paper's, so that matrices are quantized and vectors are not.
        max_gap_loss: Largest loss of GAP with `bits: auto`, measured on a sample of the hold-out videos that decide.
            The loss on labels may exceed it by one standard error, and the loss that the model itself expects, which
            has no noise of labels, by half. On other videos the loss may be somewhat larger.
        max_bytes: Most bytes that the quantized variables of a model take with `bits: auto`, whatever they lose. Null
            means no limit.
    """

    bits: Bits | tuple[Bits, ...] = "auto"
    method: Method | Literal["auto"] = "auto"
    threshold_elements: NonNegativeInt | Literal["auto"] = "auto"
    max_gap_loss: float = Field(default=0.0005, ge=0)
    max_bytes: PositiveInt | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if isinstance(self.bits, tuple) and len(self.sizes) != max(len(self.bits), 1):
            raise ValueError("bits: give one or more different numbers of bits")
        if self.method == "uniform" and self.sizes != {"8": 8}:
            raise ValueError(
                f"method: uniform has 8 bits, received bits: {', '.join(self.sizes)}. Set bits: 8, or leave method out"
            )
        if self.max_bytes is not None and "auto" not in self.sizes:
            raise ValueError(
                f"max_bytes: bits are given, not chosen, received bits: {', '.join(self.sizes)}. Set bits: auto, or "
                "leave max_bytes out"
            )
        return self

    @property
    def sizes(self) -> dict[str, Bits]:
        """The bits in the recipe's order, by the name of the size: `8` or `auto`."""
        listed = self.bits if isinstance(self.bits, tuple) else (self.bits,)
        return {str(bits): bits for bits in listed}

    def method_in(self, bits: int) -> Method:
        """Return the method of variables with so many bits."""
        if self.method != "auto":
            return self.method
        return "uniform" if bits == 8 else "kmeans"
