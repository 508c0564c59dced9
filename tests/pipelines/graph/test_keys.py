from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.graph.keys import find_versions
from pipelines.graph.planner import make_plan
from pipelines.recipe.schema import Recipe
from yt8m.errors import ConfigError

Small = Callable[..., Recipe]


def on_shards(small: Small, folder: Path) -> Recipe:
    def changes(raw: dict[str, Any]) -> None:
        raw["data"] = {"validation": [f"{folder}/*.tfrecord"], "holdout_shards": 1}

    return small(changes)


def test_changed_and_added_shards_are_noticed(small: Small, tmp_path: Path) -> None:
    (tmp_path / "a.tfrecord").write_text("1")
    recipe = on_shards(small, tmp_path)
    plan = make_plan(recipe)
    first = find_versions(recipe, plan, "small.yaml")
    assert find_versions(recipe, plan, "small.yaml") == first
    (tmp_path / "a.tfrecord").write_text("22")
    second = find_versions(recipe, plan, "small.yaml")
    (tmp_path / "b.tfrecord").write_text("1")
    third = find_versions(recipe, plan, "small.yaml")
    assert len({first.data, second.data, third.data}) == 3
    assert not set(first.keys.values()) & set(second.keys.values())


def test_shards_that_are_not_there_are_told(small: Small, tmp_path: Path) -> None:
    recipe = on_shards(small, tmp_path)
    with pytest.raises(ConfigError, match=r"small\.yaml: data\.validation: no file matches '.*tfrecord'"):
        find_versions(recipe, make_plan(recipe), "small.yaml")
    assert find_versions(recipe, make_plan(recipe), "small.yaml", read_data=False).data == ""


def test_generated_shards_need_no_fingerprint(small: Small) -> None:
    recipe = small()
    assert find_versions(recipe, make_plan(recipe), "small.yaml").data == ""
