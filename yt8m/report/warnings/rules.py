"""All rules, and the warnings of a run by them. `docs/warnings.md` documents each rule under its number."""

from typing import Final

from yt8m.report.run import Run
from yt8m.report.summary import RunWarning
from yt8m.report.warnings.data import find_doubts, find_shared_videos, find_untrained_classes
from yt8m.report.warnings.ensemble import find_bad_tests, find_single_members, find_small_holdouts
from yt8m.report.warnings.rule import Rule
from yt8m.report.warnings.sources import find_bad_ensembles, find_losses, find_worthless_models
from yt8m.report.warnings.training import (
    find_best_first_epochs,
    find_divergence,
    find_overfitting,
    find_short_trainings,
)

RULES: Final = (
    Rule(1, "Training far above the hold-out", find_overfitting),
    Rule(2, "Not better than label frequencies", find_worthless_models),
    Rule(3, "An epoch that diverged", find_divergence),
    Rule(4, "A model far below the one it was made of", find_losses),
    Rule(5, "One member where the recipe wanted more", find_single_members),
    Rule(6, "Classes without training examples", find_untrained_classes),
    Rule(7, "Hold-out videos that are also in training", find_shared_videos),
    Rule(8, "The last epoch is the best", find_short_trainings),
    Rule(9, "The first epoch is the best", find_best_first_epochs),
    Rule(10, "The exported model far below its best member", find_bad_ensembles),
    Rule(11, "Test videos far below the report videos", find_bad_tests),
    Rule(12, "Few hold-out videos", find_small_holdouts),
    Rule(13, "Doubtful data", find_doubts),
)
# Rules that come first, as they make all other figures worthless.
_FIRST: Final = (2,)


def find_warnings(run: Run) -> tuple[RunWarning, ...]:
    """Return the warnings of a run, worthless models first, else in the order of the rules."""
    rules = sorted(RULES, key=lambda rule: (rule.number not in _FIRST, rule.number))
    return tuple(
        RunWarning(
            rule=rule.number,
            title=rule.title,
            node=finding.node,
            text=finding.text,
            cause=finding.cause,
            setting=finding.setting,
        )
        for rule in rules
        for finding in rule.find(run)
    )
