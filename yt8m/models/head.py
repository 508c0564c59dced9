"""Heads of models: class probabilities from the features of a video."""

from typing import Annotated, Any, Literal

from numpy.typing import ArrayLike
from pydantic import Field, NonNegativeFloat, PositiveInt, ValidationInfo, field_validator

from yt8m.config import Config
from yt8m.config_errors import known_tag


class MixtureOfExpertsConfig(Config):
    """A mixture of experts: several logistic regressions per class and their weights for each video.

    Attributes:
        kind: `moe`.
        num_mixtures: Number of logistic experts per class, besides the constant one that predicts 0 (the paper: 2).
        gate_rank: Rank of the weight matrix of the gates, called `low_rank_gating` in the code of Miech et al. (the
            paper: null). A low rank makes the head smaller; null means a full matrix.
        l2_penalty: Factor lambda of the penalty `lambda * ||W||^2 / 2` on the weight matrices of gates and experts (the
            paper: 1.0e-6).
        label_gating: Input of the gates on probabilities: the `probabilities` themselves (Miech et al. 2017, section
            3.3), the `input` of the head, or null for no gates (the paper: probabilities for NetVLAD and NetFV, null
            for DBoF). The gates have as many weights as the number of classes squared.
        label_gating_remove_diagonal: Whether a gate ignores the probability it gates, as with `gating_remove_diag` in
            the code of Miech et al. (the paper: false). Only with `label_gating: probabilities`.
    """

    kind: Literal["moe"] = "moe"
    num_mixtures: PositiveInt = 2
    gate_rank: PositiveInt | None = None
    l2_penalty: NonNegativeFloat = 1e-6
    label_gating: Literal["probabilities", "input"] | None = None
    label_gating_remove_diagonal: bool = False

    @field_validator("label_gating_remove_diagonal")
    @classmethod
    def _refuse_without_diagonal(cls, value: bool, fields: ValidationInfo) -> bool:
        if value and fields.data.get("label_gating", "probabilities") != "probabilities":
            raise ValueError(
                "only gates made from probabilities have a diagonal. Set label_gating: probabilities, or leave it out"
            )
        return value


class LogisticConfig(Config):
    """One logistic regression per class.

    Attributes:
        kind: `logistic`.
        l2_penalty: Factor lambda of the penalty `lambda * ||W||^2 / 2` on the weight matrix (the paper: 1.0e-8).
    """

    kind: Literal["logistic"] = "logistic"
    l2_penalty: NonNegativeFloat = 1e-8


class SoftmaxConfig(Config):
    """One probability distribution over all classes, for data in which every video has exactly one label.

    The probabilities of a video sum to 1, and the model is trained with the categorical cross entropy. A training on
    videos with several labels or none is refused.

    Attributes:
        kind: `softmax`.
        l2_penalty: Factor lambda of the penalty `lambda * ||W||^2 / 2` on the weight matrix (the paper has no such
            head; the default is that of its logistic head).
    """

    kind: Literal["softmax"] = "softmax"
    l2_penalty: NonNegativeFloat = 1e-8


HeadConfig = MixtureOfExpertsConfig | LogisticConfig | SoftmaxConfig
Head = Annotated[HeadConfig, Field(discriminator="kind"), known_tag("kind", "head", ("logistic", "moe", "softmax"))]


def classify(features: Any, head: HeadConfig, num_classes: int) -> Any:
    """Apply a head to the features of a video.

    Args:
        features: Symbolic tensor `(B, H)`.
        head: Configuration of the head.
        num_classes: Number of classes `C`.

    Returns:
        Probabilities `(B, C)`, float32.
    """
    from yt8m.layers.context_gate import ContextGate
    from yt8m.layers.logistic import Logistic
    from yt8m.layers.mixture_of_experts import MixtureOfExperts
    from yt8m.layers.softmax import SoftmaxRegression

    if isinstance(head, SoftmaxConfig):
        return SoftmaxRegression(num_classes, head.l2_penalty, name="head")(features)
    if isinstance(head, LogisticConfig):
        return Logistic(num_classes, head.l2_penalty, name="head")(features)
    moe = MixtureOfExperts(num_classes, head.num_mixtures, head.gate_rank, head.l2_penalty, name="head")
    probabilities = moe(features)
    if head.label_gating is None:
        return probabilities
    on_probabilities = head.label_gating == "probabilities"
    gate = ContextGate(
        num_classes, head.label_gating_remove_diagonal, initial_deviation=num_classes**-0.5, name="label_gate"
    )
    return probabilities * gate(probabilities if on_probabilities else features)


def set_initial_predictions(network: Any, probabilities: ArrayLike) -> None:
    """Set the biases of the head so that the initial predictions of a network are near given probabilities.

    Label gates, which are half open at first, are not taken into account.

    Args:
        network: Network from `build` or `build_from_bytes`.
        probabilities: Array `(C,)` with values in (0, 1).
    """
    from yt8m.layers.all_layers import all_layers

    # Not found by its name, which a feature may have as well.
    (head,) = (layer for layer in all_layers(network) if hasattr(layer, "set_initial_predictions"))
    head.set_initial_predictions(probabilities)


def has_exclusive_classes(network: Any) -> bool:
    """Return whether the probabilities of a network sum to 1 for each video, because its head is `softmax`.

    Args:
        network: A Keras model.
    """
    from yt8m.layers.all_layers import all_layers
    from yt8m.layers.softmax import SoftmaxRegression

    return any(isinstance(layer, SoftmaxRegression) for layer in all_layers(network))
