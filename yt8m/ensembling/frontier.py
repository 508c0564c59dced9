"""GAP against bytes: the ensembles that no smaller one reaches."""

import numpy as np
import numpy.typing as npt


def frontier(sizes: npt.NDArray[np.int64], gaps: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Pick the ensembles that are better than every other of their size or smaller.

    Args:
        sizes: `(n,)` bytes.
        gaps: `(n,)`.

    Returns:
        Indices of the ensembles, by size; their GAP ascends, too.
    """
    order = np.lexsort((-gaps, sizes))
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(gaps[order])[:-1]])
    return np.asarray(order[gaps[order] > best_before])
