"""`yt8m submit`."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipelines.cli.format import say, table_console
from pipelines.cli.options import (
    cluster_file_option,
    cluster_options,
    offloaded_option,
    recipe_argument,
    settings_option,
)
from pipelines.cli.watch import RECORDS_DEADLINE_SECONDS, announce
from pipelines.cluster.access import ClusterAccess
from pipelines.cost.settings import check_trainings
from pipelines.kubeflow.image import default_image, pullable_image
from pipelines.recipe.load import read_recipe
from yt8m import storage
from yt8m.errors import ClusterError, ConfigError
from yt8m.storage.retry import DEADLINE_VARIABLE
from yt8m.words import count


@click.command()
@recipe_argument
@cluster_options
@click.option(
    "--root",
    required=True,
    envvar="YT8M_ROOT",
    show_envvar=True,
    metavar="URI",
    help="URI of the folder for data, checkpoints and records.",
)
@click.option(
    "--pipeline-root",
    default="",
    metavar="URI",
    help="URI of the folder for artifacts.  [default: the cluster's]",
)
@click.option(
    "--experiment",
    default="yt8m",
    envvar="KF_PIPELINES_DEFAULT_EXPERIMENT_NAME",
    show_envvar=True,
    show_default=True,
    help="Name of the experiment, which is created if missing.",
)
@click.option(
    "--image",
    default="",
    help="Container image of the steps, in a registry: REGISTRY/NAME:TAG or REGISTRY/NAME@DIGEST. Required.",
)
@cluster_file_option
@offloaded_option
@settings_option
@click.option(
    "--schedule",
    default="",
    metavar="CRON",
    help="Let Kubeflow start runs again and again at minute, hour, day of the month, month, day of the week, for "
    "instance '30 3 * * 1' for Mondays at 3:30 UTC (unless the installation has another time zone).",
)
@click.option("--name", "run_name", default="", help="Name of the run or schedule.  [default: recipe and time]")
@click.option("--wait", is_flag=True, help="Show the run until it ends. Exit code 1 if it fails.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Submit nothing, but say which steps are done, which would run and why, the share of Argo's limit, and "
    "whether the image is in its registry. Needs no --host.",
)
def submit(  # noqa: PLR0917 click passes them by name
    recipe: Path,
    access: ClusterAccess,
    root: str,
    pipeline_root: str,
    experiment: str,
    image: str,
    cluster_file: Path | None,
    offloaded: bool,
    settings: tuple[str, ...],
    schedule: str,
    run_name: str,
    wait: bool,
    dry_run: bool,
) -> None:
    """Compile a recipe and start it as a run of Kubeflow Pipelines.

    Results of earlier runs with the same recipe name, root, image, code and configuration come from Kubeflow's cache.
    Work that was done under the same --root is not done again with another image either: its step starts, finds the
    record, and copies the files.

    Where the cluster's file says `{image}-gpu`, steps run in the image with `-gpu` after its tag. No such name follows
    from a digest, so the cluster's file must have the digest of the GPU image, too. Without --image, the command says
    which image the current code needs, and how to build and push it.
    """
    _check(access, root, dry_run=dry_run)
    image, advice = _choose_image(image) if dry_run else (pullable_image(image), ())
    from pipelines.cluster.client import Cluster, PipelineVersion
    from pipelines.cluster.preview import forecast
    from pipelines.cluster.schedules import create_schedule, kubeflow_cron, refuse_existing
    from pipelines.kubeflow.compile import Compilation, version_name
    from pipelines.kubeflow.pipeline import ROOT_PARAMETER
    from pipelines.kubeflow.size import run_size

    if schedule:
        kubeflow_cron(schedule)
        if not run_name or wait:
            raise ConfigError("--schedule: give the schedule a name, --name NAME, and no --wait: runs come later.")
    console = table_console()
    # The runs of a schedule find other shards than there are now.
    raw = read_recipe(recipe, settings)
    compilation = Compilation(raw, str(recipe), read_data=False if schedule else "if possible")
    check_trainings(compilation.recipe, str(recipe))
    name, resources = compilation.plan.name, compilation.resources(cluster_file)
    specs = compilation.build(image, resources).specs
    size = run_size(*specs)
    size.check(name, offloaded=offloaded)
    if compilation.unread:
        say(console, f"The data have no fingerprints: {compilation.unread}. The step `prepare` will look at them.")
    for key, uri in compilation.unread_files.items():
        say(console, f"{key}: {uri} cannot be looked at from here. The step `prepare` will look at it.")
    if dry_run:
        os.environ.setdefault(DEADLINE_VARIABLE, RECORDS_DEADLINE_SECONDS)
        for line in (f"{name}: {size}", *forecast(specs[0], root), *advice, "Nothing was submitted."):
            say(console, line)
        return
    # For forms and clones in the user interface.
    specs[0]["root"]["inputDefinitions"]["parameters"][ROOT_PARAMETER] |= {"defaultValue": root, "isOptional": True}
    cluster = Cluster(access)
    if schedule:
        refuse_existing(cluster, run_name)
    version: PipelineVersion | None = None
    try:
        version = cluster.upload(specs, version_name(name, image, specs), compilation.recipe.description)
    except ClusterError as error:
        say(console, f"The pipeline has no named version in the user interface: {error}")
    details: dict[str, Any] = {
        "name": run_name or f"{name} {time.strftime('%Y-%m-%d %H-%M-%S')}",
        "description": _describe(recipe, compilation.recipe.description, settings, image, cluster_file),
        "parameters": {ROOT_PARAMETER: root},
        "experiment": experiment,
        "pipeline_root": pipeline_root,
        "service_account": resources.service_account if resources else "",
    }
    if schedule:
        schedule_id = create_schedule(cluster, version or specs, cron=kubeflow_cron(schedule), **details)
        say(console, f"{run_name}: schedule {schedule_id} of {count(len(compilation.plan.nodes), 'node')} made; {size}")
        say(console, f"Stop:     yt8m stop '{run_name}' --host {access.host}")
        return
    run_id = cluster.submit(version or specs, **details)
    say(console, f"{name}: {count(len(compilation.plan.nodes), 'node')} submitted to {access.host}; {size}")
    announce(console, cluster, run_id, wait=wait)


def _choose_image(image: str) -> tuple[str, Sequence[str]]:
    """Return the image for a dry run, and what to do if no cluster can pull it."""
    try:
        return pullable_image(image), ()
    except ConfigError as error:
        return image or default_image(), (str(error),)


def _describe(recipe: Path, description: str, settings: Sequence[str], image: str, cluster_file: Path | None) -> str:
    """Return what the user interface shows of a run."""
    given = {"Recipe": recipe, "Settings": " ".join(settings), "Image": image, "Cluster": cluster_file}
    return " ".join([description, *(f"{name}: {value}." for name, value in given.items() if value)]).strip()


def _check(access: ClusterAccess, root: str, *, dry_run: bool) -> None:
    if not dry_run:
        access.check()
    if not storage.is_remote(root):
        raise ConfigError(
            f"--root {root}: steps in a cluster cannot access a folder of this machine. Give a URI in an object store: "
            "gs://BUCKET/FOLDER or s3://BUCKET/FOLDER."
        )
