"""Executions of components in one root, with stages that write small files."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kfp.dsl.types.type_annotations import is_artifact_wrapped_in_Output

from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.data.soft_target_manifest import SoftTargetEncoding, SoftTargetManifest
from yt8m.models.files import ModelDescription
from yt8m.records.record import NodeRecord
from yt8m.stages.average import AverageConfig
from yt8m.stages.export import ExportConfig
from yt8m.stages.generate import GenerateConfig
from yt8m.stages.prepare import PrepareConfig
from yt8m.stages.quantize import QuantizeConfig
from yt8m.stages.result import StageResult
from yt8m.stages.search_weights import SearchWeightsConfig
from yt8m.stages.select_teachers import SelectConfig
from yt8m.stages.soft_targets import SoftTargetsConfig
from yt8m.stages.train import TrainConfig
from yt8m.yaml_files import dump_line

TRAIN = TrainConfig.parse({"model": {"architecture": "logistic"}}, "train")
CONFIGS: dict[str, Config] = {
    "generate": GenerateConfig(preset="smoke"),
    "prepare": PrepareConfig(validation=("{data}/*.tfrecord",), holdout_shards=1),
    "train": TRAIN,
    "average": AverageConfig(),
    "quantize": QuantizeConfig(),
    "select_teachers": SelectConfig(size=1),
    "soft_targets": SoftTargetsConfig(),
    "search_weights": SearchWeightsConfig(),
    "export": ExportConfig(),
}
PREFIXES = {"select_teachers": "prediction", "soft_targets": "model", "search_weights": "offers", "export": "member"}
RESULT = StageResult({"gap": 0.8125, "videos": 7.0}, {"curve": []})


class Stage:
    """A stage that writes to all its outputs and counts its calls."""

    def __init__(self, name: str, patch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self._folders = {
            "train": ("output",),
            "average": ("output",),
            "quantize": ("output", "offers"),
            "export": ("output",),
        }
        self._name = name
        patch.setattr(f"yt8m.stages.{name}.{name}", self)

    def __call__(self, **arguments: Any) -> StageResult:
        self.calls += 1
        text = f"{self._name} {self.calls}"
        if self._name == "soft_targets":
            sidecar = Path(arguments["output_uri"], "hash", "00000-a.tfrecord")
            write(sidecar, text)
            SoftTargetManifest(
                teachers=("a",), num_classes=1, encoding=SoftTargetEncoding(), partition_digest="", recipe_hash="",
                sidecars={"a.tfrecord": str(sidecar)}, videos=1,
            ).save(arguments["output"])  # fmt: skip
            return RESULT
        if self._name == "generate":
            write(Path(arguments["output_uri"], "train0000.tfrecord"), text)
            return RESULT
        for name in arguments.keys() & {"output", "predictions", "weights", "page", "summary", "card"}:
            if name in ("predictions", "weights") and Path(arguments[name] if name == "weights" else "/x").exists():
                continue  # an input
            if name in self._folders.get(self._name, ()):
                write(arguments[name] / "weights", text)
                write(arguments[name] / "assets" / "more", text)
            elif isinstance(arguments[name], Path) and not arguments[name].exists():
                write(arguments[name], text)
        return RESULT


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def artifact(path: Path) -> SimpleNamespace:
    return SimpleNamespace(path=str(path), uri=str(path), metadata={}, log_metric=lambda *_: None)


class Runs:
    """Executions of one stage's component in one root, each with other places for its outputs."""

    def __init__(self, stage: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.stage = Stage(stage, patch)
        self._name = stage
        self._folder = folder
        self._component = getattr(importlib.import_module(f"components.{stage}"), stage)
        described = ModelDescription(model=TRAIN.model, data=DataSpec()).model_dump_json()
        write(folder / "inputs" / "model" / "config.json", described)
        for name in ("partition", "predictions", "weights", "selection", "shards", PREFIXES.get(stage, "x")):
            write(folder / "inputs" / name, name) if name != "model" else None
        write(folder / "data" / "kd" / "validate0.tfrecord", "shard")
        write(folder / "records" / "train-b" / "k2.json", NodeRecord(node="train-b", stage="train").model_dump_json())

    def execute(self, run: str, **changes: Any) -> dict[str, Path]:
        """Execute the component and return the paths of its outputs."""
        given: dict[str, Any] = {
            "node": "node", "root": str(self._folder), "key": "k1", "attempt": "", "data_key": "kd", "data_version": "",
            "names": "a", "records": dump_line({"train-b": "k2"}), "students": "{}", "families": "{}", "worker": 0,
            "workers": 1,
        }  # fmt: skip
        if self._name in CONFIGS:
            given["config"] = CONFIGS[self._name].dump_changes()
        outputs = {}
        for name, kind in self._component.__annotations__.items():
            if is_artifact_wrapped_in_Output(kind):
                outputs[name] = self._folder / run / name
                outputs[name].parent.mkdir(parents=True, exist_ok=True)
                given[name] = artifact(outputs[name])
            elif (self._folder / "inputs" / name).exists():
                given[name] = artifact(self._folder / "inputs" / name)
        if prefix := PREFIXES.get(self._name):
            given[f"{prefix}_1"] = artifact(self._folder / "inputs" / prefix)
        given |= changes
        self._component(**{name: value for name, value in given.items() if name in self._component.__annotations__})
        return outputs

    def record(self, work: str = "k1") -> NodeRecord:
        path = self._folder / "records" / "node" / f"{work}.json"
        return NodeRecord.parse_json(path.read_text(), str(path))


Make = Callable[[str], Runs]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function that prepares executions of a stage."""
    return lambda stage: Runs(stage, tmp_path, monkeypatch)


@pytest.fixture
def train(make: Make) -> Runs:
    """Prepare executions of a training."""
    return make("train")
