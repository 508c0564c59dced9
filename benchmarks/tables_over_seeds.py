"""Tables of several runs of one recipe: means and standard deviations over seeds.

    for seed in 0 1 2; do
      yt8m run pipelines/recipes/demo.yaml --root runs/demo-$seed --set seed=$seed
    done
    python benchmarks/tables_over_seeds.py runs/demo-*/summary.json

Prints Markdown tables: final models; the teacher ensemble of each family and its best candidate; gain by weight
averaging (the paper's table 1) and by distillation (table 3), per architecture and per model; GAP by kind of class;
quantization (table 2); the search for weights, and the members it chose (table 4).
"""

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from support.measuring import say, spread

Summary = dict[str, Any]
Row = tuple[str, ...]


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("summaries", type=Path, nargs="+", metavar="summary.json")
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in parser.parse_args().summaries]
    for title, header, rows in (
        ("Final models", ("", "GAP"), final(runs)),
        ("Teachers", ("family", "best candidate", "ensemble", "gain"), teachers(runs)),
        ("Averaging by family", ("family", "change", "paper"), averaging_by_family(runs)),
        ("Averaging", ("model", "before", "after", "change", "kept"), averaging(runs)),
        ("Distillation by family", ("family", "gain", "of each run", "paper"), distillation_by_family(runs)),
        (
            "Distillation",
            ("student", "learns from", "no distillation", "post distillation", "gain"),
            distillation(runs),
        ),
        ("GAP by kind of class", ("kind of class", *kind_columns(runs)), kinds(runs)),
        ("Quantization", ("model", "GAP before", "GAP after", "MB before", "MB after"), quantization(runs)),
        ("Search", ("weights", "select", "report"), search(runs)),
        ("Ensemble", ("model", "member", "MB", "share of the size", "weight"), ensemble(runs)),
    ):
        say(f"\n{title}, {len(runs)} run{'s' * (len(runs) > 1)}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
        for row in rows:
            say(f"| {' | '.join(row)} |")


def final(runs: Sequence[Summary]) -> Iterator[Row]:
    """Make the rows of the baseline, the best teacher and student, and the exported model."""
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


def teachers(runs: Sequence[Summary]) -> Iterator[Row]:
    """Compare the teacher ensemble of each family of the recipe with its best candidate, chosen or not."""
    rows = [{row["family"]: (row, best_candidate(run, row)) for row in run["selections"]} for run in runs]
    for family, (first, _) in rows[0].items():
        if len(first["chosen"]) > 1:
            same = [row[family] for row in rows]
            gains = (selection["gap"] - best for selection, best in same)
            columns = (spread(best for _, best in same), spread(selection["gap"] for selection, _ in same))
            yield family, *columns, spread(gains, signed=True)


def best_candidate(run: Summary, selection: dict[str, Any]) -> float:
    """Return the GAP of a family's best candidate."""
    candidates = {name for combination in selection["combinations"] for name in combination["members"]}
    return float(max(model["gap"] for model in run["models"] if model["model"] in candidates))


def averaging_by_family(runs: Sequence[Summary]) -> Iterator[Row]:
    """Average the change by weight averaging per architecture, over its models and the runs."""
    for first in runs[0]["tables"]["averaging"]:
        rows = [row for run in runs for row in run["tables"]["averaging"] if row["family"] == first["family"]]
        changes = [model["gap_change"] for row in rows for model in row["models"]]
        yield first["family"], spread(changes, signed=True), gain(first["paper_gap_change"])


def averaging(runs: Sequence[Summary]) -> Iterator[Row]:
    """Make a row per averaged model."""
    rows = [{row["model"]: row for family in run["tables"]["averaging"] for row in family["models"]} for run in runs]
    for model in rows[0]:
        same = [row[model] for row in rows]
        columns = (spread(row[key] for row in same) for key in ("gap_before", "gap_after"))
        kept = sum(bool(row["kept"]) for row in same)
        yield model, *columns, spread((row["gap_change"] for row in same), signed=True), f"{kept} of {len(same)}"


def distillation_by_family(runs: Sequence[Summary]) -> Iterator[Row]:
    """Average the gain by distillation per architecture over the runs, and list the gain of each run."""
    rows = [{row["family"]: row for row in run["tables"]["distillation"]} for run in runs]
    for family, first in rows[0].items():
        gains = [row[family]["family_gain"] for row in rows]
        each = ", ".join(map(gain, gains))
        yield family, spread(gains, signed=True), each, gain(first["paper_family_gain"])


def distillation(runs: Sequence[Summary]) -> Iterator[Row]:
    """Make a row per student."""
    rows = [{row["model"]: row for row in run["tables"]["distillation"]} for run in runs]
    for model, first in rows[0].items():
        same = [row[model] for row in rows]
        columns = (spread(row[key] for row in same) for key in ("gap_undistilled", "gap_distilled"))
        yield model, first["learn_from"], *columns, spread((row["gain"] for row in same), signed=True)


def kind_columns(runs: Sequence[Summary]) -> Row:
    """Return the columns of the table of kinds: the architectures and the exported model."""
    families = dict.fromkeys(family for row in runs[0]["class_kinds"] for family in row["gap"])
    return *families, "exported"


def kinds(runs: Sequence[Summary]) -> Iterator[Row]:
    """Make a row per kind of class with means over the runs; the best architecture is bold."""
    rows = [{row["kind"]: row for row in run["class_kinds"]} for run in runs]
    for kind in rows[0]:
        same = [row[kind] for row in rows]
        gaps = {family: statistics.mean(row["gap"][family] for row in same) for family in same[0]["gap"]}
        best = max(gaps, key=gaps.__getitem__)
        columns = (f"**{gap:.3f}**" if family == best else f"{gap:.3f}" for family, gap in gaps.items())
        yield kind, *columns, f"{statistics.mean(row['gap_exported'] for row in same):.3f}"


def quantization(runs: Sequence[Summary]) -> Iterator[Row]:
    """Make a row per model with at least one quantized variable."""
    rows = [{row["model"]: row for row in run["tables"]["quantization"]} for run in runs]
    for model, first in rows[0].items():
        if first["bytes_after"] < first["bytes_before"]:
            same = [row[model] for row in rows]
            gaps = (spread((row[key] for row in same), digits=5) for key in ("gap_before", "gap_after"))
            yield model, *gaps, *(f"{first[key] / 1e6:.3f}" for key in ("bytes_before", "bytes_after"))


def search(runs: Sequence[Summary]) -> Iterator[Row]:
    """Make a row per search method."""
    rows = [{row["method"]: row for row in run["search"]["methods"]} for run in runs]
    for method in rows[0]:
        yield method, *(spread(row[method][key] for row in rows) for key in ("gap_select", "gap"))


def ensemble(runs: Sequence[Summary]) -> Iterator[Row]:
    """Make a row per member: number of runs that have it, and its mean size and weight in these."""
    rows = [{row["model"]: row for row in run["tables"]["ensemble"]} for run in runs]
    for model in dict.fromkeys(name for row in rows for name in row):
        same = [row[model] for row in rows if model in row]
        size, share, weight = ([row[key] for row in same] for key in ("size_bytes", "size_share", "weight"))
        columns = f"{statistics.mean(size) / 1e6:.3f}", f"{statistics.mean(share):.1%}", spread(weight, digits=3)
        yield model, f"{len(same)} of {len(runs)}", *columns


def gain(value: float | None) -> str:
    """Format a gain; empty if there is none."""
    return "" if value is None else f"{value:+.4f}"


if __name__ == "__main__":
    main()
