"""Puts the tables of several runs of one recipe together: means and standard deviations over their seeds.

    for seed in 0 1 2; do
      yt8m run pipelines/recipes/demo.yaml --root runs/demo-$seed --set seed=$seed --set data.generate.seed=$seed
    done
    python benchmarks/tables_over_seeds.py runs/demo-*/summary.json

Prints Markdown: the final models, the gain by averaging (the paper's table 1) and by distillation (table 3) per model
and per family, each family's ensemble of teachers beside its members, and the search for weights.
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from measuring import say

Summary = dict[str, Any]


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("summaries", type=Path, nargs="+", metavar="summary.json")
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in parser.parse_args().summaries]
    for title, header, rows in (
        ("Final models", ("", "GAP"), final(runs)),
        ("Averaging", ("model", "before", "after", "change", "kept"), averaging(runs)),
        (
            "Distillation",
            ("student", "learns from", "no distillation", "post distillation", "gain"),
            distillation(runs),
        ),
        ("Distillation by family", ("family", "gain", "paper"), families(runs)),
        ("Teachers", ("family", "best member", "ensemble", "gain"), teachers(runs)),
        ("Search", ("weights", "searched half", "other half"), search(runs)),
    ):
        say(f"\n{title}, {len(runs)} runs\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
        for row in rows:
            say(f"| {' | '.join(row)} |")


def final(runs: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    """Baselines, best student, exported model."""
    yield "label frequencies alone", spread(run["final"]["baseline_gap"] for run in runs)
    for role in ("teacher", "student"):
        best = [max(model["gap"] for model in run["models"] if model["role"] == role) for run in runs]
        yield f"best {role}", spread(best)
    yield "exported model", spread(run["final"]["gap"] for run in runs)
    yield (
        "exported less best student",
        spread(
            run["final"]["gap"] - max(model["gap"] for model in run["models"] if model["role"] == "student")
            for run in runs
        ),
    )


def averaging(runs: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    """Per averaged model."""
    rows = [{row["model"]: row for family in run["tables"]["averaging"] for row in family["models"]} for run in runs]
    for model in rows[0]:
        same = [row[model] for row in rows]
        columns = (spread(row[key] for row in same) for key in ("gap_before", "gap_after"))
        kept = sum(bool(row["kept"]) for row in same)
        yield model, *columns, spread((row["gap_change"] for row in same), signed=True), f"{kept} of {len(same)}"


def distillation(runs: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    """Per student."""
    rows = [{row["model"]: row for row in run["tables"]["distillation"]} for run in runs]
    for model, first in rows[0].items():
        same = [row[model] for row in rows]
        columns = (spread(row[key] for row in same) for key in ("gap_undistilled", "gap_distilled"))
        yield model, first["learn_from"], *columns, spread((row["gain"] for row in same), signed=True)


def families(runs: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    """Per family of students: the mean over its students, its spread over the runs."""
    rows = [{row["family"]: row for row in run["tables"]["distillation"]} for run in runs]
    for family, first in rows[0].items():
        paper = first["paper_family_gain"]
        gains = (row[family]["family_gain"] for row in rows)
        yield family, spread(gains, signed=True), "" if paper is None else f"{paper:+.4f}"


def teachers(runs: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    """Per family with more than one candidate: the chosen ensemble against its best member."""
    rows = [{row["family"]: (row, best_member(run, row)) for row in run["selections"]} for run in runs]
    for family, (first, _) in rows[0].items():
        if len(first["chosen"]) < 2:
            continue
        same = [row[family] for row in rows]
        gains = (selection["gap"] - best for selection, best in same)
        columns = (spread(best for _, best in same), spread(selection["gap"] for selection, _ in same))
        yield family, *columns, spread(gains, signed=True)


def best_member(run: Summary, selection: dict[str, Any]) -> float:
    """GAP of the best of the chosen models."""
    return max(model["gap"] for model in run["models"] if model["model"] in selection["chosen"])


def search(runs: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    """Per method."""
    rows = [{row["method"]: row for row in run["search"]["methods"]} for run in runs]
    for method in rows[0]:
        yield method, *(spread(row[method][key] for row in rows) for key in ("gap_searched", "gap_held_out"))


def spread(values: Iterable[float], *, signed: bool = False) -> str:
    """Mean and, of more than one, standard deviation."""
    given = list(values)
    mean = f"{statistics.mean(given):{'+' if signed else ''}.4f}"
    return f"{mean} ± {statistics.stdev(given):.4f}" if len(given) > 1 else mean


if __name__ == "__main__":
    main()
