"""Problems with a cluster: what went wrong with a request, and the remedy."""

import json
import re
from contextlib import suppress
from urllib.parse import urlsplit

from google.auth.exceptions import GoogleAuthError
from kfp_server_api import ApiException  # type: ignore[import-untyped]
from urllib3 import exceptions

from pipelines.cluster.access import PORT_FORWARD, ClusterAccess
from pipelines.cluster.connection import TIMEOUT, PageError, page_title, without_user
from yt8m.errors import UserError

_LOGIN = "--token, --token-file, --cookies, --header or --cert, or kfp's environment variables KF_PIPELINES_*"
_LOOK = "`kubectl -n kubeflow get pods` must show a running pod ml-pipeline."
# Parts of OpenSSL's messages, in the order in which they are looked for -> what is wrong, and the remedy.
_TLS = {
    "record layer failure|wrong.version.number|unknown protocol|http request": (
        "the server does not speak TLS on this port. Give an address that begins with http:// instead of https://, or "
        "another port."
    ),
    "hostname mismatch|doesn't match|not valid for": (
        "its certificate is for another name. Give --host with the name in the certificate: "
        "`openssl s_client -connect HOST:PORT` shows it."
    ),
    "certificate has expired": "its certificate has expired. The cluster's operators have to renew it.",
    "certificate.verify.failed": "its certificate is not signed by {authority}. Give the right file: --ca FILE.pem.",
    "certificate required|handshake.failure|peer did not return|bad certificate$": (
        "the server asks for a client certificate{instead}. Give --cert FILE.pem and, if it is in another file, "
        "--key KEY.pem."
    ),
    "eof occurred|unexpected eof": (
        "the server ended it at once. If it asks for a client certificate, give --cert FILE.pem, and --key KEY.pem if "
        "the key is in another file."
    ),
    "unknown ca|alert.*certificate|alert.*unknown": (
        "the server does not accept the client certificate{cert}. Give one that its authority has signed: --cert "
        "FILE.pem."
    ),
}
_PROXY = (
    "cannot be reached through the proxy {proxy} ({cause}). Check --proxy, or HTTPS_PROXY and HTTP_PROXY. NO_PROXY "
    "lists hosts to reach without a proxy."
)
_NAME = (
    "cannot be reached: the name {name} is not known here. Check the spelling of --host, the VPN and the DNS of this "
    f"machine. {PORT_FORWARD}"
)
_REFUSED = (
    "cannot be reached: nothing accepts connections there (connection refused). Check the port of --host. "
    f"{PORT_FORWARD}"
)
_SILENT = (
    f"cannot be reached: no connection within {TIMEOUT[0]:g} s. Check --host, the VPN and firewalls, and whether a "
    f"proxy is needed (--proxy). {PORT_FORWARD}"
)
_SLOW = f"accepts connections, but gave no answer within {TIMEOUT[1]:g} s. Try again later. {_LOOK}"
_BROKEN = (
    "the connection broke ({text}). Check --host, and whether it begins with the right one of http:// and https://. A "
    f"port forward that lost its pod has to be started again. {PORT_FORWARD}"
)
_GOOGLE = (
    "no account of Google for the client that KF_PIPELINES_IAP_OAUTH2_CLIENT_ID names ({text}). Use a service account "
    "(GOOGLE_APPLICATION_CREDENTIALS), or give --token."
)
# Kinds of errors of the network: exception, part of its text, and the message. The first that fits counts.
_NETWORK: tuple[tuple[type[Exception], str, str], ...] = (
    (exceptions.ProxyError, "", _PROXY),
    (exceptions.URLSchemeUnknown, "", "cannot use the proxy {proxy}. Give one that begins with http:// or https://."),
    (exceptions.NameResolutionError, "", _NAME),
    (exceptions.NewConnectionError, "refused", _REFUSED),
    (exceptions.NewConnectionError, "", f"cannot be reached ({{text}}). Check --host and the network. {PORT_FORWARD}"),
    (exceptions.ConnectTimeoutError, "", _SILENT),
    (exceptions.TimeoutError, "", _SLOW),
    (Exception, "ssl", "no secure connection: {tls}"),
    (GoogleAuthError, "", _GOOGLE),
    (ValueError, "", "{text}"),
    (Exception, "", _BROKEN),
)


def explain(error: Exception, access: ClusterAccess, missing: str = "") -> str:
    """Return what went wrong with a request and the remedy, without credentials.

    Args:
        error: Error of kfp's client or of the network.
        access: Address and credentials of the cluster.
        missing: Message for the answer that something does not exist.
    """
    if isinstance(error, PageError):
        text = _explain_page(error.title)
    elif isinstance(error, ApiException) and error.status:
        text = _explain_answer(error, missing)
    elif isinstance(error, OSError) and error.filename:
        text = f"{error.filename} cannot be read ({error.strerror}). Give another file, or fix this one."
    else:
        text = _explain_network(error, access)
    with suppress(OSError, UserError):  # the file may be what cannot be read
        text = text.replace(access.read_token() or "...", "...")
    for secret in (access.cookies, *(value for _, value in access.headers)):
        text = text.replace(secret or "...", "...")
    return f"{access.host}: {text}"


def _explain_answer(error: ApiException, missing: str) -> str:
    message, is_of_api = _message(error)
    status = f"{error.status} {error.reason}"
    text = f"refused the request ({status}): {message}"
    if error.status == 401:
        text = f"denies access ({status}: {message}): it does not know who asks. Give {_LOGIN}."
    elif error.status == 403:
        text = (
            f"denies access ({status}: {message}). The account may not do this. If Kubeflow has several users, give "
            f"your own namespace: --namespace. Otherwise ask for the right, or give another account: {_LOGIN}."
        )
    elif error.status == 407:
        text = f"the proxy denies access ({status}). Give --proxy http://USER:PASSWORD@HOST:PORT, or set HTTP_PROXY."
    elif error.status == 404 and missing and is_of_api:
        text = missing
    elif error.status == 400 and "HTTPS" in message:
        text = "the server speaks only TLS on this port. Give an address that begins with https:// instead of http://."
    elif error.status == 400 and "certificate" in message:
        text = f"the server asks for a client certificate ({message}). Give --cert FILE.pem, and --key KEY.pem."
    elif error.status in {404, 405, 502, 503, 504} and not is_of_api:
        text = (
            f"the API of Kubeflow Pipelines does not answer behind this address ({status}: {message}). If this is the "
            f"address of its user interface, the API server is down: {_LOOK} Otherwise give the right address, which "
            "in a Kubeflow with several users ends with /pipeline."
        )
    return text


def _explain_page(title: str) -> str:
    name = f" '{title}'" if title else ""
    return (
        f"the answer is not from Kubeflow Pipelines, but a web page{name}: perhaps a page to log in, or another "
        f"server. Give credentials: {_LOGIN}. Or give the right address, which in a Kubeflow with several users ends "
        "with /pipeline."
    )


def _explain_network(error: Exception, access: ClusterAccess) -> str:
    reason = getattr(error, "reason", None) or error
    text = " ".join(str(reason).split())
    texts = {
        "text": text,
        "name": urlsplit(access.host).hostname,
        "proxy": without_user(access.proxy_url()),
        "cause": " ".join(str(getattr(reason, "original_error", "")).split()),
        "tls": _explain_tls(text, access),
    }
    return next(
        sentence.format_map(texts)
        for kind, part, sentence in _NETWORK
        if part in text.casefold() and (isinstance(reason, kind) or isinstance(error, kind))
    )


def _explain_tls(text: str, access: ClusterAccess) -> str:
    authority = f"an authority in --ca {access.ca}" if access.ca else "a public authority"
    texts = {
        "authority": authority,
        "cert": f" --cert {access.cert}" if access.cert else "",
        "instead": f" other than --cert {access.cert}" if access.cert else "",
    }
    for pattern, sentence in _TLS.items():
        if re.search(pattern.replace(" ", "[ _]"), text, re.IGNORECASE):
            return sentence.format_map(texts)
    return f"{text}. Check --host, --ca and --cert."


def _message(error: ApiException) -> tuple[str, bool]:
    """Return the first line of the message in the body of an answer, and whether the answer is one of the API."""
    body = error.body or ""
    text = (body.decode(errors="replace") if isinstance(body, bytes) else str(body)).strip()
    is_of_api = False
    try:
        content = json.loads(text)
        is_of_api = isinstance(content, dict) and bool(content.keys() & {"message", "error"})
        text = str(content.get("message") or content.get("error") or text) if is_of_api else text
    except ValueError:
        pass
    if text.startswith("<"):
        text = page_title(text)
    line = text.splitlines()[0] if text else "no further text"
    return (line if len(line) <= 300 else f"{line[:300]}..."), is_of_api
