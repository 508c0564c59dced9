"""Warnings of made-up records."""

from typing import Any

from yt8m.records.record import NodeRecord
from yt8m.report.run import Run
from yt8m.report.summary import RunWarning
from yt8m.report.warnings.rules import find_warnings


def warned(*records: dict[str, Any]) -> list[RunWarning]:
    """Return the warnings of a run with these records."""
    return list(find_warnings(Run([NodeRecord(**record) for record in records])))


def rules_of(*records: dict[str, Any]) -> list[int]:
    """Return the numbers of the rules that warn of these records."""
    return [warning.rule for warning in warned(*records)]
