"""Interfaces of the components: what they pass to their stages, and their numbered inputs."""

import ast
import importlib
import inspect
import re
import textwrap

import pytest

from components.step import MOST_NUMBERED
from pipelines.kubeflow.pipeline import find_component
from pipelines.recipe.schema import MAX_MEMBERS, MAX_TEACHERS
from pipelines.stages import STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_a_component_passes_all_required_arguments_to_its_stage(stage: str) -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(find_component(stage).python_func)))
    (call,) = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "run_stage")
    given = {keyword.arg for keyword in call.keywords}
    parameters = inspect.signature(getattr(importlib.import_module(f"yt8m.stages.{stage}"), stage)).parameters
    required = {name for name, parameter in parameters.items() if parameter.default is inspect.Parameter.empty}
    assert required <= given <= set(parameters)
    assert not call.args


@pytest.mark.parametrize(
    ("stage", "prefix", "most"),
    [
        ("collect_records", "record", MOST_NUMBERED),
        ("report", "record", MOST_NUMBERED),
        ("export", "record", MOST_NUMBERED),
        ("export", "model", MAX_MEMBERS),
        ("search_weights", "model", MAX_MEMBERS),
        ("search_weights", "prediction", MAX_MEMBERS),
        ("search_weights", "float_prediction", MAX_MEMBERS),
        ("select_teachers", "prediction", MAX_TEACHERS),
        ("soft_targets", "model", MAX_TEACHERS),
    ],
)
def test_a_component_takes_as_many_numbered_inputs_as_a_recipe_may_give(stage: str, prefix: str, most: int) -> None:
    numbered = [name for name in find_component(stage).component_spec.inputs if re.fullmatch(rf"{prefix}_\d+", name)]
    assert numbered == [f"{prefix}_{number}" for number in range(1, most + 1)]


@pytest.mark.parametrize("stage", STAGES)
def test_a_component_has_the_name_of_its_file(stage: str) -> None:
    module = importlib.import_module(f"components.{stage}")
    assert getattr(module, stage) is find_component(stage)
    assert find_component(stage).python_func.__name__ == stage
