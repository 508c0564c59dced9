"""Steps in containers of this machine's Docker engine: what a container sees of the machine, and its life.

A container gets a read-only root file system, the user's own user id, the machine's network, the run's folder and, to
read only, the files that the recipe names; all of them are in the same place inside. So a step finds what a
step in a process finds.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import docker

from yt8m.config import Config
from yt8m.errors import ConfigError

# By this label the containers of a run are found, whose value is the run's folder.
LABEL = "yt8m.root"
# Variables that begin so are the steps', too: threads, settings of storage, credentials, proxies.
VARIABLES = (
    *("TF_", "XLA_", "OMP_", "KERAS_BACKEND", "YT8M_"),
    *("STORAGE_EMULATOR_HOST", "AWS_", "GOOGLE_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
# The image's home folder; in memory, for what no one keeps.
HOME = Path("/tmp")


class ContainerConfig(Config):
    """What a run's containers see of this machine besides the run's folder.

    Attributes:
        image: Their image.
        read_only: Files and folders that they may read: place here -> place inside.
        writable: Folders that they may write, in the same place inside.
        environment: Variables beside those that begin as `VARIABLES` do, which are passed on without being written
            down, for some are secret.
        folder: Where they are started, for relative paths.
    """

    image: str
    read_only: Mapping[str, str] = {}
    writable: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    folder: str


def check_image(image: str) -> None:
    """Make sure that containers of an image can be started.

    Raises:
        ConfigError: There is no Docker engine, or no such image in it.
    """
    with _client() as client:
        try:
            client.images.get(image)
        except docker.errors.ImageNotFound:
            raise ConfigError(
                f"The Docker engine has no image '{image}'. `make image` builds the image of this code; `docker pull` "
                "fetches another, which --image names."
            ) from None


def remove_containers(root: Path) -> None:
    """Stop and removes all containers of the run in a folder.

    Raises:
        ConfigError: The Docker engine does not answer.
    """
    with _client() as client:
        for container in client.containers.list(all=True, filters={"label": f"{LABEL}={root}"}, ignore_removed=True):
            _remove(container)


@contextmanager
def _client() -> Iterator[Any]:
    """A client of the engine that `DOCKER_HOST` names, or of this machine's."""
    try:
        client = docker.from_env()
    except docker.errors.DockerException as error:
        place = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        raise ConfigError(
            f"--runner docker: no Docker engine answers at {place}: {error}. Start it (`systemctl start docker`), name "
            "another in DOCKER_HOST, or run the steps as processes: --runner subprocess."
        ) from None
    try:
        yield client
    finally:
        client.close()


def container_arguments(config: ContainerConfig, root: str) -> dict[str, Any]:
    """The arguments with which Docker starts every step of a run.

    Args:
        config: What they see of this machine; variables are this process's.
        root: The run's folder.
    """
    mount = docker.types.Mount
    # What is in the run's folder is there already.
    readable = {here: place for here, place in config.read_only.items() if not Path(place).is_relative_to(root)}
    return {
        # What steps write belongs to the user.
        "user": f"{os.getuid()}:{os.getgid()}",
        "environment": {**_passed_on(), **config.environment},
        "mounts": [
            *(mount(folder, folder, type="bind") for folder in (root, *config.writable)),
            *(mount(place, here, type="bind", read_only=True) for here, place in readable.items()),
        ],
        "working_dir": config.folder,
        "read_only": True,
        "tmpfs": {str(HOME): "exec"},
        # Object stores and emulators are where they are for processes.
        "network_mode": "host",
        # Where SELinux is enforced, the user's files need no labels for containers.
        "security_opt": ["label=disable"],
        "labels": {LABEL: root},
    }


def _passed_on() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.upper().startswith(VARIABLES)}


def run_container(client: Any, image: str, command: list[str], volumes: Mapping[str, Any], **arguments: Any) -> int:
    """Run a container to its end, printing what it prints; takes the place of KFP's function of this interface.

    KFP's lets the engine remove the container and takes one that is gone, when its exit status is asked for, as
    having succeeded. It also prints what arrives, not lines, so that a step's lines could not be told from KFP's.

    Returns:
        The container's exit status.
    """
    container = client.containers.create(image, command, volumes=volumes, **arguments)
    try:
        container.start()
        for line in _lines(_output(container)):
            print(line, flush=True)  # noqa: T201 - KFP indents what is printed
        return int(container.wait()["StatusCode"])
    finally:
        _remove(container)


def _remove(container: Any) -> None:
    """Kill a container and removes it, unless another process of the run is doing so."""
    try:
        container.remove(force=True)
    except docker.errors.APIError as error:
        if error.status_code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
            raise


def _output(container: Any) -> Iterator[bytes]:
    """What a container prints, to its end, in pieces that end anywhere."""
    length = 0
    for chunk in container.logs(stream=True, follow=True):
        length += len(chunk)
        yield chunk
    # A log that is followed often ends without its last line, where that has no newline; a complete one has it.
    container.wait()
    yield container.logs()[length:]


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines of text out of pieces of bytes that end anywhere."""
    begun = b""
    for chunk in chunks:
        *complete, begun = (begun + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in complete)
    if begun:
        yield begun.decode(errors="replace")
