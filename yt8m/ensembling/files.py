"""Files of ensembling: the teachers of a family, the sizes of a member, and the weights of the final ensemble."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from yt8m.config import Config, ConfigFile

# Text of the size of a model: a number of bits, or `auto`. It names a folder and a file.
Size = Annotated[str, Field(pattern=r"^[a-z0-9]+$")]
# Size in which the paper stores all members.
PAPER_SIZE = "8"
# No size, but the name of predictions before quantization beside those of the sizes.
FLOAT = "float"


class Combination(Config):
    """Equally weighted models and their GAP.

    Attributes:
        members: Names of the models.
        gap_select: GAP on the part of the hold-out that decides.
        gap: GAP on the part of the hold-out on which figures are reported.
    """

    members: tuple[str, ...]
    gap_select: float
    gap: float


class TeacherSelection(ConfigFile):
    """The result of stage `select_teachers`.

    Attributes:
        chosen: Names of the teachers, which are weighted equally.
        gap_select: GAP of the teachers' mean on the part of the hold-out that decides.
        gap: GAP of the teachers' mean on the part of the hold-out on which figures are reported.
        combinations: All scored combinations, those with the best `gap_select` first.
    """

    chosen: tuple[str, ...]
    gap_select: float
    gap: float
    combinations: tuple[Combination, ...]


class OffersFile(ConfigFile):
    """The sizes of a member, from which `search_weights` chooses at most one.

    Attributes:
        family: Architecture of the model.
        sizes: Bytes of the model's folder in each size, in the recipe's order.
    """

    family: str
    sizes: dict[Size, PositiveInt] = Field(min_length=1)

    @model_validator(mode="after")
    def _float_is_no_size(self) -> Self:
        if FLOAT in self.sizes:
            raise ValueError(f"'{FLOAT}' is not a size, as it names the predictions before quantization")
        return self


class EnsembleWeights(ConfigFile):
    """The result of stage `search_weights`, from which `export` builds the ensemble.

    Attributes:
        members: Weight of each member by name. The weights sum to 1; dropped models are absent.
        sizes: Size of each member by name.
        size_bytes: Total bytes of the members' quantized models.
        budget_bytes: Maximum bytes of the exported model.
        method: Search method that found the weights.
        gap_select: GAP on the part of the hold-out that decides, on which the weights were searched.
        gap: GAP on the part on which figures are reported.
        gap_float: Same as `gap` with the members before quantization.
    """

    members: dict[str, PositiveFloat] = Field(min_length=1)
    sizes: dict[str, Size]
    size_bytes: NonNegativeInt
    budget_bytes: PositiveInt
    method: Literal["flat", "random", "ours"]
    gap_select: float
    gap: float
    gap_float: float

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> Self:
        total = math.fsum(self.members.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the members' weights must sum to 1; they sum to {total:.6g}")
        return self

    @model_validator(mode="after")
    def _every_member_has_a_size(self) -> Self:
        if self.sizes.keys() != self.members.keys():
            raise ValueError(
                f"expected a size of each of {sorted(self.members)}; received those of {sorted(self.sizes)}"
            )
        return self
