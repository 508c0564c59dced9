"""Both forms of the components of all stages."""

import pytest

from pipelines.kubeflow.component import find_component, make_component
from pipelines.stages import STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_a_component_has_the_interface_of_its_function(stage: str) -> None:
    component = find_component(stage)
    assert component.component_spec.description
    assert {"node", "root", "key", "attempt"} <= component.component_spec.inputs.keys()
    every = [*component.component_spec.inputs.values(), *component.component_spec.outputs.values()]
    assert not [each for each in every if each.description]


def test_a_component_of_a_node_has_its_name_its_image_and_only_inputs_with_arguments() -> None:
    component = make_component("train", "train-a", ["node", "root", "partition", "soft_targets_2"], "image:1", "local")
    assert component.name == "train-a"
    assert set(component.component_spec.inputs) == {"node", "root", "partition", "soft_targets_2"}
    assert component.component_spec.implementation.container.image == "image:1"
    assert "soft_targets_1" in find_component("train").component_spec.inputs


def test_the_local_form_carries_the_function_and_the_other_its_name() -> None:
    local, cluster = (
        make_component("train", "train-a", ["node"], "image:1", form).component_spec.implementation.container
        for form in ("local", "cluster")
    )
    assert "def train(" in local.command[-1]
    assert local.args[-1] == "train"
    assert (cluster.command, cluster.args) == (["python3", "-m", "components"], ["train", "{{$}}"])
