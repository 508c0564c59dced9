"""A node of a run in a cluster, executed again, as a run of its own in which all that it reads comes from the cache.

KFP's API knows no inputs and outputs of tasks, and retries failed runs only. So the new run has the same pipeline, cut
to the step and what it depends on: what is left unchanged, under the same pipeline name, is found in KFP's cache.
"""

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from pipelines.cluster.run import ClusterRun
from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.pipeline import RECIPE_PARAMETER
from pipelines.kubeflow.rerun import (
    RerunNodes,
    bypass_cache,
    choose_nodes,
    compile_with_settings,
    copy_parameters,
    copy_placement,
    embedded_recipe,
)
from pipelines.kubeflow.spec import Spec, prune, prune_platforms
from pipelines.recipe.cluster import ClusterConfig
from pipelines.recipe.yaml_file import FASTEST_DUMPER
from pipelines.runs.state import FINISHED
from yt8m.errors import ConfigError

_ATTEMPT_DIGITS = 8


def rerun_in_cluster(
    run: ClusterRun,
    node: str,
    settings: Sequence[str],
    cluster: ClusterConfig | None = None,
    image: str = "",
    *,
    downstream: bool,
) -> tuple[str, RerunNodes]:
    """Submit the run.

    Args:
        run: The run whose node is executed again.
        node: The node.
        settings: `key=value` each: entries of the run's recipe that change for it.
        cluster: What the executed steps get in the cluster, if it changes.
        image: Their container image, if it changes; they then run the code that is here.
        downstream: Whether what depends on it is executed, too.

    Returns:
        The new run's id, and the nodes that it concerns.

    Raises:
        ClusterError: The cluster did not take it.
        ConfigError: There is no such node, what it reads is not there, or the settings concern other nodes.
    """
    _refuse_resources(settings)
    nodes = choose_nodes(run.graph, node, downstream=downstream)
    states = run.nodes()
    missing = [name for name in nodes.needed if states[name].state not in FINISHED]
    if missing:
        raise ConfigError(
            f"{node}: what it reads is not there: {', '.join(f'{name} ({states[name].state})' for name in missing)}. "
            "Submit the recipe again: what is done comes from the cache."
        )
    spec, platforms = run.spec, run.platforms
    if settings or image:
        compilation = compile_with_settings(spec, settings, nodes, read_data=False)
        spec = copy_parameters(spec, compilation.specs()[0], nodes.executed, code=bool(image))
    if cluster or image:
        new = Compilation(embedded_recipe(spec), "the run's recipe", read_data=False).specs(image, cluster)
        spec, platforms = copy_placement(
            (spec, platforms), new, nodes.executed, resources=bool(cluster), image=bool(image)
        )
    if settings or states[node].state in FINISHED:
        # What failed before goes on where it was, at its checkpoint; KFP keeps no results of it.
        spec = bypass_cache(spec, nodes.executed, uuid.uuid4().hex[:_ATTEMPT_DIGITS])
    account = (cluster and cluster.service_account) or run.run.service_account or ""
    name = f"{run.graph.name} again {node} {time.strftime('%Y-%m-%d %H-%M-%S')}"
    return _submit(run, prune(spec, {*nodes.executed, *nodes.needed}), platforms, name, account), nodes


def _refuse_resources(settings: Sequence[str]) -> None:
    for setting in settings:
        if setting.partition("=")[0].partition(".")[0] == "cluster":
            raise ConfigError(
                f"--set {setting}: what steps get in a cluster is no part of what they compute. Give all of it in a "
                "file: --cluster FILE.yaml."
            )


def _submit(run: ClusterRun, spec: Spec, platforms: Spec, name: str, account: str) -> str:
    platforms = prune_platforms(platforms, spec)
    config = run.run.runtime_config
    with TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        documents = [spec, platforms] if platforms.get("platforms") else [spec]
        package.write_text(yaml.dump_all(documents, Dumper=FASTEST_DUMPER))
        return run.cluster.submit(
            package,
            name=name,
            parameters={key: value for key, value in run.parameters.items() if key != RECIPE_PARAMETER},
            experiment_id=run.run.experiment_id,
            pipeline_root=(config and config.pipeline_root) or "",
            service_account=account,
        )
