"""Connection to Kubeflow Pipelines: a `kfp.Client` with certificates, proxies and timeouts that says when it waits."""

import os
import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

import kfp
import urllib3
from kfp.client import KF_PIPELINES_SA_TOKEN_ENV, ServiceAccountTokenVolumeCredentials

from pipelines.cluster.access import ClusterAccess
from yt8m.errors import ConfigError

# Seconds to wait for a connection and for an answer, each time.
TIMEOUT = (10, 60)
# Seconds without an answer after which the user is told.
NOTICE_SECONDS = 10.0
# Namespace of the runs if Kubeflow has only one user.
ONLY_NAMESPACE = "kubeflow"
# What urllib3 does by itself: it repeats requests that change nothing, and all requests that found no connection.
_RETRIES = 3
_TITLE = re.compile(r"<title>\s*([^<]*?)\s*</title>", re.IGNORECASE)


class PageError(Exception):
    """A web page instead of an answer of the API.

    Args:
        title: Title of the page; empty if it has none.
    """

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.title = title


class Connection(kfp.Client):  # type: ignore[misc]
    """Client of Kubeflow Pipelines.

    Args:
        access: Address and credentials.

    Raises:
        ConfigError: A certificate, a key or kfp's own file of settings cannot be used.
    """

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._proxy = access.proxy_url()
        _check_certificates(access)
        # Notebooks of Kubeflow have the credentials of their pod's service account.
        is_in_notebook = KF_PIPELINES_SA_TOKEN_ENV in os.environ
        super().__init__(
            host=access.host,
            namespace=access.namespace or ONLY_NAMESPACE,
            existing_token=access.read_token() or None,
            cookies=access.cookies or None,
            proxy=self._proxy or None,
            ssl_ca_cert=access.ca or None,
            credentials=ServiceAccountTokenVolumeCredentials() if is_in_notebook else None,
        )
        self._prepare()

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:  # noqa: ARG002 as in kfp
        """Ask once. kfp asks five times, which takes half a minute if the cluster denies access."""
        self._prepare()
        return self._healthz_api.healthz_service_get_healthz()

    def request(self, path: str, query: list[tuple[str, str]]) -> Any:
        """Request a path of the server, and return its answer before it is read."""
        return self._run_api.api_client.call_api(
            path,
            "GET",
            query_params=query,
            auth_settings=["Bearer"],
            _preload_content=False,
            _return_http_data_only=True,
        )

    def _load_config(self, *arguments: Any) -> Any:
        """Add what kfp's own arguments do not cover."""
        config = super()._load_config(*arguments)
        config.cert_file, config.key_file = self._access.cert or None, self._access.key or None
        if self._access.token_file:
            credentials = ServiceAccountTokenVolumeCredentials(self._access.token_file)
            config.refresh_api_key_hook = credentials.refresh_api_key_hook
        if user := urllib3.util.parse_url(self._proxy).auth if self._proxy else None:
            config.proxy_headers = urllib3.make_headers(proxy_basic_auth=user)
        # Another server that a login redirects to must not learn the headers.
        secret = urllib3.Retry.DEFAULT_REMOVE_HEADERS_ON_REDIRECT | {name for name, _ in self._access.headers}
        config.retries = urllib3.Retry(_RETRIES, remove_headers_on_redirect=secret)
        return config

    def _load_context_setting_or_default(self) -> None:
        try:
            super()._load_context_setting_or_default()
            self._context_setting.setdefault("namespace", "")
        except (ValueError, AttributeError):
            raise ConfigError(
                f"{self._LOCAL_KFP_CONTEXT}: expected kfp's settings, a JSON object. Fix or delete the file."
            ) from None

    def _prepare(self) -> None:
        """Let all requests have headers, timeouts and notices, and refuse web pages."""
        api_client = self._run_api.api_client
        rest = api_client.rest_client
        if "request" in vars(rest):
            return
        for name, value in self._access.headers:
            api_client.set_default_header(name, value)
        request = rest.request

        def observed_request(method: str, url: str, *arguments: Any, **more: Any) -> Any:
            more["_request_timeout"] = more.get("_request_timeout") or TIMEOUT
            with self._notice(method, url):
                answer = request(method, url, *arguments, **more)
            if more.get("_preload_content", True) and is_page(answer.urllib3_response):
                raise PageError(page_title(answer.data))
            return answer

        rest.request = observed_request

    @contextmanager
    def _notice(self, method: str, url: str) -> Iterator[None]:
        """Tell the user, once for a request, that there is no answer yet."""
        times = f"up to {_RETRIES + 1} times " if method in urllib3.Retry.DEFAULT_ALLOWED_METHODS else ""
        way = f" through the proxy {without_user(self._proxy)}" if self._proxy else ""
        line = (
            f"{self._access.host}: no answer for {NOTICE_SECONDS:g} s to {method} {urllib3.util.parse_url(url).path}"
            f"{way}. Still trying: {times}{TIMEOUT[0]:g} s for a connection and {TIMEOUT[1]:g} s for an answer.\n"
        )
        timer = Timer(NOTICE_SECONDS, sys.stderr.write, [line])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def is_page(response: Any) -> bool:
    """Return whether an answer is a web page. The user interface answers requests for unknown paths with its page."""
    return str(response.headers.get("content-type", "")).startswith("text/html")


def page_title(data: bytes | str) -> str:
    """Return the title of a web page, or an empty string."""
    text = data if isinstance(data, str) else data.decode(errors="replace")
    found = _TITLE.search(text)
    return found[1][:80] if found else ""


def without_user(url: str) -> str:
    """Return a URL without user and password."""
    parsed = urllib3.util.parse_url(url)
    return f"{parsed.scheme}://{parsed.netloc}" if url else ""


def _check_certificates(access: ClusterAccess) -> None:
    try:
        if access.ca:
            ssl.create_default_context(cafile=access.ca)
    except (ssl.SSLError, ValueError):
        raise ConfigError(f"--ca {access.ca}: expected certificates in PEM format (BEGIN CERTIFICATE).") from None
    try:
        if access.cert:
            # Without a password function, OpenSSL would ask for the password of the key.
            ssl.create_default_context().load_cert_chain(access.cert, access.key or None, password=lambda: "")
    except (ssl.SSLError, ValueError):
        raise ConfigError(
            f"--cert {access.cert}: expected a certificate in PEM format and its key, without a password, in the same "
            "file or in that of --key. `openssl rsa -in KEY -out NEW` removes a password."
        ) from None
