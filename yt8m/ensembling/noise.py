"""How much of a difference between two ensembles may be chance."""

import numpy as np

from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.trials import Weights
from yt8m.metrics import gap_of_keys

_GROUPS = 20


def gain_error(scores: EnsembleScores, weights: Weights, baseline: Weights) -> float:
    """Standard error, over videos, of how much higher the GAP of one ensemble is than that of another.

    Both are scored on the same videos, so what makes these hard or easy cancels. A jackknife that leaves out one of 20
    groups of videos at a time (Efron and Tibshirani, 1993, chapter 11).

    Args:
        scores: The members' scores.
        weights: `(M,)` of one ensemble.
        baseline: `(M,)` of the other.

    Returns:
        The standard error; infinite where there is only one video.
    """
    groups = min(_GROUPS, scores.num_videos)
    if groups < 2:
        return float("inf")
    keys = scores.top_keys(np.stack([weights, baseline]).astype(np.float32)).reshape(2, scores.num_videos, -1)
    group = np.arange(scores.num_videos) % groups
    gains = []
    for left_out in range(groups):
        kept = group != left_out
        # Labels are spread evenly enough to count them by videos; the error this makes cancels in the difference.
        positives = scores.num_positives * kept.mean()
        gains.append(gap_of_keys(keys[0, kept], positives) - gap_of_keys(keys[1, kept], positives))
    return float(np.std(gains) * np.sqrt(groups - 1))
