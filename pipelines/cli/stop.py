"""`yt8m stop`."""

from contextlib import suppress

import click
from rich.console import Console

from pipelines.cli.format import say, table_console
from pipelines.cli.options import cluster_options, local_root
from pipelines.cluster.access import ClusterAccess
from pipelines.local.folder import stop_run
from yt8m.errors import ClusterError, ConfigError


@click.command()
@click.argument("run")
@click.option("--delete", is_flag=True, help="For a schedule: delete it instead of disabling it.")
@cluster_options
def stop(run: str, access: ClusterAccess, delete: bool) -> None:
    """Stop RUN, or disable a schedule.

    RUN is the --root of a `yt8m run` or, with --host, the id of a run in a cluster, or the name or id of a schedule.
    A stopped run keeps its checkpoints and records. `yt8m rerun RUN --from-failed` continues a run in a cluster, the
    same `yt8m run` a local one.

    Kubeflow shows a stopped run as CANCELING, until its pods have ended, and then as FAILED. Runs that a schedule has
    started go on if the schedule is stopped.
    """
    console = table_console()
    root = local_root(run, access)
    if root:
        process = stop_run(root)
        say(console, f"{root}: asked process {process} to stop. The same `yt8m run` continues the run.")
        return
    _stop_in_cluster(console, run, access, delete=delete)


def _stop_in_cluster(console: Console, run_id: str, access: ClusterAccess, *, delete: bool) -> None:
    from pipelines.cluster.argo import Workflow
    from pipelines.cluster.client import Cluster, MissingError
    from pipelines.cluster.connection import ONLY_NAMESPACE
    from pipelines.cluster.run import ENDED, state_name
    from pipelines.cluster.schedules import end_schedule, find_schedule

    cluster = Cluster(access)
    try:
        run = cluster.run(run_id)
    except MissingError:
        schedule = find_schedule(cluster, run_id)
        if not schedule:
            raise ConfigError(
                f"{access.host}: there is neither a run nor a schedule '{run_id}'. `yt8m runs` lists runs, "
                "`yt8m runs --schedules` lists schedules."
            ) from None
        end_schedule(cluster, schedule, delete=delete)
        what = "deleted" if delete else "disabled; --delete removes it, the user interface enables it again"
        say(
            console,
            f"Schedule {schedule.name} ({schedule.schedule_id}): {what}. Its runs go on; stop them by their id.",
        )
        return
    if delete:
        raise ConfigError(f"{run_id}: --delete is for schedules, but this is a run. Without --delete, it is stopped.")
    state = str(run.state)
    if state in ENDED:
        name = state_name(state, [str(each.state) for each in run.state_history or []])
        raise ConfigError(f"{run_id}: the run has ended already, it is {name}. There is nothing to stop.")
    death = ""
    with suppress(ClusterError):  # without its Workflow, a run is stopped as well
        manifest = cluster.manifest(run_id)
        death = Workflow(manifest).death if manifest else ""
    stuck = death or (
        "If it is still CANCELING after ten minutes: "
        f"kubectl -n {cluster.user_namespace or ONLY_NAMESPACE} delete workflow -l pipeline/runid={run_id}"
    )
    if state == "CANCELING":
        raise ConfigError(f"{run_id}: somebody has stopped the run already; Kubeflow shows it as CANCELING. {stuck}")
    cluster.terminate(run_id)
    then = "" if death else ", and then as FAILED"
    say(console, f"{run.display_name} ({run_id}): asked to stop. Kubeflow shows it as CANCELING{then}.")
    remedy = "" if death else f" Continue: yt8m rerun {run_id} --from-failed --host {access.host}"
    say(console, f"Checkpoints and records stay.{remedy}")
    say(console, stuck)
