"""`yt8m logs`."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import click

from pipelines.cli import watch
from pipelines.cli.options import cluster_options, local_root
from pipelines.cluster.access import ClusterAccess
from pipelines.local.folder import node_log, view_folder
from pipelines.runs.step_log import NoLogYetError, StepLog, new_text
from yt8m.errors import ClusterError, ConfigError, DataError, suggest
from yt8m.storage.retry import DEADLINE_VARIABLE

# Seconds between two reads of the log of a local run.
SECONDS_BETWEEN_READS = 0.5


@click.command()
@click.argument("run")
@click.argument("node")
@click.option(
    "--attempt",
    type=click.IntRange(min=1),
    metavar="N",
    help="Print the log of attempt N, counted from 1 as `yt8m status` counts.  [default: the last one]",
)
@click.option("--follow", is_flag=True, help="Keep printing what is new until the node ends.")
@cluster_options
def logs(run: str, node: str, access: ClusterAccess, attempt: int | None, follow: bool) -> None:
    """Print the log of NODE of RUN.

    RUN is the --root of a `yt8m run` or, with --host, the id of a run in a cluster. The log of a run in a cluster comes
    from the pod while it is running, then from the artifact executor-logs of the step, then from Argo's archive. If no
    pod was started because the step's driver failed, the driver's log is printed.
    """
    root = local_root(run, access)
    if root and attempt:
        raise ConfigError(f"{run}: --attempt is for runs in a cluster, but this run is local.")
    read = _reader_here(root, node) if root else _reader_in_cluster(run, node, access, attempt or 0, follow=follow)
    if follow:
        _follow(read, SECONDS_BETWEEN_READS if root else watch.SECONDS_BETWEEN_REQUESTS)
    else:
        found = read()
        click.echo(found.text, nl=False)
        _tell(found)


def _reader_here(root: Path, node: str) -> Callable[[], StepLog]:
    """Return a function that reads the log of a node of a local run."""

    def read() -> StepLog:
        # The state first: the log then has what was printed before the end.
        view = view_folder(root)
        if node not in view.nodes:
            raise ConfigError(f"{root}: no node '{node}'. {suggest(node, view.nodes)}")
        state, log = view.nodes[node].state, node_log(root, node)
        is_growing = view.running and state in {"waiting", "running"}
        if log.exists():
            return StepLog(log.read_text("utf-8", errors="replace"), is_growing=is_growing)
        if is_growing:
            raise NoLogYetError(f"{node}: no log yet, because the node has not started; it is {state}.")
        raise DataError(f"{node}: no log, because the node was never executed here; it is {state}.")

    return read


def _reader_in_cluster(
    run_id: str, node: str, access: ClusterAccess, attempt: int, *, follow: bool
) -> Callable[[], StepLog]:
    """Return a function that reads the log of a node of a cluster run."""
    from pipelines.cluster.client import Cluster
    from pipelines.cluster.logs import read_log
    from pipelines.cluster.run import ClusterRun

    os.environ.setdefault(DEADLINE_VARIABLE, watch.RECORDS_DEADLINE_SECONDS)
    run: ClusterRun | None = None

    def read() -> StepLog:
        nonlocal run
        if run:
            run.refresh()
        else:
            run = ClusterRun(Cluster(access), run_id)
        return read_log(run, node, attempt, is_followed=follow)

    return read


def _follow(read: Callable[[], StepLog], wait_seconds: float) -> None:
    """Print a log and what is added to it, until its step has ended.

    Raises:
        ClusterError: The cluster did not answer for `PATIENCE_SECONDS`.
    """
    printed, attempt = "", 0
    told: tuple[str, ...] = ()
    deadline = time.monotonic() + watch.PATIENCE_SECONDS
    while True:
        try:
            found = read()
        except NoLogYetError as error:
            reason = (str(error).partition("\n")[0],)
            if reason != told:
                click.echo(reason[0], err=True)
            told = reason
        except ClusterError:
            if not (told or attempt) or time.monotonic() > deadline:
                raise
            time.sleep(wait_seconds)
            continue
        else:
            printed = printed if found.attempt == attempt else ""
            attempt = found.attempt
            new = new_text(found.text, printed)
            printed += new
            click.echo(new, nl=False)
            if found.notes != told:
                _tell(found)
            told = found.notes
            if not found.is_growing:
                return
        deadline = time.monotonic() + watch.PATIENCE_SECONDS
        time.sleep(wait_seconds)


def _tell(found: StepLog) -> None:
    """Print on standard error what is to be told with a log."""
    for note in found.notes:
        click.echo(note, err=True)
