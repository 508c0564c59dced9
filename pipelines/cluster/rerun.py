"""Runs that execute nodes of an existing run again or continue it, with inputs from Kubeflow's cache.

KFP's API does not expose inputs and outputs of tasks, and only retries failed runs. So a rerun submits the same
pipeline, pruned to the nodes to execute and the nodes that make the artifacts they read. KFP finds those in its cache.
Records are read by their addresses, so the nodes that wrote them are no part of the new run.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.cluster.run import ENDED, ClusterRun
from pipelines.graph.fingerprints import ReadData
from pipelines.kubeflow.image import ImageName, same_build
from pipelines.kubeflow.pipeline import RECIPE_PARAMETER
from pipelines.kubeflow.rerun import (
    RerunNodes,
    bypass_cache,
    choose_nodes,
    choose_unfinished,
    compile_with_settings,
    copy_parameters,
    copy_placement,
    records_of_others,
    set_images,
)
from pipelines.kubeflow.share import share
from pipelines.kubeflow.size import RunSize, run_size
from pipelines.kubeflow.spec import Spec, SpecGraph, prune, prune_platforms
from pipelines.recipe.cluster import ClusterConfig
from pipelines.runs.state import FINISHED, NodeState, check_inputs
from yt8m.errors import ConfigError, StorageError
from yt8m.records.record import read_records


@dataclass(frozen=True)
class Changes:
    """What a new run changes for the nodes that it executes, compared with the existing run.

    Attributes:
        settings: Changes of the run's recipe, each as `key=value`.
        cluster: New placement. None keeps the old one.
        image: New container image, with the code of this checkout. Empty keeps the old one.
        offloaded: Whether Argo keeps the states of steps in a database, see `RunSize.check`.
    """

    settings: Sequence[str] = ()
    cluster: ClusterConfig | None = None
    image: str = ""
    offloaded: bool = False


@dataclass(frozen=True)
class Submitted:
    """A run that was submitted.

    Attributes:
        run_id: Its id.
        nodes: Nodes that it executes, and nodes whose results it takes.
        size: Size of the run, as if nothing came from the cache.
        unknown: Nodes of the run, or whose records it reads, of which it is not known whether they are done.
        problem: Why it could not be checked that all records exist which the run reads; empty if they do.
    """

    run_id: str
    nodes: RerunNodes
    size: RunSize
    unknown: tuple[str, ...]
    problem: str


def rerun_in_cluster(run: ClusterRun, node: str, changes: Changes, *, downstream: bool) -> Submitted:
    """Submit a run that executes a node of an existing run again.

    A finished node starts from the beginning, and any other one continues from its checkpoint.

    Args:
        run: The existing run.
        node: Name of the node.
        changes: What the new run changes.
        downstream: Whether to execute all nodes that depend on the node as well.

    Raises:
        ClusterError: The cluster refused the run.
        ConfigError: The run has no such node, an input is missing, the settings affect other nodes, or the new run is
            too large.
        DataError: A record that an executed node reads is missing.
    """
    nodes = choose_nodes(run.graph, node, downstream=downstream)
    states = _states(run)
    read = [*nodes.needed, *nodes.recorded]
    unknown = tuple(name for name in read if states[name].state == "not known")
    remedy = "Submit the recipe again. Finished steps come from the cache."
    check_inputs(node, [name for name in read if name not in unknown], states, remedy)
    attempt = secrets.token_hex(4) if changes.settings or states[node].state in FINISHED else ""
    return _submit(run, nodes, changes, unknown, title=f"again {node}", attempt=attempt)


def continue_in_cluster(run: ClusterRun, changes: Changes) -> Submitted:
    """Submit a run that executes everything in an existing run that is not done.

    Its steps are the same works as before, so that trainings continue from their checkpoints.

    Args:
        run: The existing run.
        changes: What the new run changes.

    Raises:
        ClusterError: The cluster refused the run.
        ConfigError: The run still goes on, everything is done, the settings affect other nodes, or the new run is too
            large.
        DataError: A record that an executed node reads is missing.
    """
    state = str(run.run.state or "PENDING")
    if state not in ENDED and run.state != "probably dead":
        here = f"{run.run_id} --host {run.cluster.access.host}"
        remedy = f"Stop it first: yt8m stop {here}. Then wait for its end."
        if state == "CANCELING":
            remedy = f"It is being stopped already. Wait for its end: yt8m status {here} --follow"
        raise ConfigError(f"{run.run_id}: the run is {run.state}. {remedy}")
    states = _states(run)
    nodes = choose_unfinished(run.graph, [name for name, node in states.items() if node.state in FINISHED])
    if not nodes.executed:
        raise ConfigError(
            f"{run.run_id}: all {len(states)} nodes are done, so there is nothing to continue. Name a NODE to execute "
            "it again."
        )
    unknown = tuple(name for name in nodes.executed if states[name].state == "not known")
    return _submit(run, nodes, changes, unknown, title="continued", attempt="")


def _states(run: ClusterRun) -> dict[str, NodeState]:
    """Return the states of all nodes. In a run that succeeded, those that are not known are done."""
    states = run.nodes()
    if str(run.run.state) != "SUCCEEDED":
        return states
    done = {name: node for name, node in states.items() if node.state == "not known"}
    return states | {name: node.model_copy(update={"state": "done"}) for name, node in done.items()}


def _submit(
    run: ClusterRun, nodes: RerunNodes, changes: Changes, unknown: tuple[str, ...], *, title: str, attempt: str
) -> Submitted:
    """Submit a run of some nodes and those that they need; with an attempt, the nodes' former results do not count."""
    spec, platforms = _change(run, nodes, changes)
    if attempt:
        spec = bypass_cache(spec, nodes.executed, attempt)
    problem = ""
    try:
        # Steps of the new run that are not done yet will write their records.
        written = {*nodes.executed, *(name for name in nodes.needed if name in unknown)}
        read_records(run.root, records_of_others(SpecGraph(spec), written))
    except StorageError as error:  # the steps check it as well
        problem = str(error)
    spec = prune(spec, {*nodes.executed, *nodes.needed})
    platforms = prune_platforms(platforms, spec)
    size = run_size(spec, platforms)
    size.check(run.graph.name, offloaded=changes.offloaded)
    config = run.run.runtime_config
    description = [f"{', '.join(nodes.executed)} of run {run.run_id} {title.partition(' ')[0]}.", *changes.settings]
    run_id = run.cluster.submit(
        (spec, platforms),
        name=f"{run.graph.name} {title} {time.strftime('%Y-%m-%d %H-%M-%S')}",
        description=" ".join([*description, changes.image]).strip(),
        parameters={key: value for key, value in run.parameters.items() if key != RECIPE_PARAMETER},
        experiment_id=run.run.experiment_id,
        pipeline_root=(config and config.pipeline_root) or "",
        service_account=(changes.cluster and changes.cluster.service_account) or run.run.service_account or "",
    )
    return Submitted(run_id, nodes, size, unknown, problem)


def _change(run: ClusterRun, nodes: RerunNodes, changes: Changes) -> tuple[Spec, Spec]:
    """Return the run's pipeline with the changes for the executed nodes."""
    _refuse_resources(changes.settings)
    spec, platforms = run.spec, run.platforms
    if not (changes.settings or changes.image or changes.cluster):
        return spec, platforms
    compilation = compile_with_settings(spec, changes.settings, nodes, read_data=_read_data(run.graph))
    if changes.cluster:
        changes.cluster.check_models({node.model for node in compilation.plan.nodes.values()} - {""}, "--cluster")
    new = compilation.build(changes.image or "none", changes.cluster).specs
    if changes.settings or changes.image:
        spec = copy_parameters(spec, new[0], nodes.executed, code=bool(changes.image))
    if changes.cluster:
        spec, platforms = copy_placement((spec, platforms), new, nodes.executed)
    if changes.image:
        old, made = SpecGraph(spec), SpecGraph(new[0])
        images = {
            name: made.image(name) if changes.cluster else _new_image(old, name, changes.image)
            for name in nodes.executed
        }
        spec, platforms = set_images((spec, platforms), images)
    return share(spec, platforms) if len(nodes.executed) > 1 else (spec, platforms)


def _new_image(graph: SpecGraph, name: str, image: str) -> str:
    """Return the new image of a node, of the same build as its old one."""
    old = graph.image(name)
    if ImageName.parse(old).digest and any(graph.image(other) != old for other in graph.nodes):
        raise ConfigError(
            f"--image: step {name} runs in {old}, whose build cannot be known from its digest. Give --cluster FILE "
            "with the image of these steps."
        )
    return same_build(old, image)


def _read_data(graph: SpecGraph) -> ReadData:
    """Return whether to look at the shards, so that steps have the same keys as in the run if nothing has changed."""
    if any(graph.constant(name, "data_version") for name in graph.nodes):
        return "in stores"
    # A run that generates its shards has read other files, if any, when it was submitted.
    return "if possible" if any(graph.constant(name, "data_key") for name in graph.nodes) else False


def _refuse_resources(settings: Sequence[str]) -> None:
    for setting in settings:
        if setting.partition("=")[0].partition(".")[0] == "cluster":
            raise ConfigError(
                f"--set {setting}: the section `cluster` cannot be changed by settings. Give the whole section in a "
                "file: --cluster FILE.yaml."
            )
