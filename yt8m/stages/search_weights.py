"""Stage `search_weights`: searches the members of the final ensemble within a byte budget, their sizes and weights."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, NonNegativeInt, PositiveInt

from yt8m.config import Config
from yt8m.ensembling.budget import Budget, budget_for_all, resolve_size_margin
from yt8m.ensembling.files import PAPER_SIZE, EnsembleWeights
from yt8m.ensembling.members import Offer, Offers, load_members
from yt8m.ensembling.offered import OfferedMembers
from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.search import guided_search, random_search
from yt8m.ensembling.significance import choose_method, gain_standard_error
from yt8m.ensembling.size_search import search_sizes
from yt8m.ensembling.trials import Trials, Weights, pareto_frontier
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
        trials: Number of weightings that each of the two search methods, random and guided, may score; twice as many if
            members are offered in several sizes. The guided search then spends the first half on the largest sizes.
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


def search_weights(*, offers: Mapping[str, Path], config: SearchWeightsConfig, output: Path) -> StageResult:
    """Compare the flat average, random search (paper, section 4.3) and a guided search, and keep the best.

    A member that is offered in several sizes is taken in one of them. The guided search starts with the largest ones.

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
        `members` (the paper's table 4), `frontier` (GAP against bytes), `paper_point` (the best ensemble within the
        budget of members in 8 bits, if that is a size), `guard`, `room` (what the budget leaves for members and their
        graphs), `settings`, `random_trials` and `part` (of the hold-out, on which `gap` is computed).

    Raises:
        DataError: A folder has no offers of a member, or the members' predictions are not of the same videos.
        BudgetError: Even the smallest member does not fit.
    """
    opened = {name: Offers.open(name, folder) for name, folder in offers.items()}
    offered = OfferedMembers.read(opened, config.budget_bytes, config.size_margin, config.gap_top_k)
    started = time.perf_counter()
    own_gaps = offered.search.gaps(np.eye(len(offered.offers)))
    methods, trials = _search(offered, own_gaps, config)
    seconds = time.perf_counter() - started
    sizes = {offer.size for offer in offered.offers}
    counts = {"flat": len(sizes), "random": trials[0].done, "ours": sum(each.done for each in trials[1:])}
    rows = _score(offered, methods, counts)
    searched_gaps = {row["method"]: row["gap_select"] for row in rows}
    chosen, guard = choose_method(offered.search, methods, searched_gaps, config.min_gain_errors)
    best = next(row for row in rows if row["method"] == chosen)
    largest = offered.budget.largest()
    ensemble = EnsembleWeights(
        budget_bytes=config.budget_bytes,
        gap_float=_float_gap(best["members"], opened, offered, config.gap_top_k),
        **{name: best[name] for name in best if name in EnsembleWeights.model_fields},
    )
    ensemble.save(output)
    return StageResult(
        metrics={
            **_metrics(offered, ensemble, rows),
            **_error_to_best_member(offered, methods[chosen], own_gaps),
            "trials_per_second": sum(counts.values()) / seconds,
        },
        details={
            "methods": rows,
            "members": _table_of_members(offered, ensemble, own_gaps),
            **_frontier(offered, trials, own_gaps),
            "guard": guard,
            "part": offered.part,
            "room": {
                "limit_bytes": offered.budget.limit_bytes,
                "graph_bytes": offered.budget.graph_bytes,
                "budget_for_all": budget_for_all(offered.budget.sizes[largest].tolist(), config.size_margin),
            },
            "settings": as_details({"size_margin": resolve_size_margin(config.size_margin)}),
            "random_trials": dict(zip(("min", "median", "max"), _spread(trials[0].gaps()), strict=True)),
        },
    )


def _search(
    offered: OfferedMembers, own_gaps: npt.NDArray[np.float64], config: SearchWeightsConfig
) -> tuple[dict[str, Weights], list[Trials]]:
    """Run all methods; return the weights by method, and the trials of the random and then of the guided search."""
    scores, budget = offered.search, offered.budget
    decided = "select" if offered.part == "report" else "hold-out"
    largest = budget.largest()
    limit = config.trials * (1 if len(largest) == len(budget.sizes) else 2)
    with progress("search_weights", 2 * limit, "trials") as advance:

        def show(trials: int, gap: float) -> None:
            advance(trials, f"{decided} GAP {gap:.5f}")

        random = Trials(scores, budget, limit, show)
        random_search(random, budget, np.random.default_rng([config.seed, 1]))
        rng = np.random.default_rng([config.seed, 2])
        guided = [Trials(scores, budget.only(largest), config.trials, show, largest)]
        ours, _ = guided_search(guided[0], budget.only(largest), _flat(budget.only(largest), own_gaps[largest]), rng)
        ours = guided[0].widen(ours[None])[0]
        if limit > config.trials:
            guided.append(Trials(scores, budget, limit - guided[0].done, show))
            ours, _ = search_sizes(guided[1], budget, ours, rng)
        if guided[-1].left:
            advance(guided[-1].left)
    return {"flat": _best_flat(offered, own_gaps), "random": random.best()[0], "ours": ours}, [random, *guided]


def _flat(budget: Budget, own_gaps: npt.NDArray[np.float64]) -> Weights:
    """Weight offers equally. If not all fit, take the best ones first."""
    taken = budget.fill(np.argsort(-own_gaps, kind="stable")).astype(np.float64)
    return np.asarray(taken / taken.sum())


def _best_flat(offered: OfferedMembers, own_gaps: npt.NDArray[np.float64]) -> Weights:
    """Return the best flat average of members in the same size."""
    budget = offered.budget
    options: list[Weights] = []
    for size in dict.fromkeys(offer.size for offer in offered.offers):
        offers = offered.of_size(size)
        if budget.fits(np.eye(len(own_gaps))[offers]).any():
            option = np.zeros(len(own_gaps))
            option[offers] = _flat(budget.only(offers), own_gaps[offers])
            options.append(option)
    return options[int(np.argmax(offered.search.gaps(options)))]


def _float_gap(
    weights: Mapping[str, float], opened: Mapping[str, Offers], offered: OfferedMembers, top_k: int
) -> float:
    """Compute the ensemble's GAP before quantization on the report part of the hold-out."""
    # Loaded together with one quantized member, so that all are checked to be of the same videos.
    name, size = offered.offers[0]
    compared = {"": opened[name].predictions(size)}
    floats = {name: opened[name].float_predictions for name in weights}
    _, *members = load_members(compared | floats, top_k).values()
    return float(EnsembleScores(members, offered.report_rows, top_k=top_k).gaps(list(weights.values()))[0])


def _score(offered: OfferedMembers, methods: Mapping[str, Weights], trials: Mapping[str, int]) -> list[dict[str, Any]]:
    table = np.array(list(methods.values()))
    search, report = offered.search.gaps(table), offered.report.gaps(table)
    return [
        {"method": name, "trials": trials[name], **offered.describe(weights, search[i], report[i])}
        for i, (name, weights) in enumerate(methods.items())
    ]


def _metrics(offered: OfferedMembers, ensemble: EnsembleWeights, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {f"gap_{row['method']}": row["gap"] for row in rows} | {
        "gap": ensemble.gap,
        "gap_select": ensemble.gap_select,
        "gap_float": ensemble.gap_float,
        "videos": float(offered.report.num_videos),
        "select_videos": float(offered.search.num_videos),
        "size_bytes": float(ensemble.size_bytes),
        "budget_bytes": float(ensemble.budget_bytes),
        "members": float(len(ensemble.members)),
    }


def _error_to_best_member(
    offered: OfferedMembers, weights: Weights, own_gaps: npt.NDArray[np.float64]
) -> dict[str, float]:
    """Return the metric `best_member_error`; nothing for a single video, whose error is infinite."""
    alone = np.eye(len(weights))[np.argmax(np.where(weights > 0, own_gaps, -1.0))]
    error = gain_standard_error(offered.report, weights, alone)
    return {"best_member_error": error} if np.isfinite(error) else {}


def _table_of_members(
    offered: OfferedMembers, ensemble: EnsembleWeights, own_gaps: npt.NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Make the paper's table 4, including dropped members with weight 0, each in its largest size that fits."""
    reported = offered.report.gaps(np.eye(len(offered.offers)))
    largest = {offered.offers[i].member: offered.offers[i] for i in offered.budget.largest()}
    shown = largest | {name: Offer(name, size) for name, size in ensemble.sizes.items()}
    return [
        {
            "name": offer.member,
            "family": offered.families[offer.member],
            "size": offer.size,
            "size_bytes": int(size),
            "size_share": int(size) / ensemble.size_bytes if offer.member in ensemble.members else 0.0,
            "weight": ensemble.members.get(offer.member, 0.0),
            "gap_select": float(searched),
            "gap": float(gap),
        }
        for offer, size, searched, gap in zip(offered.offers, offered.budget.sizes, own_gaps, reported, strict=True)
        if shown[offer.member] == offer
    ]


def _frontier(offered: OfferedMembers, searches: Sequence[Trials], own_gaps: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Compute the Pareto frontier of GAP against bytes over all weights tried, even those beyond the budget.

    Returns:
        Details `frontier`, and if members are offered in 8 bits `paper_point`, the best ensemble of these that fits.
    """
    weights = np.concatenate([np.eye(len(offered.offers)), *(each.widen(each.weights()) for each in searches)])
    gaps = np.concatenate([own_gaps, *(each.gaps() for each in searches)])
    picked = pareto_frontier(offered.budget.size_of(weights), gaps)
    papers = offered.budget.fits(weights)
    papers &= ~(np.delete(weights, offered.of_size(PAPER_SIZE), axis=1) > 0).any(axis=1)
    best = np.flatnonzero(papers)[np.argmax(gaps[papers])] if papers.any() else None
    picked = np.append(picked, [] if best is None else [best]).astype(np.int64)
    reported = offered.report.gaps(weights[picked])
    points = [offered.describe(weights[i], gaps[i], gap) for i, gap in zip(picked, reported, strict=True)]
    return {"frontier": points} if best is None else {"frontier": points[:-1], "paper_point": points[-1]}


def _spread(gaps: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(gaps.min()), float(np.median(gaps)), float(gaps.max())
