"""The name of the steps' container image, whose tag identifies the code and packages in it.

`make image` builds the image under this name, and steps run in it unless another image is given. Images are built
where the project's dependencies are not installed, so this module needs none of them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from yt8m import __version__
from yt8m.errors import ConfigError
from yt8m.identity import PROJECT, digest, hash_file

REPOSITORY = "yt8m"
# The Dockerfile and everything that it copies.
_FOLDERS = ("yt8m", "components")
_FILES = (
    "docker/Dockerfile",
    "docker/Dockerfile.dockerignore",
    "requirements/cpu.lock",
    "requirements/gpu.lock",
    "requirements/kfp.lock",
)
_HASH_DIGITS = 10


def default_image(target: str = "cpu") -> str:
    """Return the name of the image that `make image` builds from the current code, such as `yt8m:0.1.0-3b9f04c2aa`.

    Args:
        target: `cpu` or `gpu`. The name of the GPU image ends in `-gpu`.

    Raises:
        ConfigError: The project was installed without the files that an image is built from.
    """
    return f"{REPOSITORY}:{image_tag(PROJECT)}{'' if target == 'cpu' else f'-{target}'}"


def image_tag(project: Path) -> str:
    """Return the version and a hash of everything in the image except its base.

    Comments, docstrings and formatting of the code do not count. All code does, unlike in the keys of work.

    Args:
        project: Folder of the project.

    Raises:
        ConfigError: The folder has no Dockerfile.
    """
    if not (project / _FILES[0]).exists():
        raise ConfigError(
            f"{project}: no {_FILES[0]} here, so the image of this code has no name. Name an image with --image, or "
            "run yt8m from a checkout of the project."
        )
    files = {path.relative_to(project).as_posix(): hash_file(path, annotations=True) for path in _contents(project)}
    return f"{__version__}-{digest(files=files)[:_HASH_DIGITS]}"


def _contents(project: Path) -> Iterator[Path]:
    yield from (project / name for name in _FILES)
    for folder in _FOLDERS:
        # All files except compiled ones, as in docker/Dockerfile.dockerignore.
        files = (path for path in (project / folder).rglob("*") if path.is_file())
        yield from sorted(path for path in files if "__pycache__" not in path.parts)


if __name__ == "__main__":
    print(default_image(*sys.argv[1:]))  # noqa: T201 - for make
