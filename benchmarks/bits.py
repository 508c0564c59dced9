"""Bytes and GAP in fewer bits: of models, of exported ensembles, and of ensembles that are searched with sizes.

    python benchmarks/bits.py ROOT... [--json FILE]

A ROOT is that of a finished run; `make bench-bits` makes such runs. Those of one recipe, usually with several seeds,
share tables. Every member of a run is stored in 8 bits, uniformly and with k-means, in fewer bits, and with those that
`auto` chooses, and is measured on the run's hold-out videos, all by the stages of a run. GAP and its differences are of
the part *report*: mean and standard deviation over runs and models.

Then the ensemble that the search finds in 8 bits with room for all members is exported in 8 bits, with `auto`, and in 4
bits, with the same weights. Each exported model is loaded in a process of its own, and all are called in turn. At last,
members are searched under two budgets, one for all members in 8 bits and one for half the bytes of each: once offered
in 8 bits, and once in three sizes each.

With `--json`, all figures are written to a file before they are averaged.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from support.exported import call_in_turn, load_alone
from support.measuring import say, spread

from pipelines.runs.state import RunState
from yt8m.ensembling.budget import budget_for_all
from yt8m.ensembling.files import EnsembleWeights
from yt8m.ensembling.members import Offers, load_members
from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.significance import gain_standard_error
from yt8m.metrics import GAP_TOP_K
from yt8m.stages.export import ExportConfig, export
from yt8m.stages.quantize import QuantizeConfig, quantize
from yt8m.stages.search_weights import SearchWeightsConfig, search_weights

# Sizes in which every model is measured, by method. `auto` is uniform in 8 bits, and k-means in fewer.
MEASURED = {"auto": (8, 6, 4, 3, 2, "auto"), "kmeans": (8,)}
STORAGES = {
    ("auto", "8"): "uniform, 8 bits",
    ("kmeans", "8"): "k-means, 8 bits",
    **{("auto", str(bits)): f"k-means, {bits} bits" for bits in (6, 4, 3, 2)},
    ("auto", "auto"): "auto",
}
# Sizes in which ensembles are exported, and in which members are offered to the search.
SIZES = ("8", "auto", "4")
# A budget that holds any ensemble.
NO_LIMIT = 2**40
# Times that each exported model is loaded; batch sizes of calls, and seconds of calls of each.
LOADS, BATCHES, SECONDS_OF_CALLS = 3, (1, 16), 10.0
INTERVAL = 1.96  # half the width of a 95% interval, in standard errors

Row = dict[str, Any]


class Run(NamedTuple):
    """A finished run.

    Attributes:
        recipe: Name of its recipe.
        partition: File with its hold-out.
        models: Folder of the final float model of each member, by name.
        predictions: Their predictions for the hold-out, by name.
    """

    recipe: str
    partition: Path
    models: Mapping[str, Path]
    predictions: Mapping[str, Path]

    @classmethod
    def of(cls, root: Path) -> Self:
        """Find the files that the nodes of a run have written."""
        state = RunState.load(root)
        outputs = {node: {key: Path(path) for key, path in each.outputs.items()} for node, each in state.nodes.items()}
        names = [node.removeprefix("quantize-") for node in outputs if node.startswith("quantize-")]
        final = {name: outputs.get(f"average-{name}") or outputs[f"train-{name}"] for name in names}
        return cls(
            state.pipeline,
            outputs["prepare"]["partition"],
            {name: each.get("averaged") or each["model"] for name, each in final.items()},
            {name: each["predictions"] for name, each in final.items()},
        )


def main() -> None:
    """Measure all runs, write the figures, and print the tables of each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="+", type=Path, metavar="ROOT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="File to write all figures to.")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for root in arguments.roots:
        run = Run.of(root)
        with tempfile.TemporaryDirectory() as folder:
            rows += [{"root": root.name, "recipe": run.recipe, **row} for row in measure(run, Path(folder))]
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        print_tables(recipe, [row for row in rows if row["recipe"] == recipe])


def measure(run: Run, folder: Path) -> Iterator[Row]:
    """Yield all figures of a run, and write models, ensembles and exports to a folder."""
    offers = {name: Offers(folder / name / "auto" / "offers") for name in run.models}
    for name in run.models:
        for method in MEASURED:
            yield from measure_model(run, name, method, folder / name / method)
    whole = find_ensemble(offers, SIZES[:1], NO_LIMIT)
    exported = {}
    for size in SIZES:
        exported[size], row = write_export(run, whole, size, folder)
        yield row
    yield from measure_exports(exported)
    in_8_bits = [each.read().sizes[SIZES[0]] for each in offers.values()]
    for sizes in (in_8_bits, [size // 2 for size in in_8_bits]):
        yield compare_searches(offers, budget_for_all(sizes, "auto"))


def measure_model(run: Run, name: str, method: str, folder: Path) -> Iterator[Row]:
    """Quantize a model with a method in several sizes, and yield the figures of each."""
    offers = Offers(folder / "offers")
    quantize(
        partition=run.partition,
        model=run.models[name],
        predictions=run.predictions[name],
        config=QuantizeConfig.parse({"bits": MEASURED[method], "method": method}, __file__),
        output=folder / "member",
        offers=offers.folder,
    )
    found = offers.read()
    for size, size_bytes in found.sizes.items():
        before, after = on_report([offers.float_predictions, offers.predictions(size)]).gaps(np.eye(2))
        row = {"table": "models", "model": name, "family": found.family, "storage": STORAGES[method, size]}
        yield {**row, "bytes": size_bytes, "gap_float": float(before), "gap": float(after)}


def find_ensemble(offers: Mapping[str, Offers], sizes: Sequence[str], budget: int) -> EnsembleWeights:
    """Search an ensemble of members that are offered in some of their sizes."""
    with tempfile.TemporaryDirectory() as name:
        restricted = {member: Offers(Path(name) / member) for member in offers}
        for member, given in offers.items():
            restricted[member].folder.mkdir()
            found = given.read()
            kept = {size: found.sizes[size] for size in sizes}
            found.model_copy(update={"sizes": kept}).save(restricted[member].description)
            restricted[member].float_predictions.symlink_to(given.float_predictions)
            for size in sizes:
                restricted[member].predictions(size).symlink_to(given.predictions(size))
        output = Path(name) / "weights.json"
        folders = {member: each.folder for member, each in restricted.items()}
        search_weights(offers=folders, config=SearchWeightsConfig(budget_bytes=budget), output=output)
        return EnsembleWeights.load(output)


def compare_searches(offers: Mapping[str, Offers], budget: int) -> Row:
    """Search in 8 bits and in all sizes under the same budget, and compare the ensembles on the videos of *report*."""
    found = [find_ensemble(offers, sizes, budget) for sizes in (SIZES[:1], SIZES)]
    # Each member counts as another one in each of its sizes.
    each = [(name, size) for name in offers for size in SIZES]
    scores = on_report([offers[name].predictions(size) for name, size in each])
    weights = [np.array([one.members.get(n, 0.0) * (one.sizes.get(n) == size) for n, size in each]) for one in found]
    gap_one, gap = scores.gaps(weights)
    return {
        "table": "search",
        "budget_bytes": budget,
        "sizes_in_8_bits": found[0].sizes,
        "sizes": found[1].sizes,
        "gap_in_8_bits": float(gap_one),
        "gap": float(gap),
        "error": gain_standard_error(scores, weights[1], weights[0]),
    }


def on_report(predictions: Sequence[Path]) -> EnsembleScores:
    """Read predictions of the videos on which figures are reported."""
    members = list(load_members(dict(enumerate(predictions)), GAP_TOP_K).values())
    return EnsembleScores(members, members[0].rows_report)


def write_export(run: Run, ensemble: EnsembleWeights, size: str, folder: Path) -> tuple[Path, Row]:
    """Export an ensemble with all members in one size; return the folder and the figures."""
    output, weights = folder / f"export-{size}", folder / "weights.json"
    ensemble.model_copy(update={"sizes": dict.fromkeys(ensemble.members, size)}).save(weights)
    figures = export(
        partition=run.partition,
        members={name: folder / name / "auto" / "member" for name in ensemble.members},
        weights=weights,
        config=ExportConfig(latency_batch_sizes=()),
        output=output,
        card=folder / "card.md",
    ).metrics
    return output, {"table": "exports", "size": size, "bytes": figures["bytes"], "gap": figures["gap"]}


def measure_exports(exported: Mapping[str, Path]) -> Iterator[Row]:
    """Yield time and memory to load each exported model, and the latency of its calls."""
    spawn = multiprocessing.get_context("spawn")
    for size, model in exported.items():
        for _ in range(LOADS):
            with spawn.Pool(1) as pool:
                seconds, _, most = pool.apply(load_alone, (model, max(BATCHES)))
            yield {"table": "loads", "size": size, "seconds": seconds, "peak_bytes": most[0]}
    with spawn.Pool(1) as pool:
        times = pool.apply(call_in_turn, (exported, BATCHES, SECONDS_OF_CALLS))
    for batch, (wall, _) in times.items():
        for size, calls in wall.items():
            yield {"table": "calls", "size": size, "batch": batch, "seconds": statistics.median(calls)}


def print_tables(recipe: str, rows: Sequence[Row]) -> None:
    """Print the tables of a recipe's runs."""
    runs = len({row["root"] for row in rows})
    say(f"\n## {recipe}, {runs} run{'s' * (runs > 1)}")
    print_models([row for row in rows if row["table"] == "models"])
    print_exports(rows)
    print_searches([row for row in rows if row["table"] == "search"])


def print_models(rows: Sequence[Row]) -> None:
    """Print a row per storage, with a column per architecture."""
    families = list(dict.fromkeys(row["family"] for row in rows))
    once = column(rows, "storage")[0]
    gaps = {family: column(rows, "gap_float", family=family, storage=once) for family in families}
    say("\nMB of a model, and change of its GAP by storing it\n")
    print_header("storage", *(f"{family} (float {spread(found)})" for family, found in gaps.items()))
    for storage in STORAGES.values():
        cells = []
        for family in families:
            same = {"storage": storage, "family": family}
            megabytes = statistics.mean(column(rows, "bytes", **same)) / 1e6
            changes = np.subtract(column(rows, "gap", **same), column(rows, "gap_float", **same))
            cells.append(f"{megabytes:.3f} MB, {spread(changes.tolist(), signed=True, digits=5)}")
        print_row(storage, *cells)


def print_exports(rows: Sequence[Row]) -> None:
    """Print a row per size of the members of exported ensembles, compared with those of the first size in each run."""
    say("\nExported ensembles with the same members and weights\n")
    calls = [f"ms with {batch} video{'s' * (batch > 1)}" for batch in BATCHES]
    print_header("size", "MB", "share", "GAP", "change", "s to load", "peak MB to load", *calls)
    for size in SIZES:
        every, first = ({"table": "exports", "size": each} for each in (size, SIZES[0]))
        shares = np.divide(column(rows, "bytes", **every), column(rows, "bytes", **first))
        changes = np.subtract(column(rows, "gap", **every), column(rows, "gap", **first))
        loads = {"table": "loads", "size": size}
        latency = [column(rows, "seconds", table="calls", size=size, batch=batch) for batch in BATCHES]
        cells = (
            f"{statistics.mean(column(rows, 'bytes', **every)) / 1e6:.3f}",
            f"{statistics.mean(shares):.1%}",
            spread(column(rows, "gap", **every)),
            spread(changes.tolist(), signed=True, digits=5),
            f"{statistics.median(column(rows, 'seconds', **loads)):.2f}",
            f"{statistics.median(column(rows, 'peak_bytes', **loads)) / 1e6:.0f}",
            *(f"{statistics.median(seconds) * 1e3:.1f}" for seconds in latency),
        )
        print_row(size, *cells)


def print_searches(rows: Sequence[Row]) -> None:
    """Print a row per run and budget: GAP of members in 8 bits and in any size, and the 95% interval of the change."""
    say("\nSearched ensembles under the same budget\n")
    print_header("run", "budget MB", "8 bits", "any size", "change", "members in 8 bits", "members in any size")
    for row in rows:
        change, width = row["gap"] - row["gap_in_8_bits"], INTERVAL * row["error"]
        cells = (
            f"{row['budget_bytes'] / 1e6:.1f}",
            f"{row['gap_in_8_bits']:.4f}",
            f"{row['gap']:.4f}",
            f"{change:+.5f} ({change - width:+.5f} to {change + width:+.5f})",
            ", ".join(row["sizes_in_8_bits"]),
            ", ".join(f"{name} ({size})" for name, size in row["sizes"].items()),
        )
        print_row(row["root"], *cells)


def column(rows: Sequence[Row], key: str, **same: Any) -> list[Any]:
    """Return a figure of all rows that have these values."""
    return [row[key] for row in rows if same.items() <= {name: row.get(name) for name in same}.items()]


def print_header(*titles: str) -> None:
    """Print the head of a Markdown table."""
    print_row(*titles)
    say(f"|{'---|' * len(titles)}")


def print_row(*cells: str) -> None:
    """Print a row of a Markdown table."""
    say(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
