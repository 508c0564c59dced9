"""Builds the summary of a run from the records of its nodes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from yt8m.records.record import NodeRecord
from yt8m.records.settings import Setting, group_settings
from yt8m.report.checks import build_checks
from yt8m.report.parts import Parts, find_parts
from yt8m.report.run import ModelRun, Run
from yt8m.report.summary import (
    ClassKind,
    Curve,
    Data,
    Export,
    Final,
    Model,
    NodeTime,
    SettingRow,
    Summary,
)
from yt8m.report.summary_search import Combination, FrontierPoint, Guard, Search, SearchMethod, Selection
from yt8m.report.tables import build_tables, mean, share
from yt8m.report.warnings.rule import training_setting
from yt8m.report.warnings.rules import find_warnings
from yt8m.report.warnings.sources import beats_baseline


def build_summary(records: Sequence[NodeRecord], students: Mapping[str, Mapping[str, str]] | None = None) -> Summary:
    """Build the summary.

    Args:
        records: Records of the run's nodes, one per node. Figures of missing nodes are left out.
        students: Models that learned from soft targets; see `Run`.

    Returns:
        All figures of the report.
    """
    run = Run(records, students)
    prepare = run.first("prepare")
    parts, tables, search = find_parts(run), build_tables(run), _search(run)
    final = _final(run, parts)
    data = _data(prepare, run.first("generate")) if prepare else None
    return Summary(
        final=final,
        parts=parts,
        warnings=find_warnings(run),
        checks=build_checks(final, tables, search, data),
        tables=tables,
        models=tuple(_model(model) for model in run.models.values()),
        selections=tuple(_selection(record) for record in run.of("select_teachers")),
        search=search,
        export=_export(run),
        class_kinds=_class_kinds(run),
        curves=tuple(curve for model in run.models.values() if (curve := _curve(model, prepare)).points),
        settings=_settings(run),
        data=data,
        nodes=tuple(
            NodeTime(node=record.node, stage=record.stage, seconds=record.seconds)
            for record in run.records
            if record.seconds
        ),
        nodes_seconds=sum(record.seconds or 0.0 for record in run.records) or None,
    )


def _final(run: Run, parts: Parts) -> Final:
    exported, search = run.first("export"), run.first("search_weights")
    measured = exported or search
    # Chosen where everything is decided: the best of many figures on the report videos would be too high.
    best = max(run.models.values(), key=_decisive_gap, default=None)
    figures = measured.metrics if measured else best.records[best.final].metrics if best and best.gap else {}
    size = _first_known(exported, search, keys=("bytes", "size_bytes"))
    budget = _first_known(exported, search, keys=("budget_bytes",))
    baselines = [record.metrics.get("baseline_gap") for record in (exported, *run.of("train")) if record]
    # The search does not evaluate; trainings of the same run do.
    counted = _first_known(measured, *run.of("train"), keys=("gap_top_k",))
    measures = ("map", "hit_at_1", "perr", "accuracy", "balanced_accuracy", "gap_low", "gap_high", "gap_error")
    tests = ("test_gap", "test_gap_low", "test_gap_high", "test_videos")
    return Final(
        gap=figures.get("gap"),
        gap_name=f"GAP@{counted:.0f}" if counted else "GAP",
        part=parts.reported if "gap" in figures else "",
        videos=figures.get("videos", parts.report_videos) if "gap" in figures else None,
        gap_select=figures.get("gap_select"),
        gain_error=figures.get("gain_error"),
        beats_baseline=beats_baseline(figures),
        **{name: figures.get(name) for name in (*measures, *tests)},
        unseen=_is_unseen(run),
        measured_on="exported model" if exported else "search" if search else "model" if figures else "nothing",
        size_bytes=size,
        budget_bytes=budget,
        budget_share=share(size, budget),
        members=sum(member["weight"] > 0 for member in search.details.get("members", ())) if search else None,
        baseline_gap=next((gap for gap in baselines if gap is not None), None),
        best_model=best.name if best and best.gap else "",
        best_model_gap=best.gap if best else None,
        best_member_error=search.metrics.get("best_member_error") if search else None,
    )


def _decisive_gap(model: ModelRun) -> float:
    return next((gap for gap in (model.gap_select, model.gap) if gap is not None), 0.0)


def _is_unseen(run: Run) -> bool | None:
    """Return whether no model was trained on hold-out videos."""
    prepare = run.first("prepare")
    shared = prepare.metrics.get("holdout_videos_in_training") if prepare else None
    # A warm start may come from a run on other data, whose videos are not compared with these.
    if any("start" in record.details for record in run.of("train")):
        return None
    return None if shared is None else not shared


def _export(run: Run) -> Export | None:
    record = run.first("export")
    if record is None:
        return None
    prefix = "seconds_batch_"
    batches = {int(key.removeprefix(prefix)): value for key, value in record.metrics.items() if key.startswith(prefix)}
    return Export(load_seconds=record.metrics.get("load_seconds"), seconds_by_batch=dict(sorted(batches.items())))


def _data(prepare: NodeRecord, generate: NodeRecord | None) -> Data:
    patterns = [*prepare.config.get("training", ()), *prepare.config.get("validation", ())]
    return Data(
        spec=prepare.config.get("spec", {}),
        figures=prepare.metrics,
        report_share=prepare.config.get("report_share"),
        seed=prepare.config.get("seed"),
        holdout_shards=prepare.config.get("holdout_shards"),
        patterns=() if generate else tuple(patterns),
        generated=generate.config if generate else None,
        damaged_shards=tuple(map(str, prepare.details.get("damaged_shards", ()))),
        skipped_records=tuple(map(str, prepare.details.get("skipped_records", ()))),
        copies=tuple(map(str, prepare.details.get("copies", ()))),
    )


def _first_known(*records: NodeRecord | None, keys: Sequence[str]) -> float | None:
    """Return the first figure found in a record's metrics or configuration."""
    for record in records:
        for key in keys:
            if record and (value := record.metrics.get(key, record.config.get(key))) is not None:
                return float(value)
    return None


def _model(model: ModelRun) -> Model:
    measures = ("gap", "gap_low", "gap_high", "map", "hit_at_1", "perr", "loss", "gap_select")
    return Model(
        model=model.name,
        family=model.family,
        role="student" if model.learn_from else "teacher",
        **{name: model.metric(model.final, name) for name in measures},
        training_gap=model.metric("train", "training_gap"),
        gap_quantized=model.metric("quantize", "gap"),
        size_bytes=model.metric("quantize", "bytes_after"),
        kept_epoch=model.metric("train", "kept_epoch"),
        epochs_done=model.metric("train", "epochs_done"),
        train_seconds=model.metric("train", "seconds"),
    )


def _selection(record: NodeRecord) -> Selection:
    chosen = tuple(record.details.get("chosen", ()))
    combinations = [
        Combination(
            members=tuple(row["members"]),
            gap_select=float(row.get("gap_select", row["gap"])),
            gap=float(row["gap"]),
            chosen=sorted(row["members"]) == sorted(chosen),
        )
        for row in record.details.get("table", ())
    ]
    combinations.sort(key=lambda combination: -combination.gap_select)
    best = next((combination for combination in combinations if combination.chosen), None)
    return Selection(
        family=record.family or record.name,
        chosen=chosen,
        gap_select=best.gap_select if best else record.metrics.get("gap_select"),
        gap=best.gap if best else record.metrics.get("gap"),
        combinations=tuple(combinations),
    )


def _search(run: Run) -> Search | None:
    """Collect the compared methods and the frontier; None if the run has no search."""
    record = run.first("search_weights")
    if record is None:
        return None
    details = record.details
    weights = {member["name"]: member["weight"] for member in details.get("members", ())}
    final = {name: weight for name, weight in weights.items() if weight > 0}
    rows = details.get("methods", ())
    guard = dict(details.get("guard", {}))
    used = guard.pop("taken", "")
    frontier = sorted(map(_frontier_point, details.get("frontier", ())), key=lambda point: point.size_bytes)
    return Search(
        gap_float=record.metrics.get("gap_float"),
        methods=tuple(_search_method(row, used) for row in rows),
        guard=Guard(**guard) if guard else None,
        random_trials=details.get("random_trials", {}),
        dropped=tuple(name for name in weights if name not in final),
        frontier=tuple(frontier),
        paper_point=_frontier_point(details["paper_point"]) if "paper_point" in details else None,
    )


def _search_method(row: Mapping[str, Any], used: str) -> SearchMethod:
    return SearchMethod(
        method=row["method"],
        trials=row["trials"],
        gap_select=row["gap_select"],
        gap=row["gap"],
        members=len(row["members"]),
        size_bytes=row["size_bytes"],
        chosen=row["method"] == used,
    )


def _frontier_point(point: Mapping[str, Any]) -> FrontierPoint:
    return FrontierPoint(
        size_bytes=point["size_bytes"],
        gap_select=point["gap_select"],
        gap=point["gap"],
        members=tuple(point["members"]),
        sizes=point.get("sizes", {}),
    )


def _class_kinds(run: Run) -> tuple[ClassKind, ...]:
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for model in run.models.values():
        for kind, gap in (model.details(model.final, "gap_by_kind") or {}).items():
            if gap is not None:
                found[kind][model.family].append(float(gap))
    exported = run.first("export")
    of_export = exported.details.get("gap_by_kind", {}) if exported else {}
    kinds = []
    for kind, families in found.items():
        means = {family: mean(gaps) or 0.0 for family, gaps in families.items()}
        best = max(means, key=lambda family: means[family])
        kinds.append(ClassKind(kind=kind, gap=means, gap_exported=of_export.get(kind), best_family=best))
    return tuple(kinds)


def _curve(model: ModelRun, prepare: NodeRecord | None) -> Curve:
    # The page of an averaging node has only its own curve; the report of a run prefers the training.
    points = model.details("train", "curve") or model.details("average", "curve") or ()
    of_videos = prepare.config.get("spec", {}).get("layout", {}).get("weight") if prepare else ""
    weighted = bool(of_videos or training_setting(model, "class_weights"))
    return Curve(model=model.name, family=model.family, points=tuple(points), weighted=weighted)


def _settings(run: Run) -> tuple[SettingRow, ...]:
    """List the settings of all steps; steps of a stage with the same value and reason share a row."""
    rows = []
    for stage in sorted({record.stage for record in run.records}):
        found = (
            (key, Setting(**setting), record.node)
            for record in run.of(stage)
            for key, setting in record.details.get("settings", {}).items()
        )
        for row in sorted(group_settings(found), key=lambda row: row.key):
            rows.append(SettingRow(stage=stage, key=row.key, **row.setting.model_dump(), nodes=row.names))
    return tuple(rows)
