"""`yt8m rerun`."""

import signal
import time
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

# Stale nodes that are named.
_NAMED = 6


@click.command()
@click.argument("run")
@click.argument("node")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replaces an entry of the run's recipe. Only nodes that are executed may notice it.",
)
@click.option("--downstream", is_flag=True, help="Execute what depends on NODE, too.")
@click.option("--wait", is_flag=True, help="In a cluster: show the new run until it ends; exit code 1 if it fails.")
@click.option(
    "--cluster",
    "cluster_file",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="In a cluster: what the executed steps get there, more memory for instance.",
)
@click.option("--image", default="", help="In a cluster: container image of the executed steps.")
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
    """Execute NODE of RUN again; everything that it reads stays as it is.

    RUN is the --root of a `yt8m run`, or with --host the id of a run in a cluster. A node that was done begins anew;
    one that failed goes on at its checkpoint. Without --downstream the nodes that depend on NODE keep their results,
    and are marked as stale.
    """
    console = table_console()
    root = local_root(run, access)
    if root:
        if cluster_file or image:
            raise ConfigError(f"{run}: --cluster and --image are for runs in a cluster; this one is here.")
        _rerun_here(console, root, node, settings, downstream)
        return
    from pipelines.cli.watch import announce
    from pipelines.cluster.client import Cluster
    from pipelines.cluster.rerun import rerun_in_cluster
    from pipelines.cluster.run import ClusterRun
    from pipelines.recipe.cluster import load_cluster

    resources = load_cluster(cluster_file) if cluster_file else None
    cluster = Cluster(access)
    again = ClusterRun(cluster, run)
    run_id, nodes = rerun_in_cluster(again, node, settings, resources, image, downstream=downstream)
    text = f"{_count(len(nodes.executed))} executed again; {_count(len(nodes.needed))} before come from the cache."
    say(console, text)
    if nodes.stale:
        text = f"Not in the new run: {_name(nodes.stale)}, which depend on it; --downstream executes them, too."
        say(console, text)
    announce(console, access, run_id, cluster.address(run_id), wait=wait)


def _rerun_here(console: Console, root: Path, node: str, settings: tuple[str, ...], downstream: bool) -> None:
    from pipelines.cli.run import follow, show_results
    from pipelines.local.folder import lock_root
    from pipelines.local.rerun import LocalRerun

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    with lock_root(root) as lock:
        chosen = LocalRerun(root, lock, node, settings, downstream=downstream)
        text = f"{chosen.state.pipeline}: {_count(len(chosen.nodes.executed))} of {root} executed again"
        say(console, text)
        follow(console, chosen.execution, chosen.execute)
    _tell_of_stale(console, chosen)
    if chosen.state.is_finished:
        show_results(console, chosen.execution, time.monotonic() - start)


def _tell_of_stale(console: Console, chosen: "LocalRerun") -> None:
    """What does not fit the node's new results, and how to mend it."""
    from pipelines.local.folder import RECIPE_FILE

    stale = [name for name, node in chosen.state.nodes.items() if node.state == "stale"]
    if stale:
        lines = (
            f"Stale now: {_name(stale)}. They, the report and the exported model rest on what was there before.",
            f"To refresh them: yt8m run {chosen.root / RECIPE_FILE} --root {chosen.root}",
        )
        for line in lines:
            say(console, line)


def _name(nodes: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
    return ", ".join(nodes[:_NAMED]) + more


def _count(number: int) -> str:
    return f"{number} node" if number == 1 else f"{number} nodes"
