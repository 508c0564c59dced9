"""Names of the steps' container images. The tag of our own image identifies the code and packages in it.

`make image` builds the image under this name, and local steps run in it unless another image is given. A cluster pulls
images from a registry, which must be part of the name. Images are built where the project's dependencies are not
installed, so this module needs none of them.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
# What stands for the pipeline's image in the names of steps' images.
_PLACEHOLDER = "{image}"
# End of the tag of our GPU builds.
_GPU = "-gpu"
# Registry, repository, tag and digest, as in the rules of the Distribution project.
_NAME = re.compile(
    r"(?:(?P<registry>localhost(?::[0-9]+)?|[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?|[\w-]+:[0-9]+|\[[0-9a-fA-F:]+\](?::[0-9]+)?)/)?"
    r"(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]{32,}))?",
    re.ASCII,
)


class ImageName(NamedTuple):
    """The parts of an image's name, empty where the name does not have them.

    Attributes:
        registry: Address of the registry, such as `registry.example.com:5000`.
        repository: Name in the registry, such as `team/yt8m`.
        tag: The tag.
        digest: The digest, such as `sha256:...`. If there is one, the tag does not count.
    """

    registry: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, image: str) -> "ImageName":
        """Divide the name of an image.

        Raises:
            ConfigError: It is not the name of an image.
        """
        found = _NAME.fullmatch(image)
        if not found:
            raise ConfigError(
                f"image {image!r}: not the name of a container image. Give REGISTRY/NAME:TAG or "
                "REGISTRY/NAME@sha256:DIGEST, in lower case except for the tag."
            )
        return cls(**found.groupdict(default=""))

    @property
    def version(self) -> str:
        """The tag, or the first digits of the digest if there is one."""
        return self.digest.partition(":")[2][:12] or self.tag


def step_image(template: str, image: str) -> str:
    """Return the image of a step, such as that of the GPU build for `{image}-gpu`.

    Args:
        template: Image of the step, in which `{image}` stands for the image of the pipeline.
        image: Image of the pipeline.

    Raises:
        ConfigError: The template adds something to the tag, but the image is named by its digest, or its tag has the
            addition already.
    """
    prefix, placeholder, suffix = template.partition(_PLACEHOLDER)
    if not placeholder or not suffix:
        return template.replace(_PLACEHOLDER, image)
    name = ImageName.parse(image)
    if name.digest:
        raise ConfigError(
            f"image {image}: steps need the image {template}, but no other name follows from a digest. Name the image "
            "by its tag, or write the digest of the other image in the cluster's file: `image: "
            f"{image.partition('@')[0]}@sha256:...` instead of `image: {template!r}`."
        )
    if name.tag.endswith(suffix):
        raise ConfigError(
            f"image {image}: this is the {suffix.strip('-').upper()} build, but steps need {template} as well. Give "
            f"the CPU build, {image.removesuffix(suffix)}; the name of the other one follows from it."
        )
    return f"{prefix}{image}{'' if name.tag else ':latest'}{suffix}"


def same_build(old: str, image: str) -> str:
    """Return the new image of a step: the GPU build of an image if the old one was a GPU build."""
    return step_image(f"{_PLACEHOLDER}{_GPU}", image) if ImageName.parse(old).tag.endswith(_GPU) else image


def pullable_image(image: str) -> str:
    """Return the name of an image that a cluster can pull.

    Args:
        image: Name of the image. Empty if none was given.

    Raises:
        ConfigError: There is no name, or it has no registry. The message says which image the current code needs.
    """
    if image and ImageName.parse(image).registry:
        return image
    if image:
        has_folder = "/" in image
        raise ConfigError(
            f"--image {image}: the name has no registry, so a cluster cannot pull it. Push the image and give its "
            f"whole name, such as registry.example.com/{'' if has_folder else 'team/'}{image}. On Docker Hub, and "
            "where the image was loaded into the nodes (kind, minikube), that is "
            f"docker.io/{'' if has_folder else 'library/'}{image}."
        )
    needed = default_image()
    raise ConfigError(
        f"--image is missing: the steps need the image of this code, {needed}, in a registry. `make image` builds it, "
        '`make push REGISTRY=registry.example.com/team` pushes it (TARGET="cpu gpu" for both builds). Then give '
        f"--image registry.example.com/team/{needed}."
    )


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
