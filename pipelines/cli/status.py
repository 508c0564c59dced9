"""`yt8m status`."""

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from pipelines.cli.format import table_console
from pipelines.cli.options import cluster_options, local_root
from pipelines.cli.watch import SECONDS_BETWEEN_REQUESTS, cluster_reader, show
from pipelines.cli.watch import follow as follow_run
from pipelines.cluster.access import ClusterAccess
from pipelines.local.folder import view_folder

if TYPE_CHECKING:
    from collections.abc import Callable

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
    read: Callable[[], RunView]
    if root:
        read, wait_seconds = partial(view_folder, root), SECONDS_BETWEEN_READS
    else:
        read, wait_seconds = cluster_reader(access, run), SECONDS_BETWEEN_REQUESTS
    if follow:
        if follow_run(console, read, wait_seconds).state != "finished":
            sys.exit(1)
    else:
        show(console, read())
