"""The image of the steps, for tests that run them in containers."""

import os

import pytest

from pipelines.build.containers import check_image
from pipelines.build.image import default_image
from yt8m.errors import ConfigError


@pytest.fixture(scope="session")
def image() -> str:
    """The image of this code. Tests that need it are skipped where it is absent, except in CI."""
    try:
        check_image(default_image())
    except ConfigError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))
    return default_image()
