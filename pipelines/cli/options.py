"""Arguments and options that several commands share."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from pipelines.cluster.access import ClusterAccess
from pipelines.runs.state import STATE_FILE
from yt8m.errors import DataError

recipe_argument = click.argument("recipe", type=click.Path(path_type=Path))
settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an entry of the recipe, such as training.epochs=3; may be repeated.",
)
image_option = click.option(
    "--image", default="", help="Container image of the steps.  [default: the image that `make image` builds]"
)
input_option = click.option(
    "--input", "inputs", required=True, multiple=True, metavar="GLOB", help="Glob pattern of shards; may be repeated."
)
on_bad_option = click.option(
    "--on-bad",
    type=click.Choice(["skip", "fail"]),
    default="skip",
    show_default=True,
    help="Skip damaged shards and bad records, or fail.",
)
cluster_file_option = click.option(
    "--cluster",
    "cluster_file",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="Resources and placement of the steps in the cluster, instead of the recipe's section `cluster`.",
)

offloaded_option = click.option(
    "--offloaded",
    is_flag=True,
    help="Argo keeps the states of steps in a database (nodeStatusOffLoad), so that they do not limit the run.",
)


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for access to a cluster, which the command receives as `access`.

    `kfp.Client` also reads the environment variables KF_PIPELINES_*.
    """

    @click.option(
        "--host",
        default="",
        envvar="KF_PIPELINES_ENDPOINT",
        show_envvar=True,
        metavar="URL",
        help="URL of Kubeflow Pipelines, for instance http://localhost:8080.",
    )
    @click.option("--namespace", default="", help="Namespace of the runs, for a Kubeflow with several users.")
    @click.option(
        "--token", default="", envvar="YT8M_KFP_TOKEN", show_envvar=True, help="Bearer token for Kubeflow Pipelines."
    )
    @click.option(
        "--cookies",
        default="",
        envvar="YT8M_KFP_COOKIES",
        show_envvar=True,
        help="Cookies of a logged-in browser, for instance authservice_session=...",
    )
    @wraps(command)
    def wrapped(*arguments: Any, host: str, namespace: str, token: str, cookies: str, **options: Any) -> Any:
        return command(*arguments, access=ClusterAccess(host, namespace, token, cookies), **options)

    return wrapped


def local_root(run: str, access: ClusterAccess) -> Path | None:
    """Return the folder of a run on this machine, or None if `run` can only be the id of a run in a cluster.

    Raises:
        DataError: `run` is not a folder of a run, and no cluster is given.
    """
    if (Path(run) / STATE_FILE).exists():
        return Path(run)
    if not access.host:
        raise DataError(
            f"{run}: not a run on this machine, because {STATE_FILE} is missing. Give the --root of a `yt8m run`, or "
            "the id of a run in a cluster together with --host."
        )
    return None
