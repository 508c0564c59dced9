"""A fake of Kubeflow Pipelines for tests of commands with a cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.cli import watch
from tests.pipelines.cluster.kfp_server import KfpServer, kfp_server
from tests.pipelines.cluster.recordings import RecordedCluster, recorded_cluster


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KfpServer]:
    monkeypatch.setattr(watch, "SECONDS_BETWEEN_REQUESTS", 0.01)
    monkeypatch.setenv("HOME", str(tmp_path))
    with kfp_server() as running:
        # The fake also stands for an object store without objects.
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        yield running


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedCluster]:
    """Return a server with the recordings, which is the object store, too."""
    monkeypatch.setattr(watch, "SECONDS_BETWEEN_REQUESTS", 0.01)
    with recorded_cluster(monkeypatch) as running:
        yield running


@pytest.fixture
def no_proxy_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the environment variables that choose a proxy."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
