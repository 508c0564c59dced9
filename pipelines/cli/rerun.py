"""`yt8m rerun`."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from pipelines.cli.format import say, table_console
from pipelines.cli.options import cluster_options, local_root
from pipelines.cluster.access import ClusterAccess
from yt8m.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.local.rerun import LocalRerun

# Number of nodes to name before "and N more".
_NAMED = 6


@click.command()
@click.argument("run")
@click.argument("node")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an entry of the run's recipe, which may affect executed nodes only; may be repeated.",
)
@click.option("--downstream", is_flag=True, help="Execute all nodes that depend on NODE as well.")
@click.option("--wait", is_flag=True, help="For a cluster: show the new run until it ends. Exit code 1 if it fails.")
@click.option(
    "--cluster",
    "cluster_file",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="For a cluster: new resources and placement of the executed steps, for instance more memory.",
)
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
    """
    console = table_console()
    root = local_root(run, access)
    if root:
        if cluster_file or image:
            raise ConfigError(f"{run}: --cluster and --image are for runs in a cluster, but this run is local.")
        _rerun_here(console, root, node, settings, downstream)
        return
    from pipelines.cli.watch import announce
    from pipelines.cluster.client import Cluster
    from pipelines.cluster.rerun import rerun_in_cluster
    from pipelines.cluster.run import ClusterRun
    from pipelines.recipe.cluster import load_cluster

    resources = load_cluster(cluster_file) if cluster_file else None
    cluster = Cluster(access)
    existing = ClusterRun(cluster, run)
    run_id, nodes = rerun_in_cluster(existing, node, settings, resources, image, downstream=downstream)
    say(console, f"{_count(nodes.executed)} executed again; {_count(nodes.needed)} before come from the cache.")
    if nodes.stale:
        say(console, f"Not in the new run: {_list(nodes.stale)}, which depend on {node}. --downstream adds them.")
    announce(console, access, run_id, cluster.address(run_id), wait=wait)


def _rerun_here(console: Console, root: Path, node: str, settings: tuple[str, ...], downstream: bool) -> None:
    from pipelines.cli.run import follow, show_results
    from pipelines.local.folder import lock_root
    from pipelines.local.rerun import LocalRerun

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    with lock_root(root) as lock:
        chosen = LocalRerun(root, lock, node, settings, downstream=downstream)
        say(console, f"{chosen.state.pipeline}: {_count(chosen.nodes.executed)} of {root} executed again")
        follow(console, chosen.execution, chosen.execute)
    _show_stale(console, chosen)
    if chosen.state.is_finished:
        show_results(console, chosen.execution, time.monotonic() - start)


def _show_stale(console: Console, chosen: "LocalRerun") -> None:
    """Print which nodes are stale, and the command that executes them."""
    from pipelines.local.folder import RECIPE_FILE

    stale = [name for name, node in chosen.state.nodes.items() if node.state == "stale"]
    if stale:
        say(console, f"Stale now: {_list(stale)}. These nodes, the report and the exported model have old inputs.")
        say(console, f"To refresh them: yt8m run {chosen.root / RECIPE_FILE} --root {chosen.root}")


def _list(nodes: Sequence[str]) -> str:
    more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
    return ", ".join(nodes[:_NAMED]) + more


def _count(nodes: Sequence[str]) -> str:
    return "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
