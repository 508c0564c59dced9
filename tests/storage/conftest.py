"""Object stores over HTTP, behind proxies that inject faults."""

import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.storage.emulators import gcs_emulator, s3_emulator
from tests.storage.fault_proxy import FaultProxy, Plan
from yt8m.storage import retry

BUCKET = "yt8m-test"


@dataclass
class RemoteFolder:
    """A folder in an object store for a single test.

    Attributes:
        uri: URI of the folder.
        proxy: Proxy in front of the store.
    """

    uri: str
    proxy: FaultProxy

    def fail(self, plan: Plan) -> Plan:
        """Make future requests fail as planned."""
        self.proxy.plan = plan
        return plan


@pytest.fixture(scope="session")
def proxies() -> Iterator[dict[str, FaultProxy]]:
    """Start a proxy in front of each store; yield the proxies by scheme."""
    with ExitStack() as stack:
        ports = {"gs": stack.enter_context(gcs_emulator(BUCKET)), "s3": stack.enter_context(s3_emulator())}
        proxies = {scheme: FaultProxy(port) for scheme, port in ports.items()}
        for proxy in proxies.values():
            stack.callback(proxy.close)
        yield proxies


@pytest.fixture(scope="session")
def object_stores(proxies: dict[str, FaultProxy]) -> Iterator[dict[str, FaultProxy]]:
    """Configure the libraries to use the proxies of the stores."""
    variables = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{proxies['gs'].port}",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxies['s3'].port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        with warnings.catch_warnings():
            # google.api_core warns about optional packages. Python hides such warnings by default.
            warnings.simplefilter("ignore", ImportWarning)
            import google.cloud.storage  # noqa: F401, PLC0415 - only these tests need it
        import boto3  # noqa: PLC0415

        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield proxies


@pytest.fixture
def quick_storage(monkeypatch, tmp_path_factory) -> None:
    """Set short waits and a separate cache for one test."""
    monkeypatch.setattr(retry, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(retry, "LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "10")
    monkeypatch.setenv("YT8M_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("YT8M_CACHE_SIZE", "100MB")


@pytest.fixture(params=["gs", "s3"])
def remote(request, object_stores, quick_storage) -> Iterator[RemoteFolder]:
    """Yield a new folder in each kind of object store."""
    proxy = object_stores[request.param]
    proxy.plan = None
    proxy.requests.clear()
    yield RemoteFolder(f"{request.param}://{BUCKET}/{uuid.uuid4().hex}", proxy)
    proxy.plan = None
