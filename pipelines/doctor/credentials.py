"""Credentials of object stores, which only recipes and roots with `gs://` or `s3://` need."""

import os
from functools import partial
from pathlib import Path

from pipelines.doctor.finding import Finding
from yt8m.storage.s3 import ENDPOINT_VARIABLES

GCS_FILE, S3_FILE = "GOOGLE_APPLICATION_CREDENTIALS", "AWS_SHARED_CREDENTIALS_FILE"
_S3_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", S3_FILE)
_SECONDS = 10


def check_gcs() -> Finding:
    """Check Google's application default credentials, if there are any, by asking for a token."""
    if emulator := os.environ.get("STORAGE_EMULATOR_HOST"):
        return Finding("gs://", f"the emulator at {emulator}, without credentials")
    file = os.environ.get(GCS_FILE) or str(_gcloud() / "application_default_credentials.json")
    if GCS_FILE not in os.environ and not Path(file).exists():
        return Finding("gs://", "no credentials configured; only public buckets can be read")
    import google.auth  # noqa: PLC0415 slow to import
    from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: PLC0415
    from google.auth.transport.requests import Request  # noqa: PLC0415

    scope = "https://www.googleapis.com/auth/devstorage.read_write"
    try:
        credentials, _ = google.auth.default(scopes=[scope])
        credentials.refresh(partial(Request(), timeout=_SECONDS))  # type: ignore[no-untyped-call]
    except TransportError as error:
        return Finding(
            "gs://", f"Google does not answer for {file}: {_first_line(error)}", "Check the network and HTTPS_PROXY."
        )
    except (GoogleAuthError, ValueError, OSError) as error:
        remedy = f"Run `gcloud auth application-default login`, or let {GCS_FILE} name a valid file."
        return Finding("gs://", f"{file} is not accepted: {_first_line(error)}", remedy)
    return Finding("gs://", f"credentials of {file} are accepted")


def check_s3() -> Finding:
    """Check that credentials for S3 are complete, if there are any. No store is asked, since none is known."""
    file = Path(os.environ.get(S3_FILE) or Path.home() / ".aws/credentials")
    if not any(os.environ.get(name) for name in _S3_VARIABLES) and not file.exists():
        return Finding("s3://", "no credentials configured; only public buckets can be read")
    try:
        import boto3  # noqa: PLC0415 optional, and slow to import
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError:
        return Finding("s3://", "credentials are configured, but boto3 is missing", "Run `make env`.")
    remedy = f"Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or fix {file}."
    try:
        credentials = boto3.session.Session().get_credentials()
    except BotoCoreError as error:
        return Finding("s3://", _first_line(error), remedy)
    if credentials is None:
        return Finding("s3://", "the configured credentials are incomplete", remedy)
    endpoint = next((value for name in ENDPOINT_VARIABLES if (value := os.environ.get(name))), "Amazon S3")
    return Finding("s3://", f"credentials from {credentials.method} for {endpoint}; not tried")


def _gcloud() -> Path:
    return Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config/gcloud")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
