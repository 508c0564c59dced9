"""`yt8m status`."""

from collections.abc import Callable
from functools import partial

import click

from pipelines.cli.format import table_console
from pipelines.cli.options import cluster_options, local_root
from pipelines.cli.watch import SECONDS_BETWEEN_REQUESTS, cluster_reader, follow_run, show
from pipelines.cluster.access import ClusterAccess
from pipelines.local.folder import view_folder
from pipelines.runs.view import RunView

# Seconds between two reads of the state of a local run.
SECONDS_BETWEEN_READS = 1.0


@click.command()
@click.argument("run")
@click.option("--follow", is_flag=True, help="Update the table until the run ends. Exit code 1 if it did not finish.")
@cluster_options
def status(run: str, access: ClusterAccess, follow: bool) -> None:
    """Show a table of RUN's nodes with state, time, GAP and size.

    RUN is the --root of a `yt8m run` or, with --host, the id of a run in a cluster.
    """
    console = table_console()
    root = local_root(run, access)
    if root:
        read: Callable[[], RunView] = partial(view_folder, root)
        wait_seconds = SECONDS_BETWEEN_READS
    else:
        from pipelines.cluster.client import Cluster

        read, wait_seconds = cluster_reader(Cluster(access), run), SECONDS_BETWEEN_REQUESTS
    if follow:
        follow_run(console, read, wait_seconds)
    else:
        show(console, read())
