"""What the steps of a recipe need of this machine when they run in containers."""

import os
from itertools import takewhile
from pathlib import Path

from pipelines.kubeflow.image import default_image
from pipelines.local.containers import HOME, ContainerConfig
from pipelines.recipe.schema import Recipe
from yt8m import storage
from yt8m.errors import ConfigError
from yt8m.storage.cache import FOLDER_VARIABLE, cache_folder
from yt8m.storage.local import local_path
from yt8m.storage.remote import WILDCARDS

# Variables that name files, which the steps then need.
FILE_VARIABLES = ("GOOGLE_APPLICATION_CREDENTIALS", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE")
# Where clients of object stores look for credentials below the home folder; the image's home is /tmp.
CREDENTIAL_FOLDERS = (".config/gcloud", ".aws")


def find_containers(recipe: Recipe, image: str = "") -> ContainerConfig:
    """Find out what the steps of a recipe need.

    Args:
        recipe: The recipe.
        image: The image of the steps; by default the one of this code.

    Raises:
        ConfigError: The recipe's files are in the root folder, which no container can have from outside.
    """
    generate = recipe.data.generate
    patterns = [*recipe.data.training, *recipe.data.validation, *([generate.means or ""] if generate else [])]
    local = [pattern for pattern in patterns if pattern and not storage.is_remote(pattern)]
    readable = {path: path for pattern in local for path in _places(pattern)}
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
    """What the clients of object stores look for, if it is here -> its place inside."""
    files = {path: path for name in FILE_VARIABLES if (path := os.environ.get(name, ""))}
    folders = {str(Path.home() / folder): str(HOME / folder) for folder in CREDENTIAL_FOLDERS}
    return {here: inside for here, inside in {**files, **folders}.items() if Path(here).exists()}


def _places(pattern: str) -> set[str]:
    """The folder, or the one file, that a glob is about, and the folders that its files are links into."""
    path = local_path(pattern)
    links = (Path(uri) for uri in storage.list_uris(pattern) if Path(uri).is_symlink())
    places = {Path(*takewhile(lambda part: not set(part) & set(WILDCARDS), path.parts))}
    places |= {link.resolve().parent for link in links}
    if Path(path.anchor) in places:
        raise ConfigError(f"data: '{pattern}' is in the root folder, which containers have of their own. Move them.")
    return {str(place) for place in places}
