"""`yt8m submit`."""

import time
from pathlib import Path

import click

from pipelines.cli.format import say, table_console
from pipelines.cli.options import (
    cluster_file_option,
    cluster_options,
    image_option,
    recipe_argument,
    settings_option,
)
from pipelines.cli.watch import announce
from pipelines.cluster.access import ClusterAccess
from pipelines.kubeflow.image import default_image
from pipelines.recipe.load import read_recipe
from yt8m import storage
from yt8m.errors import ConfigError


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
    show_default=True,
    help="Name of the experiment, which is created if missing.",
)
@image_option
@cluster_file_option
@settings_option
@click.option("--wait", is_flag=True, help="Show the run until it ends. Exit code 1 if it fails.")
def submit(  # noqa: PLR0917 click passes them by name
    recipe: Path,
    access: ClusterAccess,
    root: str,
    pipeline_root: str,
    experiment: str,
    image: str,
    cluster_file: Path | None,
    settings: tuple[str, ...],
    wait: bool,
) -> None:
    """Compile a recipe and start it as a run of Kubeflow Pipelines.

    Results of earlier runs with the same recipe name, root, image, code and configuration come from Kubeflow's cache.
    """
    _check(access, root)
    from pipelines.cluster.client import Cluster
    from pipelines.kubeflow.compile import Compilation
    from pipelines.kubeflow.pipeline import ROOT_PARAMETER

    console = table_console()
    compilation = Compilation(read_recipe(recipe, settings), str(recipe), read_data=False)
    resources = compilation.resources(cluster_file)
    cluster = Cluster(access)
    run_id = cluster.submit(
        compilation.specs(image or default_image(), resources),
        name=f"{compilation.plan.name} {time.strftime('%Y-%m-%d %H-%M-%S')}",
        parameters={ROOT_PARAMETER: root},
        experiment=experiment,
        pipeline_root=pipeline_root,
        service_account=resources.service_account if resources else "",
    )
    say(console, f"{compilation.plan.name}: {len(compilation.plan.nodes)} nodes submitted to {access.host}")
    announce(console, cluster, run_id, wait=wait)


def _check(access: ClusterAccess, root: str) -> None:
    if not access.host:
        raise ConfigError(
            "--host is missing: give the address of Kubeflow Pipelines, or set KF_PIPELINES_ENDPOINT. `kubectl -n "
            "kubeflow port-forward svc/ml-pipeline-ui 8080:80` makes a cluster available as http://localhost:8080."
        )
    if not storage.is_remote(root):
        raise ConfigError(
            f"--root {root}: steps in a cluster cannot access a folder of this machine. Give a URI in an object store: "
            "gs://BUCKET/FOLDER or s3://BUCKET/FOLDER."
        )
