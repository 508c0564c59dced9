"""A finished run of two models, for tests of `yt8m evaluate`."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.runs.state import NodeState, RunState, State
from yt8m.data.partition import Partition
from yt8m.data.vocabulary.files import write_vocabulary
from yt8m.stages.prepare import PrepareConfig, prepare

NAMES = ["red, dark", "green", "blue", *(f"kind {number}" for number in range(3, 9)), "every"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, shards: SimpleNamespace) -> Path:
    """Make the artifacts of a run with two models of random weights, one of them averaged and quantized."""
    from tests.support.toy_ensemble import (  # noqa: PLC0415 - imports Keras
        export_ensemble,
        write_member,
        write_quantized_model,
        write_weights,
    )

    root = tmp_path_factory.mktemp("finished")
    data = root / "data"
    data.mkdir()
    shards.describe(data, vocabulary="vocabulary.csv")
    write_vocabulary(data / "vocabulary.csv", dict(enumerate(NAMES)))

    def videos(first: int, count: int) -> list[Any]:
        return [shards.video_of(number, labels=[number % 7, 9]) for number in range(first, first + count)]

    for name, first, count in (("train0", 0, 20), ("train1", 20, 20), ("validate0", 100, 30), ("validate1", 130, 31)):
        shards.write(data / f"{name}.tfrecord", videos(first, count))
    shards.write(data / "test0.tfrecord", videos(200, 12))
    patterns: dict[str, Any] = {"training": (f"{data}/train*",), "validation": (f"{data}/validate*",)}
    for name, share in (("partition", 0.5), ("undivided", 0.0)):
        config = PrepareConfig(**patterns, holdout_shards=2, report_share=share, spec=shards.spec)
        prepare(config=config, output=root / name)
    write_quantized_model(root / "one", 1, spec=shards.spec)
    write_quantized_model(root / "two", 2, spec=shards.spec)
    write_member(root / "member", {"8": root / "one" / "quantized"})
    weights = write_weights(root / "weights.json", {"one": 1.0})
    names = str(data / "vocabulary.csv")
    export_ensemble({"one": root / "one" / "quantized"}, weights, root, vocabulary=names)
    return root


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the state of a run with the artifacts of `finished` and returns its root."""

    def write(partition: str = "partition", states: dict[str, State] | None = None) -> Path:
        outputs = {
            "prepare": {"partition": finished / partition},
            "train-one": {"model": finished / "two" / "float"},
            "average-one": {"averaged": finished / "one" / "float"},
            "quantize-one": {"member": finished / "member"},
            "train-two": {"model": finished / "two" / "float"},
            "export": {"exported": finished / "export"},
        }
        nodes = {
            name: NodeState(
                title=name,
                state=(states or {}).get(name, "done"),
                outputs={key: str(path) for key, path in made.items()},
            )
            for name, made in outputs.items()
        }
        root = tmp_path / "runs" / "first"
        root.mkdir(parents=True)
        RunState(root, "first", nodes).save()
        return root

    return write


def evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def figures(*arguments: object) -> dict[str, Any]:
    result = evaluate(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def expected(finished: Path, name: str, model: str = "one/float") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the probabilities of a model, the labels, and whether videos are in the part *report*."""
    from yt8m.data.reading import read_videos  # noqa: PLC0415 - TensorFlow
    from yt8m.models.files import load_model  # noqa: PLC0415 - Keras

    partition = Partition.load(finished / name)
    batch = next(
        read_videos(partition.holdout_uris, partition.spec, batch_size=500, with_groups=True).as_numpy_iterator()
    )
    inputs = {"frames": batch["frames"], "num_frames": batch["num_frames"]}
    scores = np.asarray(load_model(finished / model).model(inputs, training=False))
    return scores, batch["labels"], partition.division.in_report(batch["groups"])
