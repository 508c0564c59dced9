"""Training losses: cross entropy with labels and with soft targets, of independent or exclusive classes.

Shapes: B batch, C classes.
"""

from typing import Any

from keras import ops

# Added inside both logarithms, as in the YouTube-8M starter code. It bounds the loss per class by -log(1e-5) = 11.5.
LOG_EPSILON = 1e-5


def binary_crossentropy(targets: Any, probabilities: Any, class_weights: Any = None, video_weights: Any = None) -> Any:
    """Compute the cross entropy of independent classes, summed over classes and averaged over the batch.

    The sum over classes gives the scale that clipping and penalties of the published configurations assume.

    Args:
        targets: Labels, soft targets or a mixture of them, `(B, C)`, between 0 and 1.
        probabilities: Predictions of the model, `(B, C)`.
        class_weights: Factor of the cross entropy of each class, `(C,)`. None weights all classes equally.
        video_weights: Factor of the loss of each video, `(B,)`. None weights all videos equally.

    Returns:
        A float32 scalar.
    """
    targets_BC = ops.cast(targets, "float32")
    p_BC = ops.cast(probabilities, "float32")
    log_likelihood_BC = targets_BC * ops.log(p_BC + LOG_EPSILON) + (1 - targets_BC) * ops.log(1 - p_BC + LOG_EPSILON)
    return _negative_mean(log_likelihood_BC, class_weights, video_weights)


def categorical_crossentropy(
    targets: Any, probabilities: Any, class_weights: Any = None, video_weights: Any = None
) -> Any:
    """Compute the cross entropy of classes that exclude each other, averaged over the batch.

    Args:
        targets: One-hot labels, soft targets or a mixture of them, `(B, C)`, which sum to 1 for each video.
        probabilities: Predictions of the model, `(B, C)`, which sum to 1 for each video.
        class_weights: Factor of the cross entropy of each class, `(C,)`. None weights all classes equally.
        video_weights: Factor of the loss of each video, `(B,)`. None weights all videos equally.

    Returns:
        A float32 scalar.
    """
    targets_BC = ops.cast(targets, "float32")
    p_BC = ops.cast(probabilities, "float32")
    return _negative_mean(targets_BC * ops.log(p_BC + LOG_EPSILON), class_weights, video_weights)


def as_distribution(soft_targets: Any) -> Any:
    """Divide the soft targets of each video by their sum, so that they are a probability distribution.

    Those of teachers with a softmax head are one already, except for the rounding of their storage.

    Args:
        soft_targets: Mean probabilities of the teachers, `(B, C)`.

    Returns:
        Float32 `(B, C)`. Soft targets that are all 0 stay 0.
    """
    given_BC = ops.cast(soft_targets, "float32")
    return given_BC / ops.maximum(ops.sum(given_BC, axis=-1, keepdims=True), LOG_EPSILON)


def mixed_targets(labels: Any, soft_targets: Any, label_weight: float) -> Any:
    """Mix labels and soft targets: `label_weight * labels + (1 - label_weight) * soft_targets`.

    Cross entropy is linear in its targets. The cross entropy of the mixed targets is therefore equation 2 of the paper,
    the weighted sum of the cross entropies with labels and with soft targets, in one pass over the classes. The paper
    prints `-y log p + (1 - y) log(1 - p)`, in which the second sign is a misprint; both terms are negative.

    Args:
        labels: Multi-hot labels, `(B, C)`.
        soft_targets: Mean probabilities of the teachers, `(B, C)`.
        label_weight: Weight of the labels, lambda in the paper, where it is 0.5; between 0 and 1.

    Returns:
        Mixed targets, float32 `(B, C)`.
    """
    return label_weight * ops.cast(labels, "float32") + (1 - label_weight) * ops.cast(soft_targets, "float32")


def _negative_mean(log_likelihood_BC: Any, class_weights: Any, video_weights: Any) -> Any:
    if class_weights is not None:
        log_likelihood_BC *= class_weights
    loss_B = -ops.sum(log_likelihood_BC, axis=-1)
    return ops.mean(loss_B if video_weights is None else loss_B * ops.cast(video_weights, "float32"))
