"""What every component does around its stage: read the configuration, take the time, leave metrics and a record."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from yt8m import storage
from yt8m.config import Config
from yt8m.identity import work_name
from yt8m.stages.result import StageResult

# No component has more inputs of a kind; `collect_records`, `report` and `export` have as many records.
MOST_NUMBERED = 32

_LOGGER = logging.getLogger("yt8m.components")
_NO_PAGE = "<!doctype html><title>No page</title><p>This page could not be drawn; the step's log tells why."

AnyConfig = TypeVar("AnyConfig", bound=Config)


class MetricsArtifact(Protocol):
    """The part of KFP's `Metrics` artifact that steps use."""

    path: str

    def log_metric(self, metric: str, value: float) -> None:
        """Show a figure in the user interface."""


class PageArtifact(Protocol):
    """The part of KFP's `HTML` artifact that steps use."""

    path: str


class Step:
    """One execution of a node.

    Args:
        arguments: The component's `locals()`: `node`, JSON of the node's identity (`node`, `stage`, `name`, `family`,
            and `facts`, a mapping that is added to the configuration in the record); `config`, JSON of the stage's
            configuration; `root`, `key` and `attempt`, which name the record under the run's root; the artifacts.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.identity: dict[str, Any] = json.loads(arguments["node"])
        self.config: str = arguments.get("config", "{}")
        self._root: str = arguments.get("root", "")
        self._key: str = arguments.get("key", "")
        self._attempt: str = arguments.get("attempt", "")
        self._arguments = {name: value for name, value in arguments.items() if isinstance(value, str | int)}
        self._artifacts = {name: value.uri for name, value in arguments.items() if hasattr(value, "uri")}
        self._start = time.monotonic()

    @property
    def work(self) -> str:
        """Names the exact work, and which repetition of it this is: what a repetition must not find lies under it."""
        return work_name(self._key, self._attempt)

    def parse(self, config_type: type[AnyConfig]) -> AnyConfig:
        """The stage's configuration.

        Raises:
            ConfigError: It does not fit the stage.
        """
        return config_type.parse_json(self.config, self.identity["node"])

    def finish(self, result: StageResult, metrics: MetricsArtifact) -> None:
        """Write metrics for the user interface and the node's record to the `Metrics` artifact.

        The record is the artifact's file; without a file KFP's local cache would run the step again each time.
        """
        record = self._record(result)
        for name, value in result.metrics.items():
            metrics.log_metric(name, value)
        path = Path(metrics.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, allow_nan=False))
        self._leave(record)

    def remember(self, result: StageResult) -> None:
        """Write the record, with parameters and the artifacts' URIs, where others find it: see `record_uri`.

        KFP's API tells neither a step's figures nor where its artifacts are.
        """
        self._leave(self._record(result))

    def _leave(self, record: dict[str, Any]) -> None:
        if self._root:
            record = {**record, "parameters": self._arguments, "artifacts": self._artifacts}
            with storage.open_atomic(record_uri(self._root, self.identity["node"], self.work)) as file:
                file.write(json.dumps(record, allow_nan=False).encode())

    def show(self, result: StageResult, page: PageArtifact, render: Callable[[Mapping[str, Any]], str]) -> None:
        """Write the node's page for the user interface, after `finish`.

        A page that cannot be drawn costs hours of training nothing but the page: the log says why, and a sentence takes
        its place, since KFP's local cache wants a file of every artifact.

        Args:
            result: What `finish` was given.
            page: The artifact.
            render: Makes the page from the node's record.
        """
        try:
            text = render(self._record(result))
        except Exception:  # whatever it is: the stage has its result
            _LOGGER.exception("%s: the page for the user interface could not be drawn", self.identity["node"])
            text = _NO_PAGE
        path = Path(page.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _record(self, result: StageResult) -> dict[str, Any]:
        identity = dict(self.identity)
        facts = identity.pop("facts", {})
        return {
            **identity,
            "config": {**json.loads(self.config), **facts},
            "metrics": result.metrics,
            "details": result.details,
            "seconds": time.monotonic() - self._start,
        }


def record_uri(root: str, node: str, work: str) -> str:
    """Where a step leaves its record.

    Args:
        root: The run's root.
        node: The node's name.
        work: See `Step.work`.
    """
    return storage.join(root, "records", node, f"{work}.json")


def fan_in(arguments: dict[str, Any], prefix: str, names: str) -> dict[str, Path]:
    """Gather numbered input artifacts, which KFP has instead of lists.

    Args:
        arguments: The component's `locals()`.
        prefix: The artifacts' parameters are `<prefix>_1`, `<prefix>_2`, ...
        names: JSON list of what they stand for, in this order.

    Returns:
        Local path by name.
    """
    return dict(zip(json.loads(names), numbered(arguments, prefix), strict=True))


def numbered(arguments: dict[str, Any], prefix: str) -> list[Path]:
    """The numbered input artifacts that were given, in order; see `fan_in`."""
    given = (arguments.get(f"{prefix}_{number}") for number in range(1, MOST_NUMBERED + 1))
    return [Path(artifact.path) for artifact in given if artifact is not None]
