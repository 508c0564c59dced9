"""`yt8m runs`."""

import os
import time
from typing import TYPE_CHECKING

import click
from rich.console import Console

from pipelines.cli.format import make_table, say, table_console
from pipelines.cli.options import cluster_options
from pipelines.cli.watch import RECORDS_DEADLINE_SECONDS
from pipelines.cluster.access import ClusterAccess
from yt8m.errors import StorageError
from yt8m.progress import duration
from yt8m.storage.retry import DEADLINE_VARIABLE

if TYPE_CHECKING:
    from pipelines.cluster.client import Cluster


@click.command()
@click.option("--experiment", default="", help="Only runs of this experiment.  [default: all]")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="Number of runs to show.")
@click.option("--next", "start", default="", metavar="TOKEN", help="Continue where an earlier list ended.")
@click.option("--gap", is_flag=True, help="Show the GAP of finished runs, from the record of their report.")
@click.option("--schedules", is_flag=True, help="Show the schedules of `yt8m submit --schedule` instead of runs.")
@cluster_options
def runs(  # noqa: PLR0917 click passes them by name
    access: ClusterAccess, experiment: str, limit: int, start: str, gap: bool, schedules: bool
) -> None:
    """List the runs in a cluster, the newest first, with recipe, state, age and duration."""
    access.check()
    from pipelines.cluster.client import Cluster
    from pipelines.cluster.listing import list_runs
    from pipelines.cluster.schedules import list_schedules

    console = table_console()
    cluster = Cluster(access)
    now = time.time()
    if schedules:
        rows = [
            (each.schedule_id, each.name, each.recipe, each.cron, "enabled" if each.enabled else "disabled")
            for each in list_schedules(cluster)
        ]
        console.print(make_table(("id", "name", "recipe", "minute hour day month weekday", "state"), (), rows))
        say(
            console, f"{len(rows)} schedules. Times are in the cluster's time zone, which is UTC unless it was changed."
        )
        return
    page = list_runs(cluster, experiment, limit, start)
    gaps = _gaps(console, cluster, [run.run_id for run in page.runs if run.state == "finished"]) if gap else {}
    table = make_table(("id", "name", "recipe", "state"), ("age", "duration", *(("GAP",) if gap else ())))
    for run in page.runs:
        figures = [duration(now - run.created), duration((run.ended or now) - run.created)]
        table.add_row(*run[:4], *figures, *([gaps.get(run.run_id, "")] if gap else ()))
    console.print(table)
    if not page.runs:
        say(console, "No runs.")
    if page.next:
        options = " ".join([f"--experiment '{experiment}'"] * bool(experiment) + [f"--limit {limit}"])
        say(console, f"Older runs: yt8m runs --host {access.host} {options} --next {page.next}")


def _gaps(console: Console, cluster: "Cluster", run_ids: list[str]) -> dict[str, str]:
    """Return the GAP of runs by id, as far as the object store can be reached."""
    from pipelines.cluster.listing import read_gap

    os.environ.setdefault(DEADLINE_VARIABLE, RECORDS_DEADLINE_SECONDS)
    gaps: dict[str, str] = {}
    for run_id in run_ids:
        try:
            gaps[run_id] = read_gap(cluster, run_id)
        except StorageError as error:
            say(console, f"GAP is missing: {error}")
            break
    return gaps
