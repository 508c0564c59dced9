"""Stage `select_teachers`: chooses the best combination of a family's candidates as its teachers."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from pydantic import PositiveInt

from yt8m.config import Config
from yt8m.ensembling.files import Combination, TeacherSelection
from yt8m.ensembling.members import load_members
from yt8m.ensembling.scores import EnsembleScores
from yt8m.errors import ConfigError
from yt8m.metrics import GAP_TOP_K
from yt8m.progress import progress
from yt8m.records.settings import as_details
from yt8m.stages.result import StageResult
from yt8m.training.auto.rules import resolve_ensemble_size
from yt8m.training.config import Auto


class SelectConfig(Config):
    """Configuration of the selection.

    Attributes:
        size: Number of teachers per family. `auto` is the paper's 3, or all candidates if there are fewer.
        gap_top_k: Number of predictions per video that count in GAP.
    """

    size: PositiveInt | Auto = "auto"
    gap_top_k: PositiveInt = GAP_TOP_K


def select_teachers(*, predictions: Mapping[str, Path], config: SelectConfig, output: Path) -> StageResult:
    """Score every combination of candidates, weighted equally, on the hold-out (paper, section 4.2).

    The part of the hold-out that decides chooses the teachers; the figures are of the part that is reported.
    GAP is exact for the stored predictions: a class beyond a candidate's stored top K counts as 0 for that candidate.
    Scoring 120 combinations of 10 candidates on 232,072 videos takes well under a minute on two cores, and 3 GB.

    Args:
        predictions: Predictions file of each candidate by name, as written by `train` or `average`.
        config: Number of teachers to choose.
        output: File that receives the choice and the table of all combinations as JSON (`TeacherSelection`).

    Returns:
        Metrics `gap_select` and `gap` of the teachers' mean on the two parts, and `combinations`; details `chosen`,
        `settings`, `part` (of the hold-out, on which `gap` is computed) and `table` with all combinations, those
        with the best `gap_select` first.

    Raises:
        ConfigError: There are fewer candidates than teachers to choose.
        DataError: The files are not predictions of the same videos.
    """
    names = list(predictions)
    size = resolve_ensemble_size(config.size, len(names))
    if len(names) < size.value:
        raise ConfigError(
            f"select_teachers: expected at least {size.value} candidates, received {len(names)} "
            f"({', '.join(names) or 'none'}). Add candidates or reduce size."
        )
    chosen = np.array(list(combinations(range(len(names)), size.value)))
    weights = np.zeros((len(chosen), len(names)))
    np.put_along_axis(weights, chosen, 1 / size.value, axis=1)
    members = list(load_members(predictions, config.gap_top_k).values())
    part = members[0].part
    rows = [members[0].rows_select] + [members[0].rows_report] * (part == "report")
    found = []
    with progress("select_teachers", len(rows) * len(chosen), "combinations") as advance:
        for each in rows:
            found.append(EnsembleScores(members, each, top_k=config.gap_top_k).gaps(weights, advance))
    decisive, reported = found[0], found[-1]
    # A stable sort: of equal combinations the one listed first wins.
    order = np.argsort(-decisive, kind="stable")
    table = tuple(
        Combination(members=tuple(names[m] for m in chosen[i]), gap_select=float(decisive[i]), gap=float(reported[i]))
        for i in order
    )
    best = table[0]
    selection = TeacherSelection(chosen=best.members, gap_select=best.gap_select, gap=best.gap, combinations=table)
    selection.save(output)
    return StageResult(
        metrics={"gap": best.gap, "gap_select": best.gap_select, "combinations": float(len(table))},
        details={
            "part": part,
            "chosen": list(best.members),
            "settings": as_details({"ensemble_size": size}),
            "table": [row.model_dump(mode="json") for row in table],
        },
    )
