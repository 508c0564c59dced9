"""Heads: from a video's features to class probabilities."""

from typing import Annotated, Any, Literal

from numpy.typing import ArrayLike
from pydantic import Field, NonNegativeFloat, PositiveInt, ValidationInfo, field_validator

from yt8m.config import Config, known_tag


class MixtureOfExpertsConfig(Config):
    """A mixture of experts, optionally followed by label gating.

    Attributes:
        kind: `moe`.
        num_mixtures: Experts per class, the one that says no not counted (the winners: 2).
        gate_rank: Rank of the gates' matrix; null for a full one (`low_rank_gating` in Miech et al.'s code).
        l2_penalty: lambda of `lambda * ||W||^2 / 2` on the matrices of gates and experts (the winners: 1e-6).
        label_gating: What the gates on probabilities are made from: the `probabilities` themselves (Miech et al. 2017,
            section 3.3; the winners' NetVLAD and NetFV), the head's `input`, or null for no gates.
        label_gating_remove_diagonal: Leave out each probability's influence on its own gate (`gating_remove_diag` in
            Miech et al.'s code); only for gates made from probabilities.
    """

    kind: Literal["moe"] = "moe"
    num_mixtures: PositiveInt = 2
    gate_rank: PositiveInt | None = None
    l2_penalty: NonNegativeFloat = 1e-6
    label_gating: Literal["probabilities", "input"] | None = None
    label_gating_remove_diagonal: bool = False

    @field_validator("label_gating_remove_diagonal")
    @classmethod
    def _has_a_diagonal(cls, value: bool, fields: ValidationInfo) -> bool:
        if value and fields.data.get("label_gating", "probabilities") != "probabilities":
            raise ValueError(
                "only gates made from probabilities have a diagonal. Set label_gating: probabilities, or leave it out"
            )
        return value


class LogisticConfig(Config):
    """One logistic regression per class.

    Attributes:
        kind: `logistic`.
        l2_penalty: lambda of `lambda * ||W||^2 / 2` (the winners: 1e-8).
    """

    kind: Literal["logistic"] = "logistic"
    l2_penalty: NonNegativeFloat = 1e-8


Head = Annotated[
    MixtureOfExpertsConfig | LogisticConfig, Field(discriminator="kind"), known_tag("kind", "head", ("logistic", "moe"))
]


def classify(features: Any, head: MixtureOfExpertsConfig | LogisticConfig, num_classes: int) -> Any:
    """Add a head to a model.

    Args:
        features: The video's features, a symbolic tensor `(B, H)`.
        head: The head's configuration.
        num_classes: Number of classes `C`.

    Returns:
        Probabilities `(B, C)`, float32.
    """
    from yt8m.layers.context_gate import ContextGate
    from yt8m.layers.logistic import Logistic
    from yt8m.layers.mixture_of_experts import MixtureOfExperts

    if isinstance(head, LogisticConfig):
        return Logistic(num_classes, head.l2_penalty, name="head")(features)
    moe = MixtureOfExperts(num_classes, head.num_mixtures, head.gate_rank, head.l2_penalty, name="head")
    probabilities = moe(features)
    if head.label_gating is None:
        return probabilities
    on_probabilities = head.label_gating == "probabilities"
    gate = ContextGate(num_classes, head.label_gating_remove_diagonal, name="label_gate")
    return probabilities * gate(probabilities if on_probabilities else features)


def start_at(network: Any, probabilities: ArrayLike) -> None:
    """Set the head's biases so that a new network's predictions begin near given probabilities.

    Args:
        network: A network that ends with a head, as `build` or `build_from_bytes` makes it. Label gates, which begin
            half open, come after that.
        probabilities: One per class, `(C,)`, within (0, 1).
    """
    from yt8m.layers.all_layers import all_layers

    (head,) = (layer for layer in all_layers(network) if layer.name == "head")
    head.start_at(probabilities)
