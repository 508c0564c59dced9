"""Fingerprints of shards that may be in stores out of reach."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pipelines.graph import fingerprints
from pipelines.graph.fingerprints import find_fingerprints
from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.spec import SpecGraph
from pipelines.recipe.schema import DataConfig
from yt8m.errors import ConfigError, StorageError
from yt8m.storage.interface import MissingObjectError
from yt8m.storage.local import LocalStore
from yt8m.storage.stores import STORES

Make = Callable[[Callable[[str], list[str]]], None]


def data(pattern: str) -> DataConfig:
    return DataConfig(validation=(pattern,), holdout_shards=1)


class Answering(LocalStore):
    """An object store whose listings a test gives."""

    remote = True

    def __init__(self, answer: Callable[[str], list[str]]) -> None:
        self._answer = answer

    def list_uris(self, pattern: str) -> list[str]:
        return self._answer(pattern)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Function that puts a store with these listings under `mem://`."""
    return lambda answer: monkeypatch.setitem(STORES, "mem", Answering(answer))


def test_shards_that_can_be_read_have_fingerprints(store: Make, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("a.tfrecord", "b.tfrecord")]
    for file in files:
        Path(file).write_text("1")
    store(lambda _: files)
    found = find_fingerprints(data("mem://b/*"), "recipe", "if possible")
    assert found == find_fingerprints(data(f"{tmp_path}/*"), "recipe")
    assert list(found.files) == files
    assert not found.unread


@pytest.mark.parametrize("missing_bucket", [False, True])
def test_a_pattern_without_files_is_an_error_where_the_store_answers(store: Make, *, missing_bucket: bool) -> None:
    def answer(_: str) -> list[str]:
        if missing_bucket:
            raise MissingObjectError("no such bucket")
        return []

    store(answer)
    with pytest.raises(ConfigError, match=r"recipe: data\.validation: no file matches 'mem://b/\*'"):
        find_fingerprints(data("mem://b/*"), "recipe", "if possible")


def test_means_and_shards_with_brackets_in_their_paths_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "br [1]"
    folder.mkdir()
    for name in ("means.npz", "a [1].tfrecord", "b.tfrecord"):
        (folder / name).write_text("1")
    means = DataConfig.parse({"generate": {"means": f"{folder}/means.npz"}, "holdout_shards": 1}, "data")
    assert list(find_fingerprints(means, "recipe").files) == [f"{folder}/means.npz"]
    named = DataConfig(training=(f"{folder}/a [1].tfrecord",), validation=(f"{folder}/b*",), holdout_shards=1)
    for config in (data(f"{folder}/*.tfrecord"), named):
        assert list(find_fingerprints(config, "recipe").files) == [f"{folder}/a [1].tfrecord", f"{folder}/b.tfrecord"]
    with pytest.raises(ConfigError, match=r"recipe: data\.validation: '.*br \[1\]' is a folder"):
        find_fingerprints(data(str(folder)), "recipe")


def test_a_store_that_denies_access_gives_no_fingerprints_and_the_reason(store: Make) -> None:
    def deny(_: str) -> list[str]:
        raise StorageError("mem://b: access denied")

    store(deny)
    assert find_fingerprints(data("mem://b/*"), "recipe", "if possible") == ({}, "mem://b: access denied")
    with pytest.raises(StorageError, match="access denied"):
        find_fingerprints(data("mem://b/*"), "recipe")


def test_a_store_that_does_not_answer_is_not_waited_for(store: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "SECONDS_TO_LIST", 0.2)
    tested = Event()

    def wait(_: str) -> list[str]:
        tested.wait()
        return ["mem://b/a"]

    store(wait)
    found = find_fingerprints(data("mem://b/*"), "recipe", "if possible")
    tested.set()
    assert not found.files
    assert "mem://b/*: the store did not answer within" in found.unread


def test_paths_of_the_steps_are_not_looked_for_on_this_machine() -> None:
    found = find_fingerprints(data("/data/*.tfrecord"), "recipe", "if possible")
    assert found == ({}, "/data/*.tfrecord is a path in the steps' containers")


def test_generated_shards_need_none() -> None:
    generated = DataConfig.parse({"generate": {"preset": "smoke"}, "holdout_shards": 1}, "data")
    assert find_fingerprints(generated, "recipe", read_data=False) == ({}, "")


def test_without_fingerprints_kubeflow_executes_the_step_that_looks_at_the_shards(
    raw: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.tfrecord").write_text("1")
    raw["data"] = {"validation": [f"{tmp_path}/*.tfrecord"], "holdout_shards": 1}
    for read_data in (True, False):
        compilation = Compilation(raw, "recipe", read_data=read_data)
        graph = SpecGraph(compilation.build("image:1").specs[0])
        caching = {name: graph.task(name).get("cachingOptions", {}) for name in graph.nodes}
        assert bool(compilation.unread) is not read_data
        assert [name for name, each in caching.items() if not each] == ([] if read_data else ["prepare"])


def test_a_hold_out_of_more_shards_than_will_be_generated_is_refused() -> None:
    generated = DataConfig.parse({"generate": {"preset": "smoke"}, "holdout_shards": 100}, "data")
    with pytest.raises(ConfigError, match="recipe: data: holdout_shards: 100 shards to hold out, but there are"):
        find_fingerprints(generated, "recipe", read_data=False)
