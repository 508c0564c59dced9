"""Rendered overlays."""

from typing import Any

import pytest

from tests.manifests.rendering import EVERYTHING, OVERLAYS, STANDALONE, render_changed


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def objects(overlay: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Objects of the overlay with all optional components."""
    return render_changed(tmp_path_factory.mktemp("everything"), overlay, EVERYTHING)


@pytest.fixture(scope="module")
def standalone(overlay: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Objects of the overlay for standalone Pipelines."""
    return render_changed(tmp_path_factory.mktemp("standalone"), overlay, EVERYTHING, *STANDALONE)
