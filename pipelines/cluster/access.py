"""Access to Kubeflow Pipelines, in a module that the command line can import without waiting for kfp."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from yt8m.errors import ConfigError

PORT_FORWARD = (
    "`kubectl -n kubeflow port-forward svc/ml-pipeline-ui 8080:80` makes a cluster available as http://localhost:8080."
)


class ClusterAccess(NamedTuple):
    """Address and credentials.

    Attributes:
        host: URL of Kubeflow Pipelines.
        namespace: Kubernetes namespace of the runs, for Kubeflow with several users.
        token: Bearer token. If empty, kfp uses its own environment variables `KF_PIPELINES_*`, if any are set.
        token_file: File with a bearer token, which is read again for every request, since such tokens are replaced.
        cookies: Cookies of a logged-in browser, or an empty string.
        headers: Names and values of further HTTP headers.
        ca: File with the certificates of the authorities that are trusted, in PEM format.
        cert: File with the client's certificate, in PEM format, and its key unless `key` is given.
        key: File with the key of `cert`.
        proxy: URL of a proxy. If empty, the environment variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY decide.
    """

    host: str
    namespace: str = ""
    token: str = ""
    token_file: str = ""
    cookies: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    ca: str = ""
    cert: str = ""
    key: str = ""
    proxy: str = ""

    def check(self) -> None:
        """Check what can be checked without a request.

        Raises:
            ConfigError: The host is missing or is no URL, or credentials contradict each other or cannot be sent.
        """
        if not self.host:
            raise ConfigError(
                "--host is missing: give the address of Kubeflow Pipelines, or set KF_PIPELINES_ENDPOINT. "
                f"{PORT_FORWARD}"
            )
        if not self.host.startswith(("http://", "https://")):
            host = self.host.rpartition("://")[2]
            raise ConfigError(
                f"--host {self.host}: expected a URL that begins with http:// or https://. Give https://{host} or, for "
                f"a server without TLS such as a port forward, http://{host}."
            )
        if self.token and self.token_file:
            raise ConfigError("--token and --token-file (or YT8M_KFP_TOKEN and YT8M_KFP_TOKEN_FILE): give only one.")
        if self.key and not self.cert:
            raise ConfigError(f"--key {self.key}: give the certificate of this key, too: --cert FILE.pem.")
        for option, value in self._sent():
            if not value.isprintable() or not value.isascii():
                raise ConfigError(
                    f"{option}: the value has line breaks or other characters that HTTP cannot send. Give it without "
                    "them, for instance without the line break at the end of a file."
                )

    def read_token(self) -> str:
        """Return the bearer token.

        Raises:
            ConfigError: The file with the token is empty.
        """
        if not self.token_file:
            return self.token
        token = Path(self.token_file).read_text("utf-8").strip()
        if not token:
            raise ConfigError(f"--token-file {self.token_file}: the file is empty. Give a file with a bearer token.")
        return token

    def proxy_url(self) -> str:
        """Return the URL of the proxy to use, or an empty string."""
        url = urlsplit(self.host)
        proxy = self.proxy
        if not proxy and not proxy_bypass(url.netloc.rpartition("@")[2]):
            proxies: Mapping[str, str] = getproxies()
            proxy = proxies.get(url.scheme, "") or proxies.get("all", "")
        return f"http://{proxy}" if proxy and "://" not in proxy else proxy

    def _sent(self) -> Iterator[tuple[str, str]]:
        yield from (("--token", self.token), ("--cookies", self.cookies))
        for name, value in self.headers:
            yield from (("--header", name), (f"--header {name}", value))
