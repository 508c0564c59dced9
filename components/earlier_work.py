"""Executions of the same work that were done before: how a step finds one, and how it takes over the files."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from yt8m import storage
from yt8m.errors import UserError
from yt8m.identity import work_name
from yt8m.records.files import copy_files, drawn, find_files
from yt8m.records.record import NodeRecord, record_uri, records_of_work

# Parameters that do not change what a stage computes. The content of records and data counts, and the key without its
# mark, which decides where to look for records.
_FREE_PARAMETERS = {"root", "key", "data_version", "records", "named_files"}
# Number of records of runs on other data to compare.
_MOST_RECORDS = 8


class Execution(NamedTuple):
    """What tells an execution of a step from others.

    Attributes:
        stage: Name of the stage.
        root: URI of the run's root.
        parameters: Parameters of the component by name.
        outputs: Local path of every artifact that the component writes, by parameter.
        digests: Digest of the content of everything that the component reads; see `NodeRecord.inputs`.
    """

    stage: str
    root: str
    parameters: Mapping[str, Any]
    outputs: Mapping[str, Path]
    digests: Mapping[str, str]


def take_over(execution: Execution, say: Callable[[str], None]) -> NodeRecord | None:
    """Copy the files of an earlier execution of the same work.

    Args:
        execution: The execution at hand.
        say: Prints a line: what was copied, or why an earlier execution cannot be taken over.

    Returns:
        The record of the earlier execution. None if there is none that can be taken over.
    """
    reasons = []
    for uri in _candidates(execution, say):
        try:
            record = NodeRecord.parse_json(storage.read_text(uri), uri)
            reason = _difference(execution, record) or _copy(execution, record, say)
        except (UserError, OSError) as error:
            reason = str(error)
        if not reason:
            return record
        reasons.append(reason)
    if reasons:
        say(f"not copied from an earlier execution, because {reasons[0]}")
    return None


def _candidates(execution: Execution, say: Callable[[str], None]) -> Iterator[str]:
    """Iterate over the URIs of records of the same work: this node's own one, and those of runs on other data.

    Not every machine that submits runs can read the data, so that runs on the same data may have different marks.
    """
    root, node = execution.root, execution.parameters["node"]
    key, attempt = execution.parameters["key"], execution.parameters["attempt"]
    own = record_uri(root, node, work_name(key, attempt))
    try:
        if storage.exists(own):
            yield own
        found = records_of_work(root, node, key, attempt)
        yield from [uri for uri in found if uri.rpartition("/")[2] != own.rpartition("/")[2]][:_MOST_RECORDS]
    except (UserError, OSError) as error:
        say(f"earlier executions cannot be looked up: {error}")


def _difference(execution: Execution, record: NodeRecord) -> str:
    """Say why an earlier execution is not the same work; empty if it is."""
    if not execution.outputs.keys() - drawn(execution.stage) <= record.files.keys():
        return "its record lists no files"
    changed = [*_changes(record.parameters, execution.parameters), *_changes(record.inputs, execution.digests)]
    return f"{', '.join(changed)} changed since" if changed else ""


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = sorted((before.keys() | now.keys()) - _FREE_PARAMETERS)
    return [name for name in names if before.get(name) != now.get(name)]


def _copy(execution: Execution, record: NodeRecord, say: Callable[[str], None]) -> str:
    """Copy the files of an earlier execution; say why not, if some are missing."""
    artifacts, missing = find_files(record, execution.root)
    if missing:
        return f"{missing[0]} is gone or incomplete ({len(missing)} such files)"
    outputs = {name: path for name, path in execution.outputs.items() if name not in drawn(execution.stage)}
    number = copy_files(record, artifacts, outputs)
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(record.ended))
    say(f"same work as in the execution that ended {when}: copied, {number} files")
    return ""
