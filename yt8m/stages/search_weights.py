"""Stage `search_weights`: searches the members of the final ensemble within a byte budget, and their weights."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, NonNegativeInt, PositiveInt

from yt8m.config import Config
from yt8m.ensembling.budget import Budget, budget_for_all, budget_of, resolve_size_margin
from yt8m.ensembling.files import EnsembleWeights, OffersFile
from yt8m.ensembling.members import Offer, Offers, load_members
from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.search import guided_search, random_search
from yt8m.ensembling.significance import choose_method, gain_standard_error
from yt8m.ensembling.trials import Trials, Weights, pareto_frontier
from yt8m.holdout import Part
from yt8m.metrics import GAP_TOP_K
from yt8m.progress import progress
from yt8m.records.settings import as_details
from yt8m.stages.result import StageResult
from yt8m.training.config import Auto


class SearchConfig(Config):
    """How the members of the ensemble and their weights are searched, within a size.

    Attributes:
        budget_bytes: Largest size of the exported model in bytes (the paper: 1_073_741_824, the limit of the
            challenge).
        size_margin: What the exported model takes besides its members, as a fraction of their bytes. The graph of small
            models is large in proportion. `auto` leaves room for the graph of each member: 400 kB, and 250 kB once.
        trials: Number of weightings that each of the two search methods, random and guided, may score.
        min_gain_errors: Gain in standard errors that searched weights need to replace the flat average; 0 always takes
            the best weights. The default is 2, as the best of many weightings gains about 1.5 by chance.
        seed: Seed of both methods. The default is the recipe's `seed`.
    """

    absent_keys: ClassVar[Mapping[str, str]] = {
        "search_share": "The hold-out is divided once for all decisions, not only for the search. Set "
        "data.report_share, the share of the videos on which figures are reported; weights are searched on the others.",
        **dict.fromkeys(
            ("top_k", "gap_top_k"),
            "GAP is the same in all steps of a run. Set evaluation.gap_top_k, the number of classes that count in it.",
        ),
    }

    budget_bytes: PositiveInt = 2**30
    size_margin: Annotated[float, Field(ge=0, le=10)] | Auto = "auto"
    trials: PositiveInt = 500
    min_gain_errors: float = Field(default=2.0, ge=0)
    seed: NonNegativeInt = 0


class SearchWeightsConfig(SearchConfig):
    """The search for an ensemble, with the GAP that it compares.

    Attributes:
        gap_top_k: Number of predictions per video that count in GAP.
    """

    gap_top_k: PositiveInt = GAP_TOP_K


@dataclass(frozen=True)
class _Holdout:
    """The members in their sizes, their bytes, and their scores on the two parts of the hold-out."""

    offers: tuple[Offer, ...]
    budget: Budget
    search: EnsembleScores
    report: EnsembleScores
    report_rows: npt.NDArray[np.int64]
    part: Part

    def named(self, weights: Weights) -> dict[str, float]:
        """Return the positive weights by member name."""
        return {offer.member: float(w) for offer, w in zip(self.offers, weights, strict=True) if w > 0}

    def sizes(self, weights: Weights) -> dict[str, str]:
        """Return the sizes of the members with positive weights by name."""
        return {offer.member: offer.size for offer, w in zip(self.offers, weights, strict=True) if w > 0}


def search_weights(*, offers: Mapping[str, Path], config: SearchWeightsConfig, output: Path) -> StageResult:
    """Compare the flat average, random search (paper, section 4.3) and a guided search, and keep the best.

    Weights are searched on the part of the hold-out that decides. The other part gives `gap`, the figure to quote:
    the best of many trials is biased upwards on the videos it was searched on. For the same reason the flat average is
    kept unless it is beaten by more than chance. GAP is exact for the stored predictions (see
    `yt8m.ensembling.scores`).

    Args:
        offers: Folder of what `quantize` wrote of each member for the search, by name. The bytes of its model count
            against the budget. Its predictions before quantization measure the cost of quantization to the ensemble and
            do not influence the search.
        config: Budget, search and GAP.
        output: File that receives the members and their weights as JSON (`EnsembleWeights`).

    Returns:
        Metrics of the ensemble, `gap_METHOD` of each method, `videos`, `select_videos`, and `best_member_error`, the
        standard error of the difference in GAP between the ensemble and its best member alone; details `methods`,
        `members` (the paper's table 4), `frontier` (GAP against bytes), `guard`, `room` (what the budget leaves for
        members and their graphs), `settings`, `random_trials` and `part` (of the hold-out, on which `gap` is computed).

    Raises:
        DataError: A folder has no offers of a member, or the members' predictions are not of the same videos.
        BudgetError: Even the smallest member does not fit.
    """
    opened = {name: Offers.open(name, folder) for name, folder in offers.items()}
    described = {name: each.read() for name, each in opened.items()}
    holdout = _read(opened, described, config)
    started = time.perf_counter()
    own_gaps = holdout.search.gaps(np.eye(len(holdout.offers)))
    methods, trials = _search(holdout, own_gaps, config)
    seconds = time.perf_counter() - started
    counts = {"flat": 1, "random": trials[0].done, "ours": trials[1].done}
    rows = _score(holdout, methods, counts)
    searched_gaps = {row["method"]: row["gap_select"] for row in rows}
    chosen, guard = choose_method(holdout.search, methods, searched_gaps, config.min_gain_errors)
    best = next(row for row in rows if row["method"] == chosen)
    ensemble = EnsembleWeights(
        budget_bytes=config.budget_bytes,
        gap_float=_float_gap(best["members"], opened, holdout, config.gap_top_k),
        **{name: best[name] for name in best if name in EnsembleWeights.model_fields},
    )
    ensemble.save(output)
    return StageResult(
        metrics={
            **_metrics(holdout, ensemble, rows),
            **_error_to_best_member(holdout, methods[chosen], own_gaps),
            "trials_per_second": sum(counts.values()) / seconds,
        },
        details={
            "methods": rows,
            "members": _table_of_members(holdout, described, ensemble, own_gaps),
            "frontier": _frontier(holdout, trials, own_gaps),
            "guard": guard,
            "part": holdout.part,
            "room": {
                "limit_bytes": holdout.budget.limit_bytes,
                "graph_bytes": holdout.budget.graph_bytes,
                "budget_for_all": budget_for_all(holdout.budget.sizes.tolist(), config.size_margin),
            },
            "settings": as_details({"size_margin": resolve_size_margin(config.size_margin)}),
            "random_trials": dict(zip(("min", "median", "max"), _spread(trials[0].gaps()), strict=True)),
        },
    )


def _search(
    holdout: _Holdout, own_gaps: npt.NDArray[np.float64], config: SearchWeightsConfig
) -> tuple[dict[str, Weights], tuple[Trials, Trials]]:
    """Run all methods; return the weights by method, and the trials of the random and the guided search."""
    # If not all members fit, the flat average takes the best ones first.
    flat = holdout.budget.fill(np.argsort(-own_gaps, kind="stable")).astype(np.float64)
    flat /= flat.sum()
    decided = "select" if holdout.part == "report" else "hold-out"
    with progress("search_weights", 2 * config.trials, "trials") as advance:

        def show(trials: int, gap: float) -> None:
            advance(trials, f"{decided} GAP {gap:.5f}")

        random, guided = (Trials(holdout.search, holdout.budget, config.trials, show) for _ in range(2))
        random_search(random, holdout.budget, np.random.default_rng([config.seed, 1]))
        ours, _ = guided_search(guided, holdout.budget, flat, np.random.default_rng([config.seed, 2]))
        if guided.left:
            advance(guided.left)
    return {"flat": flat, "random": random.best()[0], "ours": ours}, (random, guided)


def _read(opened: Mapping[str, Offers], described: Mapping[str, OffersFile], config: SearchWeightsConfig) -> _Holdout:
    sizes = {Offer(name, size): count for name, each in described.items() for size, count in each.sizes.items()}
    members = load_members({each: opened[each.member].predictions(each.size) for each in sizes}, config.gap_top_k)
    budget = budget_of(sizes, config.budget_bytes, config.size_margin)
    first = next(iter(members.values()))
    search = EnsembleScores(list(members.values()), first.rows_select, top_k=config.gap_top_k)
    report = search
    if first.part == "report":
        report = EnsembleScores(list(members.values()), first.rows_report, top_k=config.gap_top_k)
    return _Holdout(tuple(sizes), budget, search, report, first.rows_report, first.part)


def _float_gap(weights: Mapping[str, float], opened: Mapping[str, Offers], holdout: _Holdout, top_k: int) -> float:
    """Compute the ensemble's GAP before quantization on the report part of the hold-out."""
    # Loaded together with one quantized member, so that all are checked to be of the same videos.
    name, size = holdout.offers[0]
    compared = {"": opened[name].predictions(size)}
    floats = {name: opened[name].float_predictions for name in weights}
    _, *members = load_members(compared | floats, top_k).values()
    return float(EnsembleScores(members, holdout.report_rows, top_k=top_k).gaps(list(weights.values()))[0])


def _score(holdout: _Holdout, methods: Mapping[str, Weights], trials: Mapping[str, int]) -> list[dict[str, Any]]:
    table = np.array(list(methods.values()))
    search, report = holdout.search.gaps(table), holdout.report.gaps(table)
    return [
        {
            "method": name,
            "trials": trials[name],
            "gap_select": float(search[i]),
            "gap": float(report[i]),
            "size_bytes": int(holdout.budget.size_of(weights)),
            "members": holdout.named(weights),
            "sizes": holdout.sizes(weights),
        }
        for i, (name, weights) in enumerate(methods.items())
    ]


def _metrics(holdout: _Holdout, ensemble: EnsembleWeights, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {f"gap_{row['method']}": row["gap"] for row in rows} | {
        "gap": ensemble.gap,
        "gap_select": ensemble.gap_select,
        "gap_float": ensemble.gap_float,
        "videos": float(holdout.report.num_videos),
        "select_videos": float(holdout.search.num_videos),
        "size_bytes": float(ensemble.size_bytes),
        "budget_bytes": float(ensemble.budget_bytes),
        "members": float(len(ensemble.members)),
    }


def _error_to_best_member(holdout: _Holdout, weights: Weights, own_gaps: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return the metric `best_member_error`; nothing for a single video, whose error is infinite."""
    alone = np.eye(len(weights))[np.argmax(np.where(weights > 0, own_gaps, -1.0))]
    error = gain_standard_error(holdout.report, weights, alone)
    return {"best_member_error": error} if np.isfinite(error) else {}


def _table_of_members(
    holdout: _Holdout,
    described: Mapping[str, OffersFile],
    ensemble: EnsembleWeights,
    own_gaps: npt.NDArray[np.float64],
) -> list[dict[str, Any]]:
    """Make the paper's table 4, including dropped members with weight 0."""
    reported = holdout.report.gaps(np.eye(len(holdout.offers)))
    return [
        {
            "name": name,
            "family": described[name].family,
            "size": chosen,
            "size_bytes": int(size),
            "size_share": int(size) / ensemble.size_bytes if name in ensemble.members else 0.0,
            "weight": ensemble.members.get(name, 0.0),
            "gap_select": float(searched),
            "gap": float(gap),
        }
        for (name, chosen), size, searched, gap in zip(
            holdout.offers, holdout.budget.sizes, own_gaps, reported, strict=True
        )
    ]


def _frontier(holdout: _Holdout, searches: Sequence[Trials], own_gaps: npt.NDArray[np.float64]) -> list[dict[str, Any]]:
    """Compute the Pareto frontier of GAP against bytes over all weights tried, even those beyond the budget."""
    own = np.eye(len(holdout.offers))
    weights = np.concatenate([own, *(trials.weights() for trials in searches)])
    gaps = np.concatenate([own_gaps, *(trials.gaps() for trials in searches)])
    sizes = holdout.budget.size_of(weights)
    picked = pareto_frontier(sizes, gaps)
    reported = holdout.report.gaps(weights[picked])
    return [
        {
            "size_bytes": int(sizes[i]),
            "gap_select": float(gaps[i]),
            "gap": float(gap),
            "members": holdout.named(weights[i]),
        }
        for i, gap in zip(picked, reported, strict=True)
    ]


def _spread(gaps: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(gaps.min()), float(np.median(gaps)), float(gaps.max())
