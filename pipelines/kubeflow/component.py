"""KFP components of the plain functions in `components`, in the two forms that a step can be started in.

KFP's local runners accept only components that carry the source of their function. In a cluster the image has that
source, and Argo stores a step's command six times, so there a step is started by the name of its stage.
"""

import copy
from collections.abc import Callable, Collection
from functools import cache
from importlib import import_module
from typing import Any, Literal

from kfp import dsl
from kfp.dsl import PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER

from yt8m import __version__
from yt8m.normal_form import strip_comments

# `local` for KFP's local runners, `cluster` for everything else.
Form = Literal["local", "cluster"]

# Image of steps that run as processes. It is the same for all of them, because the key of KFP's cache contains it.
PROCESS_IMAGE = f"yt8m:{__version__}"
# Command of a step in a cluster; its arguments are the stage and what KFP says about inputs and outputs.
CLUSTER_COMMAND = ("python3", "-m", "components")


@cache
def find_component(stage: str) -> Any:
    """Make the KFP component of the function `components.<stage>.<stage>`, without descriptions of inputs and outputs.

    Descriptions are stored once or more for every step, and no user interface shows them.
    """
    function: Callable[..., None] = getattr(import_module(f"components.{stage}"), stage)
    decorate = dsl.component(base_image=PROCESS_IMAGE, install_kfp_package=False, packages_to_install=[])
    component = decorate(function)
    for each in [*component.component_spec.inputs.values(), *component.component_spec.outputs.values()]:
        each.description = None
    return component


def make_component(stage: str, name: str, inputs: Collection[str], image: str, form: Form) -> Any:
    """Make the KFP component of one node.

    KFP numbers the tasks of one component, so a model added in the middle of a recipe would rename all tasks after it,
    and the cache would not find them. Therefore every node's component has the node's name.

    Args:
        stage: Name of the stage.
        name: Name of the node.
        inputs: Inputs that have arguments. The component has no others.
        image: Container image of the step.
        form: Form of the step's command.
    """
    component = copy.copy(find_component(stage))
    component.component_spec = spec = copy.deepcopy(component.component_spec)
    spec.name = component.name = name
    spec.inputs = {key: each for key, each in spec.inputs.items() if key in inputs}
    component._component_inputs = set(spec.inputs)
    container = spec.implementation.container
    container.image = image
    if form == "cluster":
        container.command = list(CLUSTER_COMMAND)
        container.args = [stage, PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER]
    else:
        # The key of KFP's local cache contains the command, and thereby the source of the function.
        container.command = [*container.command[:-1], strip_comments(container.command[-1])]
    return component
