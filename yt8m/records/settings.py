"""Settings as records have them: a value, why it has it, and whether it was chosen or stated."""

from collections.abc import Iterable, Mapping
from typing import Any

from yt8m.config import Config

# Section of recipes that has the settings of a stage.
_SECTIONS = {
    "train": "training",
    "average": "averaging",
    "select_teachers": "families",
    "quantize": "quantization",
    "search_weights": "ensemble.search",
}


class Setting(Config):
    """The value of a setting.

    Attributes:
        value: The value.
        reason: Why it has this value.
        automatic: Whether it was chosen. If not, the recipe states it.
    """

    value: Any
    reason: str
    automatic: bool


class SettingRow(Setting):
    """A setting with one value, and who has it.

    Attributes:
        key: Place in a recipe, such as `training.epochs`.
        names: Models or families with this value. Empty if there is only one for the whole run.
    """

    key: str
    names: tuple[str, ...] = ()


def as_details(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Return settings as plain data, for the `details` of a record."""
    return {key: setting.model_dump(mode="json") for key, setting in settings.items()}


def setting_rows(found: Iterable[tuple[str, str, Mapping[str, Setting]]]) -> tuple[SettingRow, ...]:
    """Make the table of a run's settings, in which all that have one value share a row.

    Args:
        found: Stage, name of the model or family, and settings by key, of each node.
    """
    rows: dict[tuple[str, str, str, bool], list[str]] = {}
    values: dict[tuple[str, str, str, bool], Any] = {}
    for stage, name, settings in found:
        for key, each in settings.items():
            row = (f"{_SECTIONS[stage]}.{key}", repr(each.value), each.reason, each.automatic)
            rows.setdefault(row, []).extend([name] if name else [])
            values[row] = each.value
    order = {key: None for key, *_ in rows}
    return tuple(
        SettingRow(key=row[0], value=values[row], reason=row[2], automatic=row[3], names=tuple(names))
        for key in order
        for row, names in rows.items()
        if row[0] == key
    )
