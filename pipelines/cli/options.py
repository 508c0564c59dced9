"""What commands share: a recipe and what it is compiled with; where a run is, and how a cluster is reached."""

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
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replaces an entry of the recipe."
)
image_option = click.option(
    "--image", default="", help="Container image of the steps.  [default: what `make image` builds]"
)
cluster_file_option = click.option(
    "--cluster",
    "cluster_file",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="Takes the place of the recipe's section `cluster`.",
)


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a cluster is reached; the command gets them as `access`.

    The variables KF_PIPELINES_* that `kfp.Client` reads work by themselves.
    """

    @click.option(
        "--host",
        default="",
        envvar="KF_PIPELINES_ENDPOINT",
        show_envvar=True,
        metavar="URL",
        help="Address of Kubeflow Pipelines, for instance http://localhost:8080.",
    )
    @click.option("--namespace", default="", help="Of the runs, where Kubeflow has several users.")
    @click.option("--token", default="", envvar="YT8M_KFP_TOKEN", show_envvar=True, help="Bearer token.")
    @click.option(
        "--cookies",
        default="",
        envvar="YT8M_KFP_COOKIES",
        show_envvar=True,
        help="Cookies of a browser that is logged in, for instance authservice_session=...",
    )
    @wraps(command)
    def wrapped(*arguments: Any, host: str, namespace: str, token: str, cookies: str, **options: Any) -> Any:
        return command(*arguments, access=ClusterAccess(host, namespace, token, cookies), **options)

    return wrapped


def local_root(run: str, access: ClusterAccess) -> Path | None:
    """The folder of a run on this machine; None for the id of a run in a cluster.

    Raises:
        DataError: It is neither.
    """
    if (Path(run) / STATE_FILE).exists():
        return Path(run)
    if not access.host:
        raise DataError(
            f"{run}: no run here: {STATE_FILE} is missing. Give the --root of a `yt8m run`, or with --host the id of a "
            "run in a cluster."
        )
    return None
