"""Shared work of all components: parse the configuration, measure the time, write record, metrics and page."""

import json
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rich.filesize import decimal

from components.logs import quiet_logs
from yt8m import storage
from yt8m.config import Config
from yt8m.errors import DataError
from yt8m.identity import work_name
from yt8m.progress import duration
from yt8m.report.record import record_uri
from yt8m.stages.result import StageResult
from yt8m.storage.local import local_path
from yt8m.yaml_files import parse_line

# The most numbered inputs of one kind that a component has.
MOST_NUMBERED = 32

_LOGGER = logging.getLogger("yt8m.components")
_NO_PAGE = "<!doctype html><title>No page</title><p>This page could not be drawn. The log of the step says why."
# Counts that describe the result of a step without a GAP.
_COUNTS = {
    "training_videos": "training videos",
    "holdout_videos": "hold-out videos",
    "videos": "videos",
    "shards": "shards",
}

AnyConfig = TypeVar("AnyConfig", bound=Config)


class ModelArtifact(Protocol):
    """The part of KFP's `Model` artifact that steps use."""

    metadata: dict[str, Any]


class Step:
    """One execution of a node.

    Args:
        arguments: The component's `locals()`: its artifacts; `node`, `root`, `key` and `attempt`, which determine the
            record's URI; `config` if the stage has a configuration.
        stage: Name of the stage.
    """

    def __init__(self, arguments: Mapping[str, Any], stage: str) -> None:
        quiet_logs()
        self.node: str = arguments["node"]
        self._stage = stage
        self._root: str = arguments["root"]
        self._key: str = arguments["key"]
        self._attempt: str = arguments["attempt"]
        self._parameters = {name: value for name, value in arguments.items() if isinstance(value, str | int)}
        self._artifacts = {name: value for name, value in arguments.items() if hasattr(value, "uri")}
        self._config: dict[str, Any] = {}
        self._start = time.monotonic()

    def parse(self, config_type: type[AnyConfig], placeholders: Mapping[str, str] | None = None) -> AnyConfig:
        """Parse the configuration of the stage.

        Args:
            config_type: Class of the configuration.
            placeholders: Parts of the configuration's strings, each with the text that replaces it.

        Raises:
            ConfigError: It is not valid for the stage, or comes from a version with other defaults.
        """
        config = config_type.parse_changes(str(self._parameters["config"]), self.node)
        text = config.model_dump_json()
        for placeholder, replacement in (placeholders or {}).items():
            text = text.replace(placeholder, json.dumps(replacement)[1:-1])
        self._config = json.loads(text)
        return config_type.parse_json(text, self.node)

    def folder(self, name: str) -> str:
        """Return the URI of the node's folder of this name under the root.

        A repeated step finds its files there and continues with them, but not those of a deliberate repetition.
        """
        return storage.join(self._root, name, self.node, *filter(None, [self._attempt]))

    def finish(
        self,
        result: StageResult,
        *,
        name: str = "",
        family: str = "",
        model: ModelArtifact | None = None,
        compared: Iterable[str] = (),
        sections: Sequence[str] = (),
    ) -> None:
        """Write the record of the node under the root, and what KFP shows; print what came out.

        Args:
            result: Result of the stage.
            name: Model that the node works on.
            family: Architecture of that model, or the family or group whose teachers the node concerns.
            model: The model that the stage wrote. Its artifact gets the most important figures.
            compared: Metrics to write to the component's output `metrics`, where KFP compares runs.
            sections: Sections of the report to write to the component's output `page`.
        """
        seconds = time.monotonic() - self._start
        record = {
            "node": self.node,
            "stage": self._stage,
            "name": name,
            "family": family,
            "config": self._config,
            "metrics": result.metrics,
            "details": result.details,
            "seconds": seconds,
        }
        if sections:
            self._write_page(record, sections)
        if "metrics" in self._artifacts:
            self._write_metrics({key: result.metrics[key] for key in compared if key in result.metrics})
        if model:
            model.metadata.update(_describe_model(result.metrics, family))
        self._store(record)
        sys.stdout.write(f"{self.node}: {_summarize(result.metrics, seconds)}\n")
        sys.stdout.flush()

    def _store(self, record: Mapping[str, Any]) -> None:
        """Write the record, with parameters and URIs of artifacts, which KFP's API does not return."""
        artifacts = {name: artifact.uri for name, artifact in self._artifacts.items()}
        text = json.dumps({**record, "parameters": self._parameters, "artifacts": artifacts}, allow_nan=False)
        uri = record_uri(self._root, self.node, work_name(self._key, self._attempt))
        with storage.open_atomic(uri) as file:
            file.write(text.encode())

    def _write_metrics(self, metrics: Mapping[str, float]) -> None:
        """Write metrics for the user interface, and as a file: KFP's local cache misses an artifact without one."""
        for name, value in metrics.items():
            self._artifacts["metrics"].log_metric(name, value)
        self._write("metrics", json.dumps(metrics, allow_nan=False))

    def _write_page(self, record: Mapping[str, Any], sections: Sequence[str]) -> None:
        """Write the page of the node for the user interface.

        An error does not fail the step, whose result may have taken hours. It is logged, and the page says so.
        """
        try:
            from yt8m.report.node_page import render_node_page

            text = render_node_page(record, sections)
        except Exception:  # any error, since the stage has its result
            _LOGGER.exception("%s: the page for the user interface could not be drawn", self.node)
            text = _NO_PAGE
        self._write("page", text)

    def _write(self, output: str, text: str) -> None:
        path = Path(self._artifacts[output].path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def fan_in(arguments: Mapping[str, Any], prefix: str, names: str) -> dict[str, Path]:
    """Collect the local paths of numbered input artifacts and of imported ones, by name.

    Args:
        arguments: The component's `locals()`. `imported` has the URIs of further artifacts from other runs.
        prefix: Prefix of the parameters: `<prefix>_1`, `<prefix>_2`, ...
        names: Names of the artifacts in this order, with spaces between them.
    """
    imported = parse_line(arguments.get("imported") or "{}", "imported")
    fetched = {name: _fetch(name, uri) for name, uri in imported.items()}
    return dict(zip(names.split(), numbered(arguments, prefix), strict=True)) | fetched


def numbered(arguments: Mapping[str, Any], prefix: str) -> list[Path]:
    """Collect the local paths of numbered input artifacts in order; see `fan_in`."""
    given = (arguments.get(f"{prefix}_{number}") for number in range(1, MOST_NUMBERED + 1))
    return [Path(artifact.path) for artifact in given if artifact is not None]


def _fetch(name: str, uri: str) -> Path:
    """Return the local path of a model's file or folder in another run.

    What is in an object store is copied to a temporary folder, which stays until the step's container or process ends.
    """
    if not storage.exists(uri):
        raise DataError(
            f"imported: {name}: {uri} does not exist. Run the other recipe again, or take {name} out of this one."
        )
    if not storage.is_remote(uri):
        return local_path(uri)
    target = Path(tempfile.mkdtemp(), "imported")
    for file in storage.list_uris(f"{uri}/**") or [uri]:
        path = target / file.removeprefix(uri).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(storage.stage_in(file), path)
    return target


def _describe_model(metrics: Mapping[str, float], family: str) -> dict[str, Any]:
    """Return the metadata of a model: few, since a cluster stores them once more for every step that reads it."""
    described: dict[str, Any] = {"gap": round(metrics["gap"], 4)} if "gap" in metrics else {}
    described |= {name: int(metrics[name]) for name in ("bytes", "parameters") if name in metrics}
    return described | ({"family": family} if family else {})


def _summarize(metrics: Mapping[str, float], seconds: float) -> str:
    """Describe a result in a few words: `GAP 0.8123, 1.2 MB, 3m12s`."""
    if "gap" in metrics:
        words = [f"GAP {metrics['gap']:.4f}"]
    else:
        words = [f"{metrics[name]:,.0f} {noun}" for name, noun in _COUNTS.items() if name in metrics]
    size = metrics.get("bytes", metrics.get("size_bytes"))
    if size is not None:
        words.append(decimal(round(size)).replace("bytes", "B"))
    return ", ".join([*words, duration(seconds)])
