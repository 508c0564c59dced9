"""Rules about the ensemble, and about the videos on which it was measured."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from yt8m.records.record import NodeRecord
from yt8m.report.run import Run
from yt8m.report.warnings.rule import Finding, select_videos_of, videos_of
from yt8m.words import count

# Rule 5: weight from which one member is the whole ensemble.
MOST_WEIGHT = 0.95
# Rule 11: fall of GAP on the test videos, at least and in standard errors of the difference.
MOST_TEST_LOSS = 0.02
MOST_TEST_ERRORS = 2.0
# Rule 12: width of the 95% interval of GAP.
MOST_WIDTH = 0.1
# Rule 12: number of report videos below which the interval itself is chance, and of select videos below which
# decisions are.
LEAST_VIDEOS = 100
# Width of a 95% interval in standard errors.
_ERRORS_PER_WIDTH = 3.92


def find_single_members(run: Run) -> Iterator[Finding]:
    """Find an ensemble of one member, where the recipe has several."""
    search = run.first("search_weights")
    members: Sequence[Mapping[str, Any]] = search.details.get("members", ()) if search else ()
    if search is None or len(members) < 2:
        return
    first, *others = sorted(members, key=lambda member: -member["weight"])
    if first["weight"] < MOST_WEIGHT:
        return
    left_out = ", ".join(member["name"] for member in others)
    cause, setting = _why_single(search, first, others)
    yield Finding(
        node=search.node,
        text=(
            f"The ensemble is {first['name']} alone, with weight {first['weight']:.3f}, of {len(members)} members in "
            f"the recipe. Without weight, or nearly: {left_out}."
        ),
        cause=cause,
        setting=setting,
    )


def find_bad_tests(run: Run) -> Iterator[Finding]:
    """Find a GAP on the test videos far below that on the report videos."""
    exported = run.first("export")
    if exported is None:
        return
    gap, test = exported.metrics.get("gap"), exported.metrics.get("test_gap")
    if gap is None or test is None:
        return
    errors = [(_width(exported, prefix) or 0.0) / _ERRORS_PER_WIDTH for prefix in ("", "test_")]
    if gap - test > max(MOST_TEST_LOSS, MOST_TEST_ERRORS * sum(error**2 for error in errors) ** 0.5):
        videos = exported.metrics.get("test_videos", 0.0)
        yield Finding(
            node=exported.node,
            text=f"GAP {test:.3f} on {videos:,.0f} test videos, but {gap:.3f} on {videos_of(exported)}.",
            cause=(
                "The test videos differ from the others (source, time, labels), or hold-out and training share what "
                "the test videos do not, such as clips of one recording."
            ),
            setting="`data.training` and `data.validation`: divide by group, with `yt8m data import --group-column`",
        )


def find_small_holdouts(run: Run) -> Iterator[Finding]:
    """Find a headline of few videos, or decisions on few."""
    trained = [model.records[model.final] for model in run.models.values() if model.final in model.records]
    record = run.first("export") or next(iter(trained), None)
    if record is None:
        return
    width, videos, select = _width(record), record.metrics.get("videos"), record.metrics.get("select_videos")
    divided = record.details.get("part") == "report"
    if width is not None and videos and width > MOST_WIDTH:
        low, high = record.metrics["gap_low"], record.metrics["gap_high"]
        yield Finding(
            node=record.node,
            text=f"GAP on {videos_of(record)} is known only to lie between {low:.3f} and {high:.3f} (95%).",
            cause="So few videos do not tell more.",
            setting=_larger_holdout(run, videos, max(ceil(videos * (width / MOST_WIDTH) ** 2), LEAST_VIDEOS)),
        )
    elif videos and videos < LEAST_VIDEOS and divided:
        yield Finding(
            node=record.node,
            text=f"All figures were computed on {videos_of(record)} alone.",
            cause="So few videos can all be easy, or all be hard. The interval of GAP does not tell, either.",
            setting=_larger_holdout(run, videos, LEAST_VIDEOS),
        )
    if select is not None and select < LEAST_VIDEOS:
        decided = select_videos_of(record) if divided else videos_of(record)
        yield Finding(
            node=record.node,
            text=f"Epochs, averages, teachers, members and weights were decided on {decided}.",
            cause="On so few videos, decisions are mostly chance.",
            setting=_larger_holdout(run, select, LEAST_VIDEOS),
        )


def _larger_holdout(run: Run, videos: float, wanted: int) -> str:
    """Name the number of hold-out shards with which a part has so many videos, if there are so many."""
    prepare = run.first("prepare")
    counts = prepare.metrics if prepare else {}
    shards, existing = counts.get("holdout_shards"), counts.get("validation_shards")
    if not (shards and existing and videos):
        return f"`data.holdout_shards`, to as many shards as have about {wanted:,} videos in this part"
    needed = ceil(shards * wanted / videos)
    if needed <= existing:
        return f"`data.holdout_shards: {needed}`, as many shards as have about {wanted:,} videos in this part"
    if shards < existing:
        return f"`data.holdout_shards: {existing:.0f}`, all that exist; about {wanted:,} videos in this part need more"
    held_out = count(int(existing), "shard")
    return f"the number of validation videos: all {held_out} are held out, and this part needs about {wanted:,} videos"


def _why_single(search: NodeRecord, first: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return whether the budget or the weights left one member, and the setting to change."""
    budget = search.metrics.get("budget_bytes")
    sizes = [float(member["size_bytes"]) for member in (first, *others) if member.get("size_bytes")]
    if budget and "room" in search.details and len(sizes) == 1 + len(others):
        room = search.details["room"]
        if sizes[0] + min(sizes[1:]) + 2 * room["graph_bytes"] > room["limit_bytes"]:
            return (
                f"The budget of {budget:,.0f} bytes has no room for two members.",
                f"`ensemble.search.budget_bytes: {room['budget_for_all']}`, which holds all of them",
            )
    return (
        "On the videos that decide, the other members add nothing: they are far worse, or make the same mistakes.",
        "`ensemble.members`: models of other architectures; or train the others longer",
    )


def _width(record: NodeRecord, prefix: str = "") -> float | None:
    """Return the width of the interval of a GAP; None if it is not known."""
    low, high = record.metrics.get(f"{prefix}gap_low"), record.metrics.get(f"{prefix}gap_high")
    return None if low is None or high is None else high - low
