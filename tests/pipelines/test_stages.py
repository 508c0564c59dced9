"""Every registered stage has a function and a component that agree with its entry."""

from pathlib import Path

import pytest

import components
import yt8m.stages
from pipelines.kubeflow.component import find_component
from pipelines.recipe.cluster import ClusterConfig
from pipelines.recipe.steps import StepConfig
from pipelines.stages import FINAL_WEIGHTS, STAGES


def files(package: object) -> set[str]:
    (folder,) = package.__path__  # type: ignore[attr-defined]
    return {path.stem for path in Path(folder).glob("*.py")} - {"__init__"}


def test_every_component_is_registered_and_has_a_function() -> None:
    assert files(components) - {"step", "inputs", "earlier_work", "logs", "__main__"} == set(STAGES)
    assert set(STAGES) <= files(yt8m.stages)


def test_every_kind_of_resources_is_a_section_of_the_clusters_configuration() -> None:
    sections = {name for name, field in ClusterConfig.model_fields.items() if field.annotation is StepConfig}
    assert {stage.resources for stage in STAGES.values()} == sections


@pytest.mark.parametrize("stage", STAGES)
def test_the_outputs_are_those_of_the_component(stage: str) -> None:
    entry = STAGES[stage]
    assert set(find_component(stage).component_spec.outputs) == {*entry.outputs, *["metrics"] * entry.metrics}


@pytest.mark.parametrize("stage", STAGES)
def test_the_sources_of_an_optional_stage_are_inputs_of_its_component_and_outputs_of_others(stage: str) -> None:
    entry = STAGES[stage]
    assert set(entry.reads) <= find_component(stage).component_spec.inputs.keys()
    for source in entry.reads.values():
        if source == FINAL_WEIGHTS:
            assert entry.runs_per_model
        else:
            name, _, output = source.partition(".")
            assert output in STAGES[name].outputs
            assert "{family}" not in STAGES[name].node
            assert entry.runs_per_model or not STAGES[name].runs_per_model
