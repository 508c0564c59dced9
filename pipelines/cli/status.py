"""`yt8m status`."""

from functools import partial

import click

from pipelines.cli import watch
from pipelines.cli.format import table_console
from pipelines.cli.options import cluster_options, local_root
from pipelines.cli.watch import cluster_reader, show_run
from pipelines.cluster.access import ClusterAccess
from pipelines.local.folder import view_folder

# Seconds between two reads of the state of a local run.
SECONDS_BETWEEN_READS = 1.0


@click.command()
@click.argument("run")
@click.option("--follow", is_flag=True, help="Update the table until the run ends. Exit code 1 if it did not finish.")
@cluster_options
def status(run: str, access: ClusterAccess, follow: bool) -> None:
    """Show a table of RUN's nodes with state, time, GAP, size, and the reason why a node failed or waits.

    RUN is the --root of a `yt8m run` or, with --host, the id of a run in a cluster.
    """
    console = table_console()
    root = local_root(run, access)
    if root:
        show_run(console, partial(view_folder, root), SECONDS_BETWEEN_READS, follow=follow)
        return
    from pipelines.cluster.client import Cluster

    show_run(console, cluster_reader(Cluster(access), run), watch.SECONDS_BETWEEN_REQUESTS, follow=follow)
