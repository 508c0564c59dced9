"""Interfaces of the components: what they pass to their stages, and their inputs and outputs."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
from kfp import dsl
from kfp.dsl.types.type_annotations import is_artifact_wrapped_in_Output

from pipelines.recipe.models import MAX_TEACHERS
from pipelines.recipe.schema import MAX_MEMBERS, SoftTargetsSection
from pipelines.stages import STAGES
from tests.support.paths import REPOSITORY

# The only ones whose metrics people compare.
MEASURED = {"train", "average", "quantize", "search_weights", "export", "report"}


def component(stage: str) -> Callable[..., None]:
    function: Callable[..., None] = getattr(importlib.import_module(f"components.{stage}"), stage)
    return function


def outputs(stage: str) -> list[str]:
    return [name for name, kind in component(stage).__annotations__.items() if is_artifact_wrapped_in_Output(kind)]


@pytest.mark.parametrize("stage", STAGES)
def test_a_component_passes_all_required_arguments_to_its_stage(stage: str) -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(component(stage))))
    (call,) = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "step.run")
    given = {keyword.arg for keyword in call.keywords}
    parameters = inspect.signature(getattr(importlib.import_module(f"yt8m.stages.{stage}"), stage)).parameters
    required = {name for name, parameter in parameters.items() if parameter.default is inspect.Parameter.empty}
    assert required <= given <= set(parameters)
    assert [ast.unparse(each) for each in call.args] == ["run_stage"]


@pytest.mark.parametrize(
    ("stage", "prefix", "most"),
    [
        ("export", "member", MAX_MEMBERS),
        ("search_weights", "offers", MAX_MEMBERS),
        ("select_teachers", "prediction", MAX_TEACHERS),
        ("soft_targets", "model", MAX_TEACHERS),
        ("train", "soft_targets", 32),
        ("average", "soft_targets", 32),
    ],
)
def test_a_component_takes_as_many_numbered_inputs_as_a_recipe_may_give(stage: str, prefix: str, most: int) -> None:
    numbered = [name for name in component(stage).__annotations__ if re.fullmatch(rf"{prefix}_\d+", name)]
    assert numbered == [f"{prefix}_{number}" for number in range(1, most + 1)]


def test_a_recipe_may_give_at_most_32_parts_of_soft_targets() -> None:
    schema = SoftTargetsSection.model_json_schema()
    assert schema["properties"]["workers"]["maximum"] == 32


@pytest.mark.parametrize("stage", STAGES)
def test_a_component_has_the_outputs_of_its_stage_and_metrics_if_people_compare_them(stage: str) -> None:
    assert set(outputs(stage)) == {*STAGES[stage].outputs, *(["metrics"] if stage in MEASURED else [])}


@pytest.mark.parametrize("stage", STAGES)
def test_kfp_accepts_the_interface(stage: str) -> None:
    made: Any = dsl.component(component(stage), base_image="image", install_kfp_package=False)
    assert list(made.component_spec.outputs or {}) == outputs(stage)
    assert {"node", "key", "root", "attempt"} <= set(made.component_spec.inputs)


def test_components_need_only_the_part_of_kfp_for_running_steps() -> None:
    code = "import importlib, sys\n"
    code += "".join(f"importlib.import_module('components.{stage}')\n" for stage in STAGES)
    code += "assert not {'kfp.compiler', 'kfp.dsl.component_factory', 'docstring_parser'} & set(sys.modules)"
    environment = {**os.environ, "_KFP_RUNTIME": "true", "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
