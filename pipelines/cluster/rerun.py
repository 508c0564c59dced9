"""Reruns of nodes of a cluster run, as new runs that take the nodes' inputs from KFP's cache.

KFP's API does not expose inputs and outputs of tasks, and only retries failed runs. So a rerun submits the same
pipeline, pruned to the node and the nodes that make the artifacts it reads. KFP finds those in its cache. Records are
read by their addresses, so the nodes that wrote them are no part of the new run.
"""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress

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
    records_of_others,
)
from pipelines.kubeflow.spec import SpecGraph, prune, prune_platforms
from pipelines.recipe.cluster import ClusterConfig
from pipelines.runs.state import FINISHED, check_inputs
from yt8m.errors import ConfigError, StorageError
from yt8m.report.record import read_records


def rerun_in_cluster(
    run: ClusterRun,
    node: str,
    settings: Sequence[str],
    cluster: ClusterConfig | None = None,
    image: str = "",
    *,
    downstream: bool,
) -> tuple[str, RerunNodes]:
    """Submit a run that executes a node of an existing run again.

    Args:
        run: The existing run.
        node: Name of the node.
        settings: Changes of the run's recipe, each as `key=value`.
        cluster: New placement of the executed steps. None keeps the old one.
        image: New container image of the executed steps, with the code of this checkout. Empty keeps the old one.
        downstream: Whether to execute all nodes that depend on the node as well.

    Returns:
        Id of the new run, and its nodes.

    Raises:
        ClusterError: The cluster refused the run.
        ConfigError: The run has no such node, an input is missing, or the settings affect other nodes.
        DataError: A record that an executed node reads is missing.
    """
    _refuse_resources(settings)
    nodes = choose_nodes(run.graph, node, downstream=downstream)
    states = run.nodes()
    remedy = "Submit the recipe again. Finished steps come from the cache."
    check_inputs(node, [*nodes.needed, *nodes.recorded], states, remedy)
    spec, platforms = run.spec, run.platforms
    if settings or image:
        compilation = compile_with_settings(spec, settings, nodes, read_data=False)
        spec = copy_parameters(spec, compilation.build().specs[0], nodes.executed, code=bool(image))
    if cluster or image:
        new = Compilation(embedded_recipe(spec), "the run's recipe", read_data=False).build(image, cluster).specs
        spec, platforms = copy_placement(
            (spec, platforms), new, nodes.executed, resources=bool(cluster), image=bool(image)
        )
    if settings or states[node].state in FINISHED:
        # A failed step is not in the cache, and continues from its checkpoint under the same key.
        spec = bypass_cache(spec, nodes.executed, attempt=secrets.token_hex(4))
    with suppress(StorageError):  # the steps check it as well, if the store cannot be reached from here
        read_records(run.root, records_of_others(SpecGraph(spec), nodes.executed))
    spec = prune(spec, {*nodes.executed, *nodes.needed})
    config = run.run.runtime_config
    run_id = run.cluster.submit(
        (spec, prune_platforms(platforms, spec)),
        name=f"{run.graph.name} again {node} {time.strftime('%Y-%m-%d %H-%M-%S')}",
        description=" ".join([f"{', '.join(nodes.executed)} of run {run.run_id} again.", *settings, image]).strip(),
        parameters={key: value for key, value in run.parameters.items() if key != RECIPE_PARAMETER},
        experiment_id=run.run.experiment_id,
        pipeline_root=(config and config.pipeline_root) or "",
        service_account=(cluster and cluster.service_account) or run.run.service_account or "",
    )
    return run_id, nodes


def _refuse_resources(settings: Sequence[str]) -> None:
    for setting in settings:
        if setting.partition("=")[0].partition(".")[0] == "cluster":
            raise ConfigError(
                f"--set {setting}: the section `cluster` cannot be changed by settings. Give the whole section in a "
                "file: --cluster FILE.yaml."
            )
