"""Checks of a run's results against expectations, shown at the top of the report."""

from collections.abc import Iterator

from yt8m.report.summary import Check, Data, Final
from yt8m.report.summary_search import Search
from yt8m.report.summary_tables import Tables

# Maximum difference between the GAP of the exported model and that of the search on the same videos.
EXPORT_TOLERANCE = 1e-4
# Difference in GAP, in standard errors, that is more than chance.
LEAST_ERRORS = 2.0
# Maximum GAP that quantization is expected to cost.
QUANTIZATION_TOLERANCE = 1e-3


def build_checks(final: Final, tables: Tables, search: Search | None, data: Data | None = None) -> tuple[Check, ...]:
    """Compare the run's figures with expectations. There is no check where nothing was compared."""
    return (*_final_checks(final, search), *_table_checks(tables), *(_data_checks(data) if data else ()))


def _final_checks(final: Final, search: Search | None) -> Iterator[Check]:
    if final.budget_share is not None:
        yield Check(
            passed=final.budget_share <= 1,
            text="The exported model is within its budget."
            if final.budget_share <= 1
            else "The exported model is over its budget.",
        )
    if final.gap is None:
        return
    above = final.beats_baseline
    if above is not None:
        yield Check(
            passed=above, text=f"The model {'beats' if above else 'does not beat'} the label-frequency baseline."
        )
    error = final.best_member_error
    if final.best_model_gap is not None and error is not None and final.members != 1:
        above = final.gap - final.best_model_gap > LEAST_ERRORS * error
        best = f"{final.best_model}, the single model that is best on the videos that decide"
        verdict = f"beats {best}" if above else f"does not beat {best}, by more than chance"
        yield Check(passed=above, text=f"The ensemble {verdict}.")
    searched = next((method.gap for method in search.methods if method.chosen), None) if search else None
    if searched is not None and final.measured_on == "exported model":
        same = abs(final.gap - searched) <= EXPORT_TOLERANCE
        verdict = "equals" if same else "differs from"
        yield Check(passed=same, text=f"The exported model's GAP {verdict} the searched ensemble's.")


def _table_checks(tables: Tables) -> Iterator[Check]:
    # The error of a gain on the same videos is smaller than that of GAP, but records do not have it.
    gains = {
        row.family: (row.family_gain, row.gap_error or 0.0)
        for row in tables.distillation
        if row.family_gain is not None
    }
    if gains:
        lost = [family for family, (gain, error) in gains.items() if gain <= error]
        text = "helps every family on average"
        if lost:
            text = f"does not help {', '.join(lost)} by more than the standard error of GAP"
        yield Check(passed=not lost, text=f"Distillation {text}.")
    # Of a model of small variables, nothing is stored in few bits.
    rows = [
        row for row in tables.quantization if not row.variables or any(each.get("quantized") for each in row.variables)
    ]
    losses = {
        row.model: -row.gap_change - LEAST_ERRORS * (row.gap_change_error or 0.0)
        for row in rows
        if row.gap_change is not None
    }
    if losses:
        lost = [model for model, loss in losses.items() if loss > QUANTIZATION_TOLERANCE]
        names = ", ".join(lost) or "no model"
        yield Check(
            passed=not lost,
            text=f"Quantization costs {names} more than {QUANTIZATION_TOLERANCE} GAP, by more than chance.",
        )


def _data_checks(data: Data) -> Iterator[Check]:
    # Videos on both sides are a warning. Records of earlier versions do not tell them.
    if data.figures.get("holdout_videos_in_training") == 0:
        yield Check(passed=True, text="No hold-out video has the id of a training video.")
