"""Statistical significance: searched weights replace the flat average only if their gain is unlikely to be chance."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from yt8m.bootstrap import difference_error
from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.trials import Weights


def choose_method(
    scores: EnsembleScores, methods: Mapping[str, Weights], gaps: Mapping[str, float], min_gain_errors: float
) -> tuple[str, dict[str, Any]]:
    """Choose the best method, or `flat` if the best one does not beat it clearly.

    Args:
        scores: Scores of the members on the videos of the search.
        methods: Weights `(M,)` of each method by name, `flat` among them.
        gaps: GAP of each method on the same videos.
        min_gain_errors: Gain over `flat` that is required, in standard errors.

    Returns:
        Name of the chosen method, and the comparison as plain JSON data.
    """
    best = max(methods, key=lambda name: gaps[name])
    gain = gaps[best] - gaps["flat"]
    error = gain_standard_error(scores, methods[best], methods["flat"])
    chosen = best if gain > 0 and gain >= min_gain_errors * error else "flat"
    return chosen, {
        "best_searched": best,
        "gain_over_flat": gain,
        "min_gain_errors": min_gain_errors,
        # JSON has no infinity.
        "standard_error": error if np.isfinite(error) else None,
        "taken": chosen,
    }


def gain_standard_error(scores: EnsembleScores, weights: Weights, baseline: Weights) -> float:
    """Estimate the standard error of the difference in GAP between two ensembles on the same videos by bootstrap.

    Args:
        scores: Scores of the members.
        weights: Weights `(M,)` of one ensemble.
        baseline: Weights `(M,)` of the other ensemble.

    Returns:
        The standard error; infinite if there is only one video.
    """
    if scores.num_videos < 2:
        return float("inf")
    keys = scores.top_keys(np.stack([weights, baseline]).astype(np.float32))
    one, other = (each.reshape(scores.num_videos, -1) for each in keys)
    return difference_error(one, other, scores.positives)
