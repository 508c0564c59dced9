"""What a training's result depends on, as one digest: a checkpoint is only continued where nothing changed."""

import hashlib
import json
from pathlib import Path
from typing import Any

import keras

import yt8m

# The parts of yt8m that decide what a step computes and which videos it sees.
_CODE = ("layers/*.py", "losses.py", "models/*.py", "records/*.py", "training/*.py")


def training_digest(**parts: Any) -> str:
    """SHA-256 over configuration, data and code.

    Args:
        **parts: Plain JSON data: configurations, digests of the data.

    Returns:
        Hex digest; another one whenever a part, the library's code, Keras or its backend is another.
    """
    state = {**parts, "code": _code_digest(), "keras": keras.__version__, "backend": keras.backend.backend()}
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def files_digest(directory: Path) -> str:
    """SHA-256 over names and content of all files of a folder."""
    return _digest_of(sorted(path for path in directory.rglob("*") if path.is_file()), directory)


def _code_digest() -> str:
    root = Path(yt8m.__file__).parent
    files = [file for pattern in _CODE for file in root.glob(pattern)]
    return _digest_of(sorted(files), root)


def _digest_of(files: list[Path], root: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
