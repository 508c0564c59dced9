"""Builds the paper's tables 1 to 4 from the records of a run."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from yt8m.report import paper
from yt8m.report.run import ModelRun, Run
from yt8m.report.summary_tables import (
    AveragedModel,
    AveragingRow,
    DistillationRow,
    EnsembleFamily,
    EnsembleRow,
    QuantizationRow,
    Tables,
)


def build_tables(run: Run) -> Tables:
    """Build all tables; a table is empty if the run has no such nodes."""
    ensemble = ensemble_table(run)
    return Tables(
        averaging=averaging_table(run),
        quantization=quantization_table(run),
        distillation=distillation_table(run),
        ensemble=ensemble,
        ensemble_families=ensemble_by_family(ensemble),
    )


def averaging_table(run: Run) -> tuple[AveragingRow, ...]:
    """Build table 1: change of GAP by weight averaging, one row per architecture."""
    families: dict[str, list[AveragedModel]] = defaultdict(list)
    for model in run.models.values():
        if "average" in model.records:
            families[model.family].append(_averaged(model))
    return tuple(
        AveragingRow(
            family=family,
            gap_change=mean(model.gap_change for model in models),
            paper_gap_change=paper.AVERAGING_CHANGE.get(family),
            models=tuple(models),
        )
        for family, models in families.items()
    )


def _averaged(model: ModelRun) -> AveragedModel:
    before, after = model.metric("average", "gap_before"), model.metric("average", "gap_after")
    kept = model.metric("average", "kept")
    return AveragedModel(
        model=model.name,
        gap_select_before=model.metric("average", "gap_select_before"),
        gap_select_after=model.metric("average", "gap_select_after"),
        gap_before=before,
        gap_after=after,
        gap_change=difference(after, before),
        kept=None if kept is None else bool(kept),
    )


def quantization_table(run: Run) -> tuple[QuantizationRow, ...]:
    """Build table 2: GAP, time and size of each model before and after quantization."""
    return tuple(_quantized(model) for model in run.models.values() if "quantize" in model.records)


def _quantized(model: ModelRun) -> QuantizationRow:
    gap_after, allocation = model.metric("quantize", "gap"), model.details("quantize", "allocation") or {}
    bytes_before, bytes_after = model.metric("quantize", "bytes_before"), model.metric("quantize", "bytes_after")
    return QuantizationRow(
        model=model.name,
        family=model.family,
        gap_before=model.gap,
        gap_after=gap_after,
        gap_change=difference(gap_after, model.gap),
        gap_change_error=model.metric("quantize", "quantization_loss_error"),
        seconds_before=model.metric(model.final, "evaluation_seconds"),
        seconds_after=model.metric("quantize", "evaluation_seconds"),
        bytes_before=bytes_before,
        bytes_after=bytes_after,
        size_ratio=share(bytes_after, bytes_before),
        bits=model.metric("quantize", "bits"),
        largest_error=model.metric("quantize", "largest_error"),
        sizes=model.details("quantize", "sizes") or {},
        variables=tuple(allocation.get("variables") or model.details("quantize", "variables") or ()),
        choice={key: value for key, value in allocation.items() if key != "variables"} or None,
    )


def distillation_table(run: Run) -> tuple[DistillationRow, ...]:
    """Build table 3: gain of each student over the same model trained on labels alone."""
    students = [model for model in run.models.values() if model.learn_from]
    baselines = {student.name: run.models.get(student.baseline) for student in students}
    gains = {student.name: difference(student.gap, _gap(baselines[student.name])) for student in students}
    return tuple(
        DistillationRow(
            model=student.name,
            family=student.family,
            learn_from=student.learn_from,
            gap_distilled=student.gap,
            gap_error=student.metric(student.final, "gap_error"),
            baseline=baseline.name if (baseline := baselines[student.name]) else "",
            gap_undistilled=_gap(baseline),
            gain=gains[student.name],
            family_gain=mean(gains[each.name] for each in students if each.family == student.family),
            paper_family_gain=paper.DISTILLATION_GAIN.get(student.family),
        )
        for student in students
    )


def ensemble_table(run: Run) -> tuple[EnsembleRow, ...]:
    """Build table 4: architecture, size and weight of the members, by architecture and descending weight."""
    search = run.first("search_weights")
    if search is None:
        return ()
    members = [member for member in search.details.get("members", ()) if member["weight"] > 0]
    order = run.families
    rows = [_member(member, run) for member in members]
    return tuple(sorted(rows, key=lambda row: (order.index(row.family) if row.family in order else -1, -row.weight)))


def _member(member: Mapping[str, Any], run: Run) -> EnsembleRow:
    model = run.models.get(member["name"]) or ModelRun(member["name"], member.get("family", ""))
    return EnsembleRow(
        model=model.name,
        family=model.family,
        size=member.get("size", ""),
        # The quantize step has that of its first size.
        gap=member.get("gap", model.metric("quantize", "gap")),
        size_bytes=member.get("size_bytes"),
        size_share=member.get("size_share"),
        weight=member["weight"],
    )


def ensemble_by_family(rows: Iterable[EnsembleRow]) -> tuple[EnsembleFamily, ...]:
    """Sum up table 4 by architecture, beside the paper's figures."""
    families: dict[str, list[EnsembleRow]] = defaultdict(list)
    for row in rows:
        families[row.family].append(row)
    if not families:
        return ()
    papers: dict[str, list[paper.Member]] = defaultdict(list)
    for member in paper.ENSEMBLE:
        papers[member.family].append(member)
    names = [*families, *(family for family in papers if family not in families)]
    return tuple(_family(name, families[name], papers[name]) for name in names)


def _family(name: str, rows: list[EnsembleRow], theirs: list[paper.Member]) -> EnsembleFamily:
    known = all(row.size_share is not None for row in rows)
    return EnsembleFamily(
        family=name,
        members=len(rows),
        size_share=sum(row.size_share or 0.0 for row in rows) if known else None,
        weight=sum(row.weight for row in rows),
        paper_members=len(theirs) or None,
        paper_size_share=round(sum(member.size_share for member in theirs), 4) if theirs else None,
        paper_weight=round(sum(member.weight for member in theirs), 4) if theirs else None,
    )


def difference(after: float | None, before: float | None) -> float | None:
    """Return `after - before`; None if either is unknown."""
    return None if after is None or before is None else after - before


def share(part: float | None, whole: float | None) -> float | None:
    """Return `part / whole`; None if either is unknown or `whole` is 0."""
    return None if part is None or not whole else part / whole


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the known values; None if there are none."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _gap(model: ModelRun | None) -> float | None:
    return model.gap if model else None
