"""What tells one ensemble from another."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from yt8m.models.files import WEIGHTS_FILE, read_description


def identify(models: Mapping[str, Path], weights: Mapping[str, float]) -> str:
    """A hash of the members' configurations, weights and shares, in hexadecimal."""
    digest = hashlib.sha256()
    for name, model in models.items():
        digest.update(f"{name}\0{weights[name]!r}\0{read_description(model).model_dump_json()}\0".encode())
        with (model / WEIGHTS_FILE).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
