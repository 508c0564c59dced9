"""Arguments and options that several commands share."""

import os
import re
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

from pipelines.cluster.access import ClusterAccess
from pipelines.runs.state import STATE_FILE
from yt8m.errors import ConfigError, DataError
from yt8m.storage.local import why_unwritable


class _Header(click.ParamType[tuple[str, str]]):
    """Name and value of an HTTP header. Messages about it do not show the value, which may be a secret."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Split a text into name and value."""
        if isinstance(value, tuple):
            return value
        name, sign, content = str(value).partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            self.fail("expected NAME=VALUE, with the name of an HTTP header.", param, ctx)
        return name, content

    def split_envvar_value(self, rv: str) -> list[str]:
        """Split the value of an environment variable at its line breaks."""
        return [line for line in rv.splitlines() if line]


class Place(click.Path):
    """A path to read or write, which is not empty, as it is if a variable of the shell is not set.

    Args:
        remote: Whether it may be the URI of a folder or file in a store.
        written: Whether the command writes to it.
        **options: Options of `click.Path`.
    """

    def __init__(self, *, remote: bool = False, written: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._remote = remote
        self._written = written

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty text, a URI if the place must be local, and a place where nothing can be written."""
        if not isinstance(value, str):
            return super().convert(value, param, ctx)
        if problem := _problem(value, remote=self._remote):
            self.fail(problem, param, ctx)
        if "://" not in value:
            value = os.path.expanduser(value)  # noqa: PTH111 - Path.expanduser fails for unknown users
            path = Path(value).absolute()
            if self._written and (why := why_unwritable(path if path.is_dir() else path.parent)):
                self.fail(f"{path} cannot be written: {why}. Give another place.", param, ctx)
        return super().convert(value, param, ctx)


def _problem(place: str, *, remote: bool) -> str:
    """Explain what is wrong with a place; empty if nothing is."""
    if not place:
        return "it is empty. Give a path; a variable of the shell is perhaps not set."
    if "://" in place and not remote:
        return f"expected a path on this machine, received the URI '{place}'. Give a path without '://'."
    return ""


class _Layout(click.ParamType[dict[str, str]]):
    """Keys and forms of records."""

    name = "KEY=VALUE,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        """Split a text into keys and values."""
        if isinstance(value, dict):
            return value
        layout: dict[str, str] = {}
        for part in str(value).split(","):
            key, sign, given = part.partition("=")
            if not key or not sign:
                self.fail(f"'{part}' is not KEY=VALUE. Write for instance id=clip/data_path,frames=floats.", param, ctx)
            if key in layout:
                self.fail(f"'{key}' is given twice, with {layout[key]} and {given}. Give it once.", param, ctx)
            layout[key] = given
        return layout


_FILE = {"type": click.Path(exists=True, dir_okay=False), "metavar": "FILE", "default": None}
# Options of each field of `ClusterAccess`, in the order of the help.
_ACCESS: Mapping[str, Mapping[str, Any]] = {
    "host": {
        "metavar": "URL",
        "help": "URL of Kubeflow Pipelines, for instance http://localhost:8080. kfp's own settings hold as well: "
        "KF_PIPELINES_SA_TOKEN_PATH, KF_PIPELINES_IAP_OAUTH2_CLIENT_ID (Google's IAP) and ~/.config/kfp/context.json.",
    },
    "namespace": {
        "help": "Namespace of the runs, for a Kubeflow with several users.  [default: that of kfp's context.json]"
    },
    "token": {"help": "Bearer token for Kubeflow Pipelines."},
    "token_file": {
        **_FILE,
        "help": "File with a bearer token, for instance one of a service account. It is read again for every request.",
    },
    "cookies": {"help": "Cookies of a logged-in browser, for instance authservice_session=... (Dex, OAuth2 proxy)."},
    "headers": {
        "type": _Header(),
        "multiple": True,
        "default": (),
        "metavar": "NAME=VALUE",
        "help": "Further HTTP header, for instance Proxy-Authorization=... for IAP; may be repeated. The environment "
        "variable has one per line.",
    },
    "ca": {**_FILE, "help": "Certificates (PEM) of the authorities to trust, instead of the public ones."},
    "cert": {**_FILE, "help": "Client certificate (PEM), with its key unless --key is given."},
    "key": {**_FILE, "help": "Key (PEM, without a password) of the client certificate."},
    "proxy": {
        "metavar": "URL",
        "help": "Proxy, for instance http://USER:PASSWORD@proxy:3128.  [default: as HTTPS_PROXY, HTTP_PROXY and "
        "NO_PROXY say]",
    },
}

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
on_bad_option = click.option(
    "--on-bad",
    type=click.Choice(["skip", "fail"]),
    default="skip",
    show_default=True,
    help="Skip damaged shards and bad records, or fail.",
)
layout_option = click.option(
    "--layout",
    type=_Layout(),
    default={},
    metavar="KEY=VALUE,...",
    help="Keys and forms of the records: id, labels, label_form, frames; for instance id=clip/path,frames=floats.  "
    "[default: those of dataset.json beside the shards; without it, of the model's training data or YouTube-8M]",
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


def input_option(*, required: bool = True) -> Callable[..., Any]:
    """Return the option for shards to read."""
    return click.option(
        "--input",
        "inputs",
        required=required,
        multiple=True,
        metavar="GLOB",
        help="Path or glob pattern of shards; may be repeated. Leading folders that exist are names, even with "
        "brackets.",
    )


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for access to a cluster, which the command receives as `access`.

    `kfp.Client` also reads its own environment variables KF_PIPELINES_* and its file ~/.config/kfp/context.json.
    """
    for name, options in reversed(list(_ACCESS.items())):
        flag = "header" if name == "headers" else name.replace("_", "-")
        variable = "KF_PIPELINES_ENDPOINT" if name == "host" else f"YT8M_KFP_{name.upper()}"
        settings = {"default": "", "envvar": variable, "show_envvar": True, **options}
        command = click.option(f"--{flag}", name, **settings)(command)

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        defaults = ClusterAccess._field_defaults
        access = ClusterAccess(**{name: options.pop(name) or defaults.get(name, "") for name in _ACCESS})
        return command(*arguments, access=access, **options)

    return wrapped


def run_folder(run: str) -> Path | None:
    """Return the folder of a run on this machine, or None if it is not one.

    Raises:
        ConfigError: `run` is empty.
    """
    if not run:
        raise ConfigError(f"RUN: {_problem(run, remote=True)}")
    return Path(run) if "://" not in run and (Path(run) / STATE_FILE).exists() else None


def local_root(run: str, access: ClusterAccess) -> Path | None:
    """Return the folder of a run on this machine, or None if `run` can only be the id of a run in a cluster.

    Raises:
        ConfigError: `run` is empty.
        DataError: `run` is not a folder of a run, and no cluster is given.
    """
    if folder := run_folder(run):
        return folder
    if not access.host:
        raise DataError(
            f"{run}: not a run on this machine, because {STATE_FILE} is missing. Give the --root of a `yt8m run`, or "
            "the id of a run in a cluster together with --host."
        )
    return None
