"""Settings as records have them: a value, why it has it, and whether it was chosen or stated."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

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


def resolve_setting(stated: Any, rule: Callable[[], tuple[Any, str]]) -> Setting:
    """Return what a recipe states, or what a rule chooses.

    Args:
        stated: The recipe's value, or `auto`.
        rule: Function that returns the value for `auto` and its reason.
    """
    if stated != "auto":
        return Setting(value=stated, reason="stated in the recipe", automatic=False)
    value, reason = rule()
    return Setting(value=value, reason=reason, automatic=True)


class SharedSetting(NamedTuple):
    """A setting, and who has it with this value and reason.

    Attributes:
        key: Key of the setting.
        setting: Value and reason.
        names: Names of models, families or steps. Empty for what the whole run has.
    """

    key: str
    setting: Setting
    names: tuple[str, ...]


def group_settings(found: Iterable[tuple[str, Setting, str]]) -> list[SharedSetting]:
    """Group the settings that are equal in key, value and reason, in the order in which the first of each was found.

    Args:
        found: Key, setting, and the name of what has it; an empty name for the whole run.
    """
    groups: dict[str, SharedSetting] = {}
    for key, setting, name in found:
        same = repr((key, setting))
        names = groups[same].names if same in groups else ()
        groups[same] = SharedSetting(key, setting, (*names, name) if name else names)
    return list(groups.values())


def as_details(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Return settings as plain data, for the key `settings` in the `details` of a record.

    Args:
        settings: Settings by key, as in the recipe's section of the stage.
    """
    return {key: setting.model_dump(mode="json") for key, setting in settings.items()}
