"""The result type of all stages."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StageResult:
    """Metrics and details of one stage.

    Attributes:
        metrics: Finite numbers for the pipeline's user interface and the report, by name.
        details: Tables and curves as plain JSON data, for the report.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
