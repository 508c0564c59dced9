"""Rules that compare a model with what it should be better than, or as good as."""

from collections.abc import Iterator, Mapping

from yt8m.records.record import NodeRecord
from yt8m.report.run import Run
from yt8m.report.warnings.rule import Finding, select_videos_of, videos_of

# Rule 2: gain over label frequencies, in standard errors, from which a model is worth something: on each of two parts
# of the hold-out; or on a hold-out that is not divided, which has no second part to show that a gain was chance.
LEAST_GAIN_ERRORS = 2.0
LEAST_GAIN_ERRORS_UNDIVIDED = 3.0
# Rule 4: fall of GAP by averaging and by quantization.
MOST_AVERAGING_LOSS = 0.02
MOST_QUANTIZATION_LOSS = 0.01
# Rule 10: fall of GAP of the exported model below its best member.
MOST_ENSEMBLE_LOSS = 0.01
# Rules 4 and 10: the same fall in standard errors of the difference.
MOST_LOSS_ERRORS = 2.0


def find_worthless_models(run: Run) -> Iterator[Finding]:
    """Find models that are not better than predicting every class by its frequency.

    A gain must show on both parts of the hold-out, as what one part shows by chance, the other one rarely does, too.
    """
    exported = run.first("export")
    records = [model.records[model.final] for model in run.models.values() if model.final in model.records]
    for record in [*([exported] if exported else []), *records]:
        for suffix, videos in (("", videos_of(record)), ("_select", select_videos_of(record))):
            gap, baseline, errors, limit = _gain_of(record.metrics, suffix)
            if gap is None or baseline is None or gap - baseline > limit:
                continue
            what = "The exported model" if record.stage == "export" else "The model"
            yield Finding(
                node=record.node,
                text=(
                    f"{what} is worthless: its GAP {gap:.3f} is not above that of label frequencies alone, "
                    f"{baseline:.3f}, by {errors:.0f} standard errors ({limit:.3f}), on {videos}."
                ),
                cause=(
                    "The labels do not belong to the videos (shuffled, from another file, other class numbers), the "
                    "features say nothing about them, or the training failed."
                ),
                setting=(
                    "`data`: look at the labels with `yt8m data check`. If they are right: `training.learning_rate` "
                    "and `training.epochs`, which `auto` sets by the amount of data"
                ),
            )
            break


def beats_baseline(metrics: Mapping[str, float]) -> bool | None:
    """Return whether a model is better than label frequencies by rule 2, on every part of the hold-out.

    Args:
        metrics: Figures of an evaluated model. Without a comparison among them, the answer is None.
    """
    parts = [_gain_of(metrics, suffix) for suffix in ("", "_select")]
    known = [gap - baseline > limit for gap, baseline, _, limit in parts if gap is not None and baseline is not None]
    return all(known) if known else None


def _gain_of(metrics: Mapping[str, float], suffix: str) -> tuple[float | None, float | None, float, float]:
    """Compare a model with label frequencies on a part of the hold-out.

    Returns:
        GAP of both, and the gain that is required: in standard errors, and in GAP.
    """
    gap, baseline = metrics.get(f"gap{suffix}"), metrics.get(f"baseline_gap{suffix}")
    # Only where the hold-out is divided, the baseline has a figure on each part.
    errors = LEAST_GAIN_ERRORS if "baseline_gap_select" in metrics else LEAST_GAIN_ERRORS_UNDIVIDED
    return gap, baseline, errors, errors * metrics.get(f"gain_error{suffix}", 0.0)


def find_losses(run: Run) -> Iterator[Finding]:
    """Find averaged and quantized models far below the models that they were made of."""
    for model in run.models.values():
        if "average" in model.records:
            yield from _averaging_loss(model.records["average"])
        before, after = model.gap, model.metric("quantize", "gap")
        if before is None or after is None or "quantize" not in model.records:
            continue
        record = model.records["quantize"]
        if before - after > _most(MOST_QUANTIZATION_LOSS, record, "quantization_loss_error"):
            bits = record.metrics.get("bits", 8)
            setting = "`quantization.bits: 8`"
            if bits >= 8:
                setting = (
                    "`quantization.threshold_elements`: more than the elements of this variable, which then stays float"
                )
            yield Finding(
                node=record.node,
                text=f"Quantization: GAP {before:.3f} before and {after:.3f} after it, on {videos_of(record)}.",
                cause=f"{bits:.3g} bits are too few for some variable, such as one with few large weights.",
                setting=setting,
            )


def find_bad_ensembles(run: Run) -> Iterator[Finding]:
    """Find an exported model that is far below the best of its members."""
    exported, search = run.first("export"), run.first("search_weights")
    gap = exported.metrics.get("gap") if exported else None
    if exported is None or search is None or gap is None:
        return
    members = [member for member in search.details.get("members", ()) if member["weight"] > 0 and "gap" in member]
    if not members:
        return
    # Members of other runs have no records here, but the search has measured them, too.
    first = max(members, key=lambda member: member["gap_select"])
    best, alone = first["name"], first["gap"]
    if alone - gap > _most(MOST_ENSEMBLE_LOSS, search, "best_member_error"):
        yield Finding(
            node=exported.node,
            text=(
                f"The exported model has GAP {gap:.3f}, its best member {best} alone {alone:.3f}, on "
                f"{videos_of(exported)}."
            ),
            cause="The other members are far worse, and too few videos to find that out were searched on.",
            setting=f"`ensemble.members: [{best}]`, or a larger hold-out (`data.holdout_shards`)",
        )


def _averaging_loss(record: NodeRecord) -> Iterator[Finding]:
    before, after = record.metrics.get("gap_before"), record.metrics.get("gap_after")
    if before is None or after is None or before - after <= _most(MOST_AVERAGING_LOSS, record, "averaging_loss_error"):
        return
    kept = bool(record.metrics.get("kept", 1.0))
    divisor = record.config.get("learning_rate_divisor")
    higher = f"`averaging.learning_rate_divisor: {2 * divisor:g}`" if divisor else "`averaging.learning_rate_divisor`"
    yield Finding(
        node=record.node,
        text=(
            f"Averaging: GAP {before:.3f} before and {after:.3f} after it, on {videos_of(record)}. The average was "
            f"{'kept' if kept else 'not kept'}."
        ),
        cause="The further training made the model worse, or the average reaches back to weights that were worse.",
        setting="`average: if_better`" if kept else f"{higher}, or `average: never`",
    )


def _most(limit: float, record: NodeRecord, error: str) -> float:
    """Return the larger one of a limit and of so many standard errors of a difference, if the record has its error."""
    return max(limit, MOST_LOSS_ERRORS * record.metrics.get(error, 0.0))
