"""Shared work of all components: parse the configuration, measure the time, write metrics, record and page."""

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

# The most numbered inputs of one kind that a component has.
MOST_NUMBERED = 32

_LOGGER = logging.getLogger("yt8m.components")
_NO_PAGE = "<!doctype html><title>No page</title><p>This page could not be drawn. The log of the step says why."

AnyConfig = TypeVar("AnyConfig", bound=Config)


class MetricsArtifact(Protocol):
    """The part of KFP's `Metrics` artifact that steps use."""

    path: str

    def log_metric(self, metric: str, value: float) -> None:
        """Show a metric in the user interface."""


class PageArtifact(Protocol):
    """The part of KFP's `HTML` artifact that steps use."""

    path: str


class Step:
    """One execution of a node.

    Args:
        arguments: The component's `locals()`: its artifacts and `node`, JSON of the node's identity (`node`, `stage`,
            `name`, `family`, and `facts`, which are added to the configuration in the record); optionally `config`,
            JSON of the stage's configuration, and `root`, `key` and `attempt`, which determine the record's URI.
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
        """Name of this execution's files, such as checkpoints. A deliberate repetition does not find them."""
        return work_name(self._key, self._attempt)

    def parse(self, config_type: type[AnyConfig]) -> AnyConfig:
        """Parse the configuration of the stage.

        Raises:
            ConfigError: It is not valid for the stage.
        """
        return config_type.parse_json(self.config, self.identity["node"])

    def finish(self, result: StageResult, metrics: MetricsArtifact) -> None:
        """Write the metrics for the user interface, and the record of the node as the artifact's file.

        KFP's local cache repeats a step whose artifact has no file.
        """
        record = self._record(result)
        for name, value in result.metrics.items():
            metrics.log_metric(name, value)
        path = Path(metrics.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, allow_nan=False))
        self._store(record)

    def store_record(self, result: StageResult) -> None:
        """Write the record, with parameters and URIs of artifacts, to `record_uri`.

        KFP's API returns neither the metrics of a step nor the URIs of its artifacts.
        """
        self._store(self._record(result))

    def _store(self, record: dict[str, Any]) -> None:
        if self._root:
            record = {**record, "parameters": self._arguments, "artifacts": self._artifacts}
            with storage.open_atomic(record_uri(self._root, self.identity["node"], self.work)) as file:
                file.write(json.dumps(record, allow_nan=False).encode())

    def write_page(self, result: StageResult, page: PageArtifact, render: Callable[[Mapping[str, Any]], str]) -> None:
        """Write the page of the node for the user interface.

        An error does not fail the step, whose result may have taken hours. It is logged, and the page says so.

        Args:
            result: Result of the stage.
            page: The artifact.
            render: Function that renders the record as HTML.
        """
        try:
            text = render(self._record(result))
        except Exception:  # any error, since the stage has its result
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
    """Return the URI of a node's record.

    Args:
        root: URI of the run's root.
        node: Name of the node.
        work: Name of the work; see `Step.work`.
    """
    return storage.join(root, "records", node, f"{work}.json")


def fan_in(arguments: dict[str, Any], prefix: str, names: str) -> dict[str, Path]:
    """Collect the local paths of numbered input artifacts, by name.

    Args:
        arguments: The component's `locals()`.
        prefix: Prefix of the parameters: `<prefix>_1`, `<prefix>_2`, ...
        names: JSON list of the artifacts' names in this order.
    """
    return dict(zip(json.loads(names), numbered(arguments, prefix), strict=True))


def numbered(arguments: dict[str, Any], prefix: str) -> list[Path]:
    """Collect the local paths of numbered input artifacts in order; see `fan_in`."""
    given = (arguments.get(f"{prefix}_{number}") for number in range(1, MOST_NUMBERED + 1))
    return [Path(artifact.path) for artifact in given if artifact is not None]
