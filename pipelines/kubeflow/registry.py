"""Questions to a container registry about an image, by the HTTP interface that all registries have."""

import re

import requests  # type: ignore[import-untyped]
from docker.auth import load_config
from docker.errors import DockerException
from requests.utils import parse_dict_header  # type: ignore[import-untyped]

from pipelines.kubeflow.image import ImageName
from yt8m.errors import ConfigError

# Seconds to wait for a connection and for an answer.
_TIMEOUT = (5, 10)
_DOCKER_HUB, _DOCKER_HUB_HOST = "docker.io", "registry-1.docker.io"
# An image for one platform or for several, in Docker's and in OCI's format.
_MANIFESTS = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)
# Registries on this machine need no TLS, as for Docker.
_LOCAL = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?")


def describe_image(image: str) -> str:
    """Say whether an image is in its registry: that it is there, that it is missing, or why this cannot be known.

    The registry is asked with the credentials of `docker login`, if there are any.
    """
    try:
        name = ImageName.parse(image)
        if not name.registry:
            return f"{image}: cannot be known, because the name has no registry"
        status = _ask(name)
    except (requests.RequestException, DockerException, ConfigError, ValueError) as error:
        reason = getattr(next(iter(error.args), None), "reason", error)  # requests wraps errors of urllib3
        return f"{image}: cannot be known, because {' '.join(str(reason).split())}"
    if status == requests.codes.ok:
        return f"{image}: is in the registry"
    if status == requests.codes.not_found:
        return f"{image}: is not in the registry"
    return f"{image}: cannot be known, because {name.registry} answered with status {status}"


def _ask(name: ImageName) -> int:
    """Return the status of a registry's answer to the request for an image's manifest."""
    host, repository = name.registry, name.repository
    if host == _DOCKER_HUB:
        host, repository = _DOCKER_HUB_HOST, repository if "/" in repository else f"library/{repository}"
    scheme = "http" if _LOCAL.fullmatch(host) else "https"
    url = f"{scheme}://{host}/v2/{repository}/manifests/{name.digest or name.tag or 'latest'}"
    login = load_config().resolve_authconfig(name.registry) or {}
    # Its keys are in lower case if it comes from Docker's file, and not if it comes from a helper.
    known = {key.lower(): value for key, value in login.items()}
    user = (known["username"], known["password"]) if "username" in known else None
    with requests.Session() as session:
        session.headers["Accept"] = _MANIFESTS
        answer = session.head(url, timeout=_TIMEOUT, allow_redirects=True)
        if answer.status_code == requests.codes.unauthorized:
            kind, _, challenge = answer.headers.get("WWW-Authenticate", "").partition(" ")
            if kind.lower() == "bearer":
                session.headers["Authorization"] = f"Bearer {_token(session, challenge, user)}"
            elif user:
                session.auth = user
            answer = session.head(url, timeout=_TIMEOUT, allow_redirects=True)
    return int(answer.status_code)


def _token(session: requests.Session, challenge: str, user: tuple[str, str] | None) -> str:
    """Return the token that a registry asks for, for a user or for everyone."""
    fields = parse_dict_header(challenge)
    question = {key: fields[key] for key in ("service", "scope") if key in fields}
    answer = session.get(fields.get("realm", ""), params=question, auth=user, timeout=_TIMEOUT)
    answer.raise_for_status()
    body = answer.json()
    return str(body.get("token") or body.get("access_token") or "")
