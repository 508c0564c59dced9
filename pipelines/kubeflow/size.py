"""Size of a compiled pipeline and of its runs, against the limits of Kubeflow Pipelines and Argo."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.component import PROCESS_IMAGE
from pipelines.recipe.cluster import ClusterConfig
from yt8m.yaml_files import FASTEST_LOADER

MAX_RUN_BYTES = 1 << 20
"""Argo's size limit for a workflow, which is what a run becomes. Where Argo keeps the state of steps in a database
(`nodeStatusOffLoad`), the limit is Kubernetes' 1.5 MiB per object, without that state."""

MAX_COMPILED_BYTES = 32 << 20
"""Size limit of KFP's server for a pipeline's file."""

# Two tasks of an Argo workflow, driver and executor, with names, templates and references, without the task's JSON.
_ARGO_TASKS_BYTES = 900
# State of a step after Argo's compression; estimated from the inputs of drivers and executors, 1.1 to 1.3 kB.
_STATE_BYTES = 1200
# Overhead of a workflow's parameter: its name with a hash, quotes, braces.
_PARAMETER_BYTES = 100


@dataclass(frozen=True)
class PipelineSize:
    """Size of a compiled pipeline and of its runs.

    Attributes:
        nodes: Number of steps.
        compiled_bytes: Size of the file that `yt8m compile` writes.
        workflow_bytes: Approximate size of the Argo workflow when a run starts.
        state_bytes: Approximate size of the state that the steps add until the run ends.
    """

    nodes: int
    compiled_bytes: int
    workflow_bytes: int
    state_bytes: int

    @property
    def run_share(self) -> float:
        """Size of a finished run as a share of Argo's limit."""
        return (self.workflow_bytes + self.state_bytes) / MAX_RUN_BYTES


def measure_pipeline(compilation: Compilation, cluster: ClusterConfig | None = None) -> PipelineSize:
    """Compile a pipeline to a temporary file and measure it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compilation.write(path, PROCESS_IMAGE, cluster)
        # The second document is the Kubernetes platform spec.
        spec, platform = yaml.load_all(path.read_text(encoding="utf-8"), Loader=FASTEST_LOADER)
        size = path.stat().st_size
    nodes = len(compilation.plan.nodes)
    return PipelineSize(nodes, size, workflow_bytes(spec, platform), nodes * _STATE_BYTES)


def workflow_bytes(spec: Mapping[str, Any], platform: Mapping[str, Any]) -> int:
    """Estimate the size of a pipeline's Argo workflow.

    From version 2.3 on, KFP stores one copy of components with equal containers, every sub-pipeline, every task twice
    (in its sub-pipeline and with its driver), and the Kubernetes settings of each step, all as JSON within JSON.

    Args:
        spec: A `PipelineSpec` as plain data.
        platform: A `PlatformSpec` as plain data.

    Reference:
        - `backend/src/v2/compiler/argocompiler` in kubeflow/pipelines; `workflow/packer` in argoproj/argo-workflows.
    """
    executors = spec["deploymentSpec"]["executors"]
    shared: dict[str, int] = {}
    total = 0
    for component in [*spec["components"].values(), spec["root"]]:
        if "dag" in component:
            tasks = component["dag"]["tasks"].values()
            total += _quoted_bytes(component) + sum(_quoted_bytes(task) + _ARGO_TASKS_BYTES for task in tasks)
        else:
            container = executors[component["executorLabel"]]["container"]
            size = _quoted_bytes(container) + _quoted_bytes(component)
            shared.setdefault(json.dumps(container, sort_keys=True), size)
    kubernetes = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    return total + sum(shared.values()) + sum(_quoted_bytes(each) for each in kubernetes.values())


def _quoted_bytes(data: Mapping[str, Any]) -> int:
    """Return the size of data as a workflow's parameter, which is JSON in a JSON string."""
    return len(json.dumps(json.dumps(data, separators=(",", ":")))) + _PARAMETER_BYTES
