"""The name of the image of the steps: its tag says which code and packages are in it, on whatever base image.

`make image` builds the image under this name, and steps run in the image of this name unless another is given.
Nothing but the standard library is imported, so that images can be built where the project is not installed.
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from yt8m import __version__
from yt8m.errors import ConfigError

REPOSITORY = "yt8m"
PROJECT = Path(__file__).parents[2]
# What docker/Dockerfile copies, and itself.
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
    """The image that `make image` makes of the code as it is now, for instance `yt8m:0.1.0-3b9f04c2aa`.

    Args:
        target: `cpu` or `gpu`; the GPU image's name ends in `-gpu`.

    Raises:
        ConfigError: The project was installed without the files an image is made of.
    """
    return f"{REPOSITORY}:{image_tag(PROJECT)}{'' if target == 'cpu' else f'-{target}'}"


def image_tag(project: Path) -> str:
    """The version and a hash of everything that goes into the image, its base excepted.

    Args:
        project: The project's folder.

    Raises:
        ConfigError: There is nothing to make an image of in it.
    """
    if not (project / _FILES[0]).exists():
        raise ConfigError(
            f"{project}: no {_FILES[0]} here, so that the image of this code has no name. Give one with --image, or "
            "run yt8m from a checkout of the project."
        )
    digest = hashlib.sha256()
    for path in _contents(project):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(project).as_posix()}\0{len(content)}\0".encode() + content)
    return f"{__version__}-{digest.hexdigest()[:_HASH_DIGITS]}"


def _contents(project: Path) -> Iterator[Path]:
    yield from (project / name for name in _FILES)
    for folder in _FOLDERS:
        # As docker/Dockerfile.dockerignore has it: all files but compiled ones.
        files = (path for path in (project / folder).rglob("*") if path.is_file())
        yield from sorted(path for path in files if "__pycache__" not in path.parts)


if __name__ == "__main__":
    print(default_image(*sys.argv[1:]))  # noqa: T201 - for make
