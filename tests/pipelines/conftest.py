"""A small recipe, and the image of the steps for tests with containers."""

import copy
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from kfp.dsl import pipeline_task

from pipelines.kubeflow.image import default_image
from pipelines.local.containers import check_image
from pipelines.recipe.schema import Recipe
from tests.support.recipes import load_recipe
from yt8m.errors import ConfigError

SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 3,
    "data": {"generate": {"preset": "smoke"}, "holdout_shards": 2},
    "training": {"epochs": 2, "batch_size": 16},
    "averaging": {},
    "families": {
        "dbof": {
            "average": "if_better",
            "ensemble_size": 2,
            "candidates": {
                "dbof-a": {"model": {"architecture": "dbof", "num_clusters": 16, "hidden_units": 8}},
                "dbof-b": {"model": {"architecture": "dbof", "num_clusters": 8, "hidden_units": 8}},
            },
        },
        "netvlad": {
            "ensemble_size": 1,
            "candidates": {
                "vlad-a": {
                    "model": {"architecture": "netvlad", "num_clusters": 4, "hidden_units": 8},
                    "training": {"epochs": 3},
                },
            },
        },
    },
    "students": {
        "dbof-s": {"like": "dbof-a", "learn_from": "dbof"},
        "vlad-s": {"like": "vlad-a", "learn_from": "dbof", "training": {"batch_size": 8}},
        "vlad-2": {"like": "vlad-s", "learn_from": "both"},
    },
    "teacher_groups": {"both": ["dbof-s", "vlad-s"]},
    "ensemble": {"members": ["dbof-s", "vlad-2"]},
}

Changes = Callable[[dict[str, Any]], None]


@pytest.fixture(autouse=True, scope="session")
def no_source_lines_of_callers() -> Iterator[None]:
    """Make compiling fast: at every setting of a task KFP inspects the whole stack, 0.1 s under pytest, for a name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_task, "inspect", SimpleNamespace(stack=lambda: inspect.stack(context=0)))
        yield


@pytest.fixture
def raw() -> dict[str, Any]:
    """Return the small recipe as it is written."""
    return copy.deepcopy(SMALL)


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Recipe]:
    """Return a function that loads the small recipe with changes and settings."""

    def load(changes: Changes = lambda _: None, *settings: str) -> Recipe:
        raw = copy.deepcopy(SMALL)
        changes(raw)
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(raw, sort_keys=False))
        return load_recipe(path, settings)

    return load


@pytest.fixture(scope="session")
def image() -> str:
    """Return the image of this code; skip the test if it does not exist, except in CI."""
    try:
        check_image(default_image())
    except ConfigError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))
    return default_image()
