"""The training loss: cross entropy summed over classes, on labels and on the teachers' predictions.

Shapes: B batch, C classes.
"""

from typing import Any

from keras import ops

# Inside both logarithms, as in the YouTube-8M starter code: no class costs more than -log(1e-5) = 11.5.
LOG_EPSILON = 1e-5


def binary_crossentropy(targets: Any, probabilities: Any) -> Any:
    """Cross entropy of independent classes, summed over classes, averaged over the batch.

    Summed, not averaged, over classes: clipping and penalties of the published configurations presume that scale.

    Args:
        targets: `(B, C)`, 0 to 1: labels, soft targets or a mixture of them.
        probabilities: `(B, C)`, the model's predictions.

    Returns:
        float32 scalar.
    """
    targets_BC = ops.cast(targets, "float32")
    p_BC = ops.cast(probabilities, "float32")
    log_likelihood_BC = targets_BC * ops.log(p_BC + LOG_EPSILON) + (1 - targets_BC) * ops.log(1 - p_BC + LOG_EPSILON)
    return -ops.mean(ops.sum(log_likelihood_BC, axis=-1))


def mixed_targets(labels: Any, soft_targets: Any, label_weight: float) -> Any:
    """The targets `label_weight * labels + (1 - label_weight) * soft_targets`.

    Args:
        labels: `(B, C)`, multi-hot.
        soft_targets: `(B, C)`, the teachers' mean probabilities.
        label_weight: Lambda of the paper, 0 to 1.

    Returns:
        float32 `(B, C)`.
    """
    return label_weight * ops.cast(labels, "float32") + (1 - label_weight) * ops.cast(soft_targets, "float32")


def distillation_loss(labels: Any, soft_targets: Any, probabilities: Any, label_weight: float) -> Any:
    """Equation 2 of the paper: cross entropy with the labels and with the teachers' predictions.

    The paper prints `-y log p + (1 - y) log(1 - p)`; the second sign is a slip, both terms are negative. Cross entropy
    is linear in its target, so the weighted sum of the two is the cross entropy of the weighted target: one pass over
    the classes instead of two.

    Args:
        labels: `(B, C)`, multi-hot.
        soft_targets: `(B, C)`, the teachers' mean probabilities.
        probabilities: `(B, C)`, the student's predictions.
        label_weight: Lambda; weighs the labels, 0.5 in the paper.

    Returns:
        float32 scalar, on the scale of `binary_crossentropy`.
    """
    return binary_crossentropy(mixed_targets(labels, soft_targets, label_weight), probabilities)
