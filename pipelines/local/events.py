"""Events of a local run, which the worker writes to a pipe as lines of JSON and the runner reads."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import IO, Literal


@dataclass(frozen=True)
class Event:
    """Something that happened to a node.

    Attributes:
        kind: `printed` is a line of the step's output, `unchanged` a result found in KFP's cache.
        node: Name of the node.
        text: The line without its newline, for `printed`.
        outputs: URIs of the node's artifacts by name, and of its record as `record`, for `done` and `unchanged`.
        error: Reason of the failure, for `failed`.
        time: Time of the event in seconds since 1970.
    """

    kind: Literal["started", "printed", "done", "unchanged", "failed"]
    node: str
    text: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    time: float = field(default_factory=time.time, compare=False)


def write_event(file: IO[bytes], event: Event) -> None:
    """Write an event to a pipe, without buffering it."""
    file.write(json.dumps(asdict(event)).encode() + b"\n")
    file.flush()


def read_events(lines: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a pipe until its writers have closed it.

    A last line without a newline is ignored, because its writer was killed.
    """
    for line in lines:
        if line.endswith(b"\n"):
            yield Event(**json.loads(line))
