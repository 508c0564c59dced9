"""`yt8m rerun`."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from pipelines.cli.format import list_names, say, table_console
from pipelines.cli.options import cluster_file_option, cluster_options, local_root, settings_option
from pipelines.cli.run import execute_and_show
from pipelines.cli.watch import announce
from pipelines.cluster.access import ClusterAccess
from pipelines.local.folder import RECIPE_FILE, lock_root
from pipelines.recipe.cluster import load_cluster
from yt8m.errors import ConfigError


@click.command()
@click.argument("run")
@click.argument("node")
@settings_option
@click.option("--downstream", is_flag=True, help="Execute all nodes that depend on NODE as well.")
@click.option("--wait", is_flag=True, help="For a cluster: show the new run until it ends. Exit code 1 if it fails.")
@cluster_file_option
@click.option("--image", default="", help="For a cluster: new container image of the executed steps.")
@cluster_options
def rerun(  # noqa: PLR0917 click passes them by name
    run: str,
    node: str,
    access: ClusterAccess,
    settings: tuple[str, ...],
    downstream: bool,
    wait: bool,
    cluster_file: Path | None,
    image: str,
) -> None:
    """Execute NODE of RUN again, with the same inputs.

    RUN is the --root of a `yt8m run` or, with --host, the id of a run in a cluster. A finished node starts from the
    beginning, a failed one continues from its checkpoint. Without --downstream, the nodes that depend on NODE keep
    their results and become stale.

    Settings change the run's recipe and may affect executed nodes only. For a run in a cluster, --cluster and --image
    give the executed steps other resources, for instance more memory, and another image.
    """
    console = table_console()
    root = local_root(run, access)
    if root:
        if cluster_file or image:
            raise ConfigError(f"{run}: --cluster and --image are for runs in a cluster, but this run is local.")
        _rerun_here(console, root, node, settings, downstream)
        return
    from pipelines.cluster.client import Cluster
    from pipelines.cluster.rerun import rerun_in_cluster
    from pipelines.cluster.run import ClusterRun

    resources = load_cluster(cluster_file) if cluster_file else None
    cluster = Cluster(access)
    existing = ClusterRun(cluster, run)
    run_id, nodes = rerun_in_cluster(existing, node, settings, resources, image, downstream=downstream)
    say(console, f"To execute again: {_count(nodes.executed)}. Inputs from the cache: {_count(nodes.needed)}.")
    if nodes.stale:
        say(console, f"Not in the new run: {list_names(nodes.stale)}, which depend on {node}. --downstream adds them.")
    announce(console, cluster, run_id, wait=wait)


def _rerun_here(console: Console, root: Path, node: str, settings: tuple[str, ...], downstream: bool) -> None:
    from pipelines.local.rerun import LocalRerun

    with lock_root(root) as lock:
        chosen = LocalRerun(root, lock, node, settings, downstream=downstream)
        say(console, f"{chosen.state.pipeline}: executing {_count(chosen.nodes.executed)} of {root} again")
        execute_and_show(console, chosen.execution, chosen.execute)
    stale = [name for name, state in chosen.state.nodes.items() if state.state == "stale"]
    if stale:
        say(console, f"Stale now: {list_names(stale)}. These nodes, the report and the exported model have old inputs.")
        say(console, f"To update them: yt8m run {root / RECIPE_FILE} --root {root}")


def _count(nodes: Sequence[str]) -> str:
    return "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
