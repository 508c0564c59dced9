"""`yt8m logs`."""

from pathlib import Path

import click

from pipelines.cli.options import cluster_options, local_root
from pipelines.cluster.access import ClusterAccess
from pipelines.local.folder import node_log
from pipelines.runs.state import RunState
from yt8m.errors import ClusterError, ConfigError, DataError, suggest


@click.command()
@click.argument("run")
@click.argument("node")
@cluster_options
def logs(run: str, node: str, access: ClusterAccess) -> None:
    """Print the log of NODE of RUN.

    RUN is the --root of a `yt8m run` or, with --host, the id of a run in a cluster.
    """
    root = local_root(run, access)
    click.echo(_log_here(root, node) if root else _log_in_cluster(run, node, access), nl=False)


def _log_here(root: Path, node: str) -> str:
    nodes = RunState.load(root).nodes
    if node not in nodes:
        raise ConfigError(f"{root}: no node '{node}'. {suggest(node, nodes)}")
    log = node_log(root, node)
    if not log.exists():
        raise DataError(f"{node}: no log, because the node was never executed here; it is {nodes[node].state}.")
    return log.read_text("utf-8", errors="replace")


def _log_in_cluster(run_id: str, node: str, access: ClusterAccess) -> str:
    from pipelines.cluster.client import Cluster
    from pipelines.cluster.run import ClusterRun

    cluster = Cluster(access)
    run = ClusterRun(cluster, run_id)
    step = run.steps().get(run.graph[node].name)
    pods = [pod.name for pod in reversed(step.pods)] if step else []
    if not pods:
        raise DataError(f"{node}: no log, because the node has no pod in this run; it is {run.nodes()[node].state}.")
    namespace = cluster.namespace(run.run)
    for pod in pods:
        text = cluster.log(pod, namespace, run_id)
        if text is not None:
            return text
    raise ClusterError(
        f"{access.host}: no log of {node}: this is not the address of the user interface, or the log was deleted with "
        f"the pod. If the pod still exists, use kubectl -n {namespace} logs -c main {pods[0]}"
    )
