"""What happens in a local run, read from what KFP's local runner prints.

KFP 2.17 reports progress as text only. Its own lines begin at the margin; a step's lines are indented by four.
"""

import re
from dataclasses import dataclass
from typing import Literal

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_STARTED = re.compile(r"Executing task '(?P<node>[^']+)'$")
_ENDED = re.compile(r"Task '(?P<node>[^']+)' finished with status (?P<status>SUCCESS|FAILURE)$")
_UNCHANGED = re.compile(r"Task (?P<node>\S+) cache hit \(key=(?P<key>[0-9a-f]+)\)")
_INDENT = "    "


@dataclass(frozen=True)
class Event:
    """Something that happened to a node.

    Attributes:
        kind: `printed` is a line of the step itself; `other` is KFP's own talk.
        node: The node's name; empty for `other` outside of any step.
        text: The line; for `unchanged` the beginning of the cache entry's key.
    """

    kind: Literal["started", "done", "failed", "unchanged", "printed", "other"]
    node: str = ""
    text: str = ""


class EventReader:
    """Turns KFP's lines into events; knows which step is printing."""

    def __init__(self) -> None:
        self._node = ""
        self._in_executor_input = False

    def read(self, line: str) -> Event:
        """Read the next line."""
        line = _COLORS.sub("", line.rstrip("\n"))
        if match := _STARTED.search(line):
            self._node = match["node"]
            return Event("started", self._node)
        if match := _ENDED.search(line):
            self._node = ""
            return Event("done" if match["status"] == "SUCCESS" else "failed", match["node"])
        if match := _UNCHANGED.search(line):
            return Event("unchanged", match["node"], match["key"])
        if self._node and line.startswith(_INDENT):
            return self._printed(line.removeprefix(_INDENT))
        return Event("other", self._node, line)

    def _printed(self, text: str) -> Event:
        """A line that came out of the step: its own, or of the KFP executor around it."""
        if self._in_executor_input:
            self._in_executor_input = text != "}"
            return Event("other", self._node, text)
        self._in_executor_input = text.startswith("[KFP Executor") and text.endswith("Got executor_input:")
        talk = not text.strip() or text.startswith("[KFP Executor")
        return Event("other" if talk else "printed", self._node, text)
