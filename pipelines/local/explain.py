"""Reasons why nodes of a local run would be executed again.

Every finished node leaves an account of its execution in the run's folder: its work, image, inputs and outputs.
`yt8m run --explain` compares the accounts with the work that the recipe and the code result in now. A node does not run
again if any of its executions was the same work, since KFP's cache keeps them all. If only the image is another one,
KFP's cache does not know the node, but its step finds the record of the execution and copies the result.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from pipelines.graph.keys import Input, Work
from pipelines.graph.plan import Plan
from pipelines.local.folder import WORK_FOLDER
from pipelines.local.runner import Listener
from pipelines.runs.state import FINISHED, RunState
from yt8m.config import Config, ConfigFile
from yt8m.errors import ConfigError, StorageError, UserError
from yt8m.records.files import missing_files
from yt8m.records.record import NodeRecord, read_digest
from yt8m.storage import read_text

# Maximum number of changed files to list. A new copy of a data set has thousands of them.
_MOST_LISTED = 20


class Account(Config):
    """An execution of a node.

    Attributes:
        work: Everything that decided the result.
        image: Container image of the step.
        inputs: Path of each artifact that the node read, and hash of each record, by parameter.
        outputs: Path of each artifact that the node wrote, and of its record, by name.
    """

    work: Work
    image: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


class _Accounts(ConfigFile):
    """The executions of a node, each work once, the last one at the end."""

    accounts: tuple[Account, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a node's file; without accounts if it is missing, or written by another version of yt8m."""
        try:
            return cls.load(path)
        except (ConfigError, StorageError):
            return cls()

    def with_last(self, last: Account) -> Self:
        """Return these executions with one more, which replaces an earlier one of the same work."""
        outputs = {"outputs": last.outputs}
        others = (each for each in self.accounts if each.model_copy(update=outputs) != last)
        return self.model_copy(update={"accounts": (*others, last)})


def keep_accounts(listener: Listener, work: Mapping[str, Work], image: str) -> Listener:
    """Return a listener that keeps an account of every finished node and passes all events on.

    Args:
        listener: The listener that receives the events.
        work: Everything that decides a node's result, by name of the node.
        image: Container image of the steps.
    """

    def keep_and_listen(event: Any, state: RunState) -> None:
        node = work.get(event.node)
        if node and event.kind in FINISHED:
            inputs = {name: _content(ref, state.nodes[ref.node].outputs) for name, ref in node.inputs.items()}
            account = Account(work=node, image=image, inputs=inputs, outputs=state.nodes[event.node].outputs)
            path = _path(state.root, event.node)
            _Accounts.read(path).with_last(account).save(path)
        listener(event, state)

    return keep_and_listen


def explain(node: str, plan: Plan, work: Mapping[str, Work], root: Path, image: str) -> Iterator[str]:
    """Say whether a node would be executed again, and why, in lines of text.

    Args:
        node: Name of the node.
        plan: The plan of the run.
        work: Everything that would decide a node's result now, by name of the node.
        root: Folder of the run.
        image: Container image in which the steps would run.

    Yields:
        The reasons of the node, then those of each of its dependencies that would be executed again, too.

    Raises:
        ConfigError: The plan has no such node. The message names the nearest one.
    """
    found = _Reasons(work, root, image)
    asked = plan[node].name
    if not found.find(asked):
        yield f"{asked} would not run again: code, configuration, inputs and data are the same as when it was executed."
        if found.is_copied(asked):
            yield "Its step would start and copy the result, because the image is another one."
        return
    for name in (asked, *plan.ancestors(asked)):
        if reasons := found.find(name):
            yield f"{name} would run:"
            yield from (f"  {reason}" for reason in reasons)


class _Reasons:
    """The reasons for executing nodes again, by node; see `explain` for the arguments."""

    def __init__(self, work: Mapping[str, Work], root: Path, image: str) -> None:
        self._work = work
        self._root = root
        self._image = image
        self._compare = cache(self._compare_accounts)

    def find(self, node: str) -> tuple[str, ...]:
        """Return the reasons for executing a node again; none if it is done."""
        return self._compare(node)[0]

    def is_copied(self, node: str) -> bool:
        """Return whether a node that is done was executed in other images only."""
        images = {each.image for each in _Accounts.read(_path(self._root, node)).accounts}
        return self._image not in images

    def _compare_accounts(self, node: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """Return the reasons, and the outputs of the execution that is the same work or, otherwise, of the last one."""
        accounts = _Accounts.read(_path(self._root, node)).accounts
        if not accounts:
            return (self._without_account(node),), {}
        compared = [(self._reasons(node, account), account.outputs) for account in reversed(accounts)]
        return next((each for each in compared if not each[0]), compared[0])

    def _reasons(self, node: str, account: Account) -> tuple[str, ...]:
        return (
            *_differences(account.work, self._work[node]),
            *(() if _has_all_files(account) else _changes("image", {"": account.image}, {"": self._image})),
            *(f"output {name}: {path} is gone" for name, path in account.outputs.items() if not Path(path).exists()),
            *self._input_differences(account, self._work[node].inputs),
        )

    def _without_account(self, node: str) -> str:
        try:
            state = RunState.load(self._root).nodes.get(node)
        except UserError:
            state = None
        if state and state.state in FINISHED:
            return "another version of yt8m executed it, which left no account of its code and inputs"
        return f"no execution in {self._root} has finished yet"

    def _input_differences(self, account: Account, inputs: Mapping[str, Input]) -> Iterator[str]:
        before, read = account.work.inputs, account.inputs
        for name, each in inputs.items():
            reasons, outputs = self._compare(each.node)
            if name not in before or before[name][:2] != each[:2]:
                old = ".".join(before[name][:2]) if name in before else "absent"
                yield f"input {name}: {old} -> {each.node}.{each.output}"
            elif reasons:
                yield f"input {name}: {each.node} would run again"
            elif before[name].key != each.key or _content(each, outputs) != read[name]:
                yield f"input {name}: {each.node} was executed again since"
        yield from (f"input {name}: no longer read" for name in before if name not in inputs)


def _has_all_files(account: Account) -> bool:
    """Return whether a step in another image would find the record of an execution and its files."""
    try:
        record = NodeRecord.parse_json(read_text(account.outputs.get("record", "")), account.work.stage)
    except (ConfigError, StorageError):
        return False
    return bool(record.files) and not missing_files(record)


def _content(ref: Input, outputs: Mapping[str, str]) -> str:
    """Return what tells an input from one that was made again: an artifact's path, or the hash of a record.

    An artifact that is made again has another path; a record does not.
    """
    path = outputs.get(ref.output, "")
    return read_digest(Path(path)) if ref.output == "record" and Path(path).is_file() else path


def _differences(before: Work, now: Work) -> Iterator[str]:
    """List the differences between two works of a node, except for their inputs."""
    read = [{**work.files, **work.data, **work.named, **work.imported} for work in (before, now)]
    yield from _file_changes(*read)
    yield from _changes("package ", before.packages, now.packages)
    yield from _changes("configuration ", _flatten(before.config), _flatten(now.config))
    yield from _changes("parameter ", _flatten(before.labels), _flatten(now.labels))


def _file_changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """List changed files by hash, source files first."""
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    changed.sort(key=lambda name: not name.endswith(".py"))
    for name in changed[:_MOST_LISTED]:
        noun = "source file" if name.endswith(".py") else "data file"
        yield f"{noun} {name}: {'new' if name not in before else 'removed' if name not in now else 'changed'}"
    if len(changed) > _MOST_LISTED:
        yield f"{len(changed) - _MOST_LISTED} more files"


def _changes(noun: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        values = [json.dumps(each[name]) if name in each else "absent" for each in (before, now)]
        if values[0] != values[1]:
            yield f"{noun}{name}: {values[0]} -> {values[1]}"


def _flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested mappings into one with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        is_nested = isinstance(value, Mapping) and value
        flat |= _flatten(value, f"{prefix}{key}.") if is_nested else {f"{prefix}{key}": value}
    return flat


def _path(root: Path, node: str) -> Path:
    return root / WORK_FOLDER / f"{node}.json"
