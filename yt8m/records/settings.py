"""Settings as records have them: a value, why it has it, and whether it was chosen or stated."""

from collections.abc import Mapping
from typing import Any

from yt8m.config import Config


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


def as_details(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Return settings as plain data, for the key `settings` in the `details` of a record.

    Args:
        settings: Settings by key, as in the recipe's section of the stage.
    """
    return {key: setting.model_dump(mode="json") for key, setting in settings.items()}
