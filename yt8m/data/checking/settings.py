"""Settings that read records: options of commands and the line of a recipe, for messages."""

import shlex
from typing import Any

from yt8m.data.format import DataSpec, RecordLayout
from yt8m.yaml_files import dump_line


def describe_settings(wanted: DataSpec, given: DataSpec) -> str:
    """Return the options and the line of a recipe that change one format into another.

    Options are left out if they cannot express the change: they have no ranges, and no names with a comma or a tab.

    Args:
        wanted: Format that reads the records.
        given: Format that is set.

    Returns:
        A text such as `` `yt8m data check` with --classes 5; in the recipe, `data: {spec: {num_classes: 5}}` ``.
    """
    line = _difference(wanted, given)
    recipe = f"in the recipe, `data: {dump_line({'spec': line})}`"
    names = [*line.get("features", {}), *map(str, line.get("layout", {}).values())]
    if any("," in name or not name.isprintable() for name in names):
        return recipe
    options = []
    if "features" in line:
        options.append(f"--features {shlex.quote(','.join(f'{key}={size}' for key, size in line['features'].items()))}")
    if "num_classes" in line:
        options.append(f"--classes {line['num_classes']}")
    if "layout" in line:
        options.append(f"--layout {shlex.quote(','.join(f'{key}={value}' for key, value in line['layout'].items()))}")
    if not options:
        return recipe
    commands = "`yt8m data check`"
    if line.keys() <= {"layout", "ranges"}:
        commands += ", `yt8m predict` and `yt8m evaluate`"
    note = ""
    if "ranges" in line:
        note = (
            ". Options set no ranges: without those of the recipe or of a description beside the shards, values "
            "outside -2 to 2 are clipped"
        )
    return f"{commands} with {' '.join(options)}; {recipe}{note}"


def _difference(wanted: DataSpec, given: DataSpec) -> dict[str, Any]:
    """Return the keys of a format that differ from another one, as plain data."""
    line: dict[str, Any] = {}
    # The order of features counts.
    if list(wanted.features.items()) != list(given.features.items()):
        line["features"] = dict(wanted.features)
    if wanted.num_classes != given.num_classes:
        line["num_classes"] = wanted.num_classes
    if wanted.layout != given.layout:
        default = RecordLayout()
        line["layout"] = {
            key: value
            for key, value in wanted.layout
            if value != getattr(default, key) or value != getattr(given.layout, key)
        }
    ranges = {name: list(limits) for name, limits in wanted.ranges.items() if limits != given.ranges.get(name)}
    if ranges:
        line["ranges"] = {name: list(limits) for name, limits in wanted.ranges.items()}
    return line
