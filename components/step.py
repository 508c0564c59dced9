"""Shared work of all components: find work that was done before, measure the time, write record, metrics and page."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from kfp.dsl.types.type_annotations import is_artifact_wrapped_in_Output
from pydantic_core import to_jsonable_python
from rich.filesize import decimal

from components.earlier_work import Execution, take_over
from components.inputs import Inputs
from components.logs import quiet_logs
from yt8m import storage
from yt8m.config import Config
from yt8m.errors import StorageError
from yt8m.identity import work_name
from yt8m.progress import duration
from yt8m.records.files import list_files, list_kept
from yt8m.records.record import NodeRecord, record_uri
from yt8m.report.parts import name_videos
from yt8m.stages.result import StageResult

_LOGGER = logging.getLogger("yt8m.components")
_NO_PAGE = "<!doctype html><title>No page</title><p>This page could not be drawn. The log of the step says why."
# Counts that describe the result of a step without a GAP.
_COUNTS = {
    "training_videos": "training videos",
    "holdout_videos": "hold-out videos",
    "videos": "videos",
    "shards": "shards",
}

# Number of earlier places of its files that a record names.
_MOST_COPIES = 3

AnyConfig = TypeVar("AnyConfig", bound=Config)
Arguments = ParamSpec("Arguments")


class ModelArtifact(Protocol):
    """The part of KFP's `Model` artifact that steps use."""

    metadata: dict[str, Any]


class Step:
    """One execution of a node.

    The record that a node leaves tells later executions of the same work what it read and wrote. A step that finds such
    a record, with the same content of everything that it reads, copies the files and does not call its stage.

    Args:
        arguments: The component's `locals()`: its artifacts; `node`, `root`, `key` and `attempt`, which determine the
            record's URI; `config` if the stage has a configuration.
        stage: Name of the stage.

    Attributes:
        node: Name of the node.
        inputs: What the node reads.
    """

    def __init__(self, arguments: Mapping[str, Any], stage: str) -> None:
        quiet_logs()
        self.node: str = arguments["node"]
        self._stage = stage
        self._root: str = arguments["root"]
        self._attempt: str = arguments["attempt"]
        self._record_uri = record_uri(self._root, self.node, work_name(arguments["key"], self._attempt))
        self._parameters = {name: value for name, value in arguments.items() if isinstance(value, str | int)}
        self._artifacts = {name: value for name, value in arguments.items() if hasattr(value, "uri")}
        self._outputs = {name: Path(self._artifacts[name].path) for name in _written(stage) if name in self._artifacts}
        self.inputs = Inputs(arguments, self._outputs)
        self._config: dict[str, Any] = {}
        self._folders: dict[str, set[storage.ListedFile]] = {}
        self._unlisted: set[str] = set()
        self._earlier: NodeRecord | None = None
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

    def training_folder(self, name: str) -> str:
        """Return the URI of a folder like `folder`, whose changed files the record names."""
        uri = self.folder(name)
        self._folders[uri] = set()
        return uri

    def run(
        self, stage: Callable[Arguments, StageResult], *args: Arguments.args, **arguments: Arguments.kwargs
    ) -> StageResult:
        """Execute the stage, or take over the result and the files of an earlier execution of the same work.

        Args:
            stage: Function of the stage.
            *args: Its arguments.
            **arguments: Its arguments by name.

        Returns:
            The result of the stage, or that of the earlier execution.
        """
        self._earlier = take_over(
            Execution(
                stage=self._stage,
                root=self._root,
                parameters=self._parameters,
                outputs=self._outputs,
                digests=self.inputs.digests,
            ),
            self._say,
        )
        if self._earlier:
            return StageResult(dict(self._earlier.metrics), dict(self._earlier.details))
        self._folders = {uri: set(self._list(uri)) for uri in self._folders}
        self._start = time.monotonic()
        return stage(*args, **arguments)

    def finish(
        self,
        result: StageResult,
        *,
        name: str = "",
        family: str = "",
        model: ModelArtifact | None = None,
        compared: Iterable[str] = (),
        sections: Sequence[str] = (),
        kept: Iterable[str] = (),
    ) -> None:
        """Write the record of the node under the root, and what KFP shows; print what came out.

        Args:
            result: Result of the stage.
            name: Model that the node works on.
            family: Architecture of that model, or the family or group whose teachers the node concerns.
            model: The model that the stage wrote. Its artifact gets the most important figures.
            compared: Metrics to write to the component's output `metrics`, where KFP compares runs.
            sections: Sections of the report to write to the component's output `page`.
            kept: URIs of the files under the root that the artifacts refer to.
        """
        earlier = self._earlier
        seconds = (earlier.seconds or 0.0) if earlier else time.monotonic() - self._start
        record: dict[str, Any] = {
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
        files = {name: list_files(path) for name, path in self._outputs.items()}
        if earlier:
            files |= {"": earlier.files[""]} if "" in earlier.files else {}
            copies = [self._written(earlier.artifacts), *earlier.copies][:_MOST_COPIES]
            record |= {"kept": earlier.kept, "ended": earlier.ended, "copies": copies}
        else:
            under_root = list_kept(kept)
            files |= {"": under_root} if under_root else {}
            folders = sorted({file.path.rpartition("/")[0] for file in under_root})
            record |= {"kept": [*self._kept(), *folders], "ended": time.time()}
        self._store(record | {"files": to_jsonable_python(files), "inputs": self.inputs.digests})
        sys.stdout.write(f"{self.node}: {_summarize(result, seconds)}\n")
        sys.stdout.flush()

    def _kept(self) -> list[str]:
        """Return the checkpoints and logs of this execution; all of the node if it has changed none."""
        found: set[str] = set()
        for uri, before in self._folders.items():
            now = set(self._list(uri))
            found |= {uri} if uri in self._unlisted else {file.uri for file in now - before or now}
        return sorted(found)

    def _list(self, uri: str) -> list[storage.ListedFile]:
        """List the files of a folder; none if that is not allowed, since only a later pruning needs the list."""
        try:
            return storage.list_files(uri)
        except StorageError as error:
            self._unlisted.add(uri)
            self._say(f"{uri} cannot be listed, so that `yt8m prune` will keep all of it: {error}")
            return []

    def _written(self, artifacts: Mapping[str, str]) -> dict[str, str]:
        return {name: uri for name, uri in artifacts.items() if name in self._outputs}

    def _say(self, text: str) -> None:
        sys.stdout.write(f"{self.node}: {text}\n")
        sys.stdout.flush()

    def _store(self, record: Mapping[str, Any]) -> None:
        """Write the record, with parameters and URIs of artifacts, which KFP's API does not return."""
        artifacts = {name: artifact.uri for name, artifact in self._artifacts.items()}
        text = json.dumps({**record, "parameters": self._parameters, "artifacts": artifacts}, allow_nan=False)
        with storage.open_atomic(self._record_uri) as file:
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


def _written(stage: str) -> list[str]:
    """Return the names of the artifacts that a stage's component writes."""
    function = getattr(import_module(f"components.{stage}"), stage)
    return [name for name, kind in function.__annotations__.items() if is_artifact_wrapped_in_Output(kind)]


def _describe_model(metrics: Mapping[str, float], family: str) -> dict[str, Any]:
    """Return the metadata of a model: few, since a cluster stores them once more for every step that reads it."""
    described: dict[str, Any] = {"gap": round(metrics["gap"], 4)} if "gap" in metrics else {}
    described |= {name: int(metrics[name]) for name in ("bytes", "parameters") if name in metrics}
    return described | ({"family": family} if family else {})


def _summarize(result: StageResult, seconds: float) -> str:
    """Describe a result in a few words: `GAP 0.8123 on 1,050 report videos, 1.2 MB, 3m12s`."""
    metrics, part = result.metrics, result.details.get("part")
    if "gap" in metrics:
        videos = f" on {name_videos(part, metrics.get('videos'))}" if part else ""
        words = [f"GAP {metrics['gap']:.4f}{videos}"]
    else:
        words = [f"{metrics[name]:,.0f} {noun}" for name, noun in _COUNTS.items() if name in metrics]
    size = metrics.get("bytes", metrics.get("size_bytes"))
    if size is not None:
        words.append(decimal(round(size)).replace("bytes", "B"))
    return ", ".join([*words, duration(seconds)])
