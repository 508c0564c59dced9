"""Steps of a run that is there, with other resources, places and images."""

import copy
from collections.abc import Sequence

from pipelines.kubeflow.pipeline import CODE_VARIABLE
from pipelines.kubeflow.spec import Spec, SpecGraph

# What a step's task and container have from the cluster's configuration, besides variables.
_TASK_KEY, _CONTAINER_KEY = "retryPolicy", "resources"

Specs = tuple[Spec, Spec]


def place(old: Specs, new: Specs, nodes: Sequence[str], *, resources: bool, image: bool) -> Specs:
    """A pipeline in which some steps get what a newly compiled one gives them in the cluster.

    Args:
        old: The run's pipeline, and what Kubernetes is to give its steps.
        new: The same of a pipeline with these steps.
        nodes: The steps.
        resources: Whether their resources, nodes, volumes, credentials and tries are the new one's.
        image: Whether their image is.
    """
    spec, platforms = copy.deepcopy(old)
    target, source = SpecGraph(spec), SpecGraph(new[0])
    for name in nodes:
        container, given = target.executor(name)["container"], source.executor(name)["container"]
        if image:
            container["image"] = given["image"]
        if resources:
            _copy(given, container, _CONTAINER_KEY)
            _copy(source.task(name), target.task(name), _TASK_KEY)
            code = [each for each in container.get("env", []) if each["name"] == CODE_VARIABLE]
            container["env"] = code + [each for each in given["env"] if each["name"] != CODE_VARIABLE]
            _executors(platforms)[target.label(name)] = copy.deepcopy(_executors(new[1])[source.label(name)])
    return spec, platforms


def _copy(source: Spec, target: Spec, key: str) -> None:
    target.pop(key, None)
    if key in source:
        target[key] = copy.deepcopy(source[key])


def _executors(platforms: Spec) -> Spec:
    deployment = platforms.setdefault("platforms", {}).setdefault("kubernetes", {}).setdefault("deploymentSpec", {})
    executors: Spec = deployment.setdefault("executors", {})
    return executors
