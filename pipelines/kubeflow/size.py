"""How large a pipeline is, against what Kubeflow and Kubernetes take."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.pipeline import PROCESS_IMAGE
from pipelines.recipe.cluster import ClusterConfig
from pipelines.recipe.yaml_file import FASTEST_LOADER

MOST_RUN_BYTES = 1 << 20
"""Of a run, which KFP makes one Argo workflow of: Argo stops a larger one. Where Argo keeps the state of steps in a
database (`nodeStatusOffLoad`), Kubernetes' own limit of 1.5 MiB of an object holds for the rest."""

MOST_COMPILED_BYTES = 32 << 20
"""Of a pipeline's file (KFP's server refuses larger ones)."""

# Two tasks of an Argo workflow, driver and executor, with names, templates, references; without the task's own JSON.
_ARGO_TASKS_BYTES = 900
# Of the state of a step, compressed by Argo; estimated from what drivers and executors are given, 1.1 to 1.3 kB.
_STATE_BYTES = 1200
# Of a parameter of the workflow: its name with a hash, quotes, braces.
_PARAMETER_BYTES = 100


@dataclass(frozen=True)
class PipelineSize:
    """A compiled pipeline.

    Attributes:
        nodes: Its steps.
        compiled_bytes: Of the file that `yt8m compile` writes.
        workflow_bytes: About as large is the Argo workflow that KFP makes of it when a run starts.
        state_bytes: About as much is added by the state of its steps until it ends.
    """

    nodes: int
    compiled_bytes: int
    workflow_bytes: int
    state_bytes: int

    @property
    def run_share(self) -> float:
        """A run's part of what Argo takes."""
        return (self.workflow_bytes + self.state_bytes) / MOST_RUN_BYTES


def measure_pipeline(compilation: Compilation, cluster: ClusterConfig | None = None) -> PipelineSize:
    """Compile a pipeline into nothing and measures it.

    Args:
        compilation: The recipe with its plan.
        cluster: What the steps need in a cluster.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compilation.write(path, PROCESS_IMAGE, cluster)
        # The second document is what Kubernetes is to give the steps.
        spec, platform = yaml.load_all(path.read_text(encoding="utf-8"), Loader=FASTEST_LOADER)
        size = path.stat().st_size
    nodes, workflow = len(compilation.plan.nodes), workflow_bytes(spec, platform)
    return PipelineSize(nodes, size, workflow, nodes * _STATE_BYTES)


def workflow_bytes(spec: Mapping[str, Any], platform: Mapping[str, Any]) -> int:
    """About how large the Argo workflow of a pipeline is.

    KFP 2.3 and later keep one copy of components with equal containers; every sub-pipeline; every task twice, in its
    sub-pipeline and with its driver; and what Kubernetes is to give each step. All of it is JSON inside of JSON.

    Args:
        spec: A `PipelineSpec` as plain data.
        platform: A `PlatformSpec` as plain data.

    Reference:
        - `backend/src/v2/compiler/argocompiler` in kubeflow/pipelines; `workflow/packer` in argoproj/argo-workflows.
    """
    executors = spec["deploymentSpec"]["executors"]
    components = [*spec["components"].values(), spec["root"]]
    shared: dict[str, int] = {}
    total = 0
    for component in components:
        if "dag" in component:
            total += _quoted_bytes(component) + sum(_task_bytes(component))
        else:
            container = executors[component["executorLabel"]]["container"]
            size = _quoted_bytes(container) + _quoted_bytes(component)
            shared.setdefault(json.dumps(container, sort_keys=True), size)
    kubernetes = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    return total + sum(shared.values()) + sum(_quoted_bytes(each) for each in kubernetes.values())


def _task_bytes(component: Mapping[str, Any]) -> Iterator[int]:
    for task in component["dag"]["tasks"].values():
        yield _quoted_bytes(task) + _ARGO_TASKS_BYTES


def _quoted_bytes(data: Mapping[str, Any]) -> int:
    """As a parameter of a workflow: JSON in a JSON string."""
    return len(json.dumps(json.dumps(data, separators=(",", ":")))) + _PARAMETER_BYTES
