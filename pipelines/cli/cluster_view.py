"""Looks at a run in a cluster, again and again."""

import os
import sys
from collections.abc import Callable

from rich.console import Console

from pipelines.cli.console import say
from pipelines.cli.run_table import follow
from pipelines.cluster.access import ClusterAccess
from pipelines.cluster.client import Cluster
from pipelines.cluster.run import ClusterRun
from pipelines.runs.view import RunView
from yt8m.storage.retry import DEADLINE_VARIABLE

SECONDS_BETWEEN_REQUESTS = 5.0
# A table of states is worth more than one that waits for a store.
RECORDS_DEADLINE_SECONDS = "10"


def reader(access: ClusterAccess, run_id: str) -> Callable[[], RunView]:
    """Make the function that looks at a run.

    Raises:
        ClusterError: There is no such run, or the cluster does not tell.
    """
    os.environ.setdefault(DEADLINE_VARIABLE, RECORDS_DEADLINE_SECONDS)
    run = ClusterRun(Cluster(access), run_id)
    asked = False

    def read() -> RunView:
        nonlocal asked
        if asked:
            run.refresh()
        asked = True
        return run.view()

    return read


def announce(console: Console, cluster: Cluster, run_id: str, *, wait: bool) -> None:
    """Tell where a new run is; with `wait` follows it, and ends the command with code 1 if it fails."""
    say(console, f"Run:      {run_id}")
    say(console, f"Page:     {cluster.address(run_id)}")
    if not wait:
        line = f"Follow:   yt8m status {run_id} --host {cluster.access.host} --follow"
        say(console, line)
    elif follow(console, reader(cluster.access, run_id), SECONDS_BETWEEN_REQUESTS).state != "finished":
        sys.exit(1)
