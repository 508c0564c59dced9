"""Steps in containers of this machine's Docker engine: what a container can see of the machine, and its life cycle.

A container has a read-only root file system, the user's own user id, the machine's network, the run's folder, and
read-only mounts of the files that the recipe names. All of them have the same paths inside as outside, so that steps in
containers and steps in processes find the same files.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from itertools import takewhile
from pathlib import Path
from typing import Any

import docker

from pipelines.kubeflow.image import default_image
from pipelines.recipe.schema import Recipe
from yt8m import storage
from yt8m.config import Config
from yt8m.errors import ConfigError
from yt8m.storage.cache import FOLDER_VARIABLE, cache_folder
from yt8m.storage.local import split_pattern
from yt8m.storage.patterns import has_wildcards

# Label of a run's containers, with the run's folder as its value.
LABEL = "yt8m.root"
# Prefixes of the environment variables that steps inherit: threads, storage settings, credentials, proxies.
VARIABLES = (
    *("TF_", "XLA_", "OMP_", "KERAS_BACKEND", "YT8M_"),
    *("STORAGE_EMULATOR_HOST", "AWS_", "GOOGLE_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
# Environment of every step, unless the user's is different: progress lines are not buffered, TensorFlow's C++ code logs
# only errors, besides two lines at import, and leaves GPU memory that it does not need to other programs. No pipeline
# has it, so it is no part of the key of KFP's cache.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
# Environment variables that name files which the steps need, too.
FILE_VARIABLES = ("GOOGLE_APPLICATION_CREDENTIALS", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE")
# Folders below the home folder in which clients of object stores look for credentials.
CREDENTIAL_FOLDERS = (".config/gcloud", ".aws")
# Home folder of the image. It is in memory, and its content is lost with the container.
HOME = Path("/tmp")
# Part of KFP's command that starts its executor, and its replacement, which does not log the step's inputs.
_EXECUTOR = "-m kfp.dsl.executor_main"
_QUIET_EXECUTOR = (
    "-c 'import logging, sys; logging.basicConfig(stream=sys.stdout); "
    "from kfp.dsl.executor_main import executor_main; executor_main()'"
)


class ContainerConfig(Config):
    """Parts of this machine that a run's containers can see, besides the run's folder.

    Attributes:
        image: Name of the image.
        read_only: Files and folders to mount for reading: path on this machine -> path in the container.
        writable: Folders to mount for writing, with the same paths in the container.
        environment: Environment variables of the containers. Variables that begin with one of `VARIABLES` are added
            when a container starts, and never stored, because some are secret.
        folder: Working directory, to which relative paths refer.
    """

    image: str
    read_only: Mapping[str, str] = {}
    writable: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    folder: str


def find_containers(recipe: Recipe, image: str = "") -> ContainerConfig:
    """Determine which files, folders and variables of this machine the steps of a recipe need.

    Args:
        recipe: Recipe of the run.
        image: Name of the image. Empty means the image of this code.

    Raises:
        ConfigError: A file of the recipe is in the root folder, which cannot be mounted into a container.
    """
    generate = recipe.data.generate
    taken = recipe.imported.values()
    imported = [uri for each in taken for uri in (each.weights, each.predictions, each.member, each.offers)]
    imported += [start.weights for start in recipe.starts.values()]
    means = [generate.means or ""] if generate else []
    named = [*means, *imported, recipe.export.vocabulary]
    patterns = [each for each in (*recipe.data.training, *recipe.data.validation, *named) if each]
    local = [pattern for pattern in patterns if not storage.is_remote(pattern)]
    readable = {path: path for pattern in local for path in _mount_points(pattern)}
    environment = {}
    if any(map(storage.is_remote, patterns)):
        readable |= _credentials()
        cache_folder().mkdir(parents=True, exist_ok=True)
        environment = {FOLDER_VARIABLE: str(cache_folder())}
    return ContainerConfig(
        image=image or default_image(),
        read_only=readable,
        writable=tuple(environment.values()),
        environment=environment,
        folder=str(Path.cwd()),
    )


def _credentials() -> dict[str, str]:
    """Return the existing credentials of object stores: path on this machine -> path in the container."""
    files = {path: path for name in FILE_VARIABLES if (path := os.environ.get(name, ""))}
    folders = {str(Path.home() / folder): str(HOME / folder) for folder in CREDENTIAL_FOLDERS}
    return {outside: inside for outside, inside in {**files, **folders}.items() if Path(outside).exists()}


def _mount_points(pattern: str) -> set[str]:
    """Return the folder or file that contains all matches of a glob pattern, and the targets of symbolic links."""
    path, rest = split_pattern(pattern)
    links = (Path(uri) for uri in storage.list_uris(pattern) if Path(uri).is_symlink())
    paths = {Path(path, *takewhile(lambda part: not has_wildcards(part), Path(rest).parts))}
    paths |= {link.resolve().parent for link in links}
    if Path(path.anchor) in paths:
        raise ConfigError(
            f"data: '{pattern}' is in the root folder, which cannot be mounted into a container. Move the files into a "
            "folder."
        )
    return {str(path) for path in paths}


def check_image(image: str) -> None:
    """Check that containers of an image can be started.

    Raises:
        ConfigError: There is no Docker engine, or it does not have the image.
    """
    with _client() as client:
        try:
            client.images.get(image)
        except docker.errors.ImageNotFound:
            raise ConfigError(
                f"The Docker engine has no image '{image}'. Build the image of this code with `make image`, or fetch "
                "another image with `docker pull` and name it with --image."
            ) from None


def remove_containers(root: Path) -> None:
    """Stop and remove all containers of the run in a folder.

    Raises:
        ConfigError: The Docker engine does not answer.
    """
    with _client() as client:
        for container in client.containers.list(all=True, filters={"label": f"{LABEL}={root}"}, ignore_removed=True):
            _remove(container)


@contextmanager
def _client() -> Iterator[Any]:
    """Yield a client of the Docker engine that `DOCKER_HOST` names, or of this machine's."""
    try:
        client = docker.from_env()
    except docker.errors.DockerException as error:
        address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        raise ConfigError(
            f"--runner docker: no Docker engine answers at {address}: {error}. Start it (`systemctl start docker`), "
            "set DOCKER_HOST to the address of another, or execute the steps as processes: --runner subprocess."
        ) from None
    try:
        yield client
    finally:
        client.close()


def container_arguments(config: ContainerConfig, root: str) -> dict[str, Any]:
    """Return the arguments with which Docker starts every step of the run in the folder `root`."""
    mount = docker.types.Mount
    # Files in the run's folder are mounted with it.
    readable = {here: inside for here, inside in config.read_only.items() if not Path(inside).is_relative_to(root)}
    inherited = {name: value for name, value in os.environ.items() if name.upper().startswith(VARIABLES)}
    return {
        # The user owns the files that steps write.
        "user": f"{os.getuid()}:{os.getgid()}",
        "environment": {**ENVIRONMENT, **inherited, **config.environment},
        "mounts": [
            *(mount(folder, folder, type="bind") for folder in (root, *config.writable)),
            *(mount(inside, here, type="bind", read_only=True) for here, inside in readable.items()),
        ],
        "working_dir": config.folder,
        "read_only": True,
        "tmpfs": {str(HOME): "exec"},
        # Object stores and emulators have the same addresses as for processes.
        "network_mode": "host",
        # With SELinux, the user's files need no labels for containers.
        "security_opt": ["label=disable"],
        "labels": {LABEL: root},
    }


def run_container(
    client: Any,
    image: str,
    command: list[str],
    volumes: Mapping[str, Any],
    printed: Callable[[str], None],
    **arguments: Any,
) -> int:
    """Run a container to its end.

    KFP's function for this lets the engine remove the container, and reports success for a container that is gone by
    the time its exit status is asked for.

    Args:
        client: Client of the Docker engine.
        image: Name of the image.
        command: KFP's command for the step.
        volumes: KFP's volumes for the step.
        printed: Called with each line of the container's output.
        arguments: Further arguments for the container, see `container_arguments`.

    Returns:
        The container's exit status.
    """
    container = client.containers.create(image, quiet_command(command), volumes=volumes, **arguments)
    try:
        container.start()
        for line in _lines(container):
            printed(line)
        return int(container.wait()["StatusCode"])
    finally:
        _remove(container)


def quiet_command(command: list[str]) -> list[str]:
    """Return KFP's command for a step, changed so that KFP's executor logs warnings and errors only."""
    return [part.replace(_EXECUTOR, _QUIET_EXECUTOR) for part in command]


def _remove(container: Any) -> None:
    """Kill and remove a container, unless another process of the run is doing so."""
    try:
        container.remove(force=True)
    except docker.errors.APIError as error:
        if error.status_code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
            raise


def _lines(container: Any) -> Iterator[str]:
    """Yield the lines of a container's output until it ends."""
    length, begun = 0, b""
    for chunk in container.logs(stream=True, follow=True):
        length += len(chunk)
        *complete, begun = (begun + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in complete)
    # A followed log often lacks its last line if that has no newline. The complete log has it.
    container.wait()
    rest = begun + container.logs()[length:]
    yield from rest.decode(errors="replace").removesuffix("\n").split("\n") if rest else ()
