"""Configurations that are files of their own."""

from pathlib import Path
from typing import Self

from yt8m.config import Config
from yt8m.storage import open_atomic, read_text


class ConfigFile(Config):
    """Base of the configurations that one step writes and others read, as JSON."""

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ConfigError: The file holds something else.
            StorageError: There is no such file, or it cannot be read.
        """
        return cls.parse_json(read_text(path), str(path))

    def save(self, path: str | Path) -> None:
        """Write the configuration; the file appears complete or not at all."""
        with open_atomic(path, "w") as file:
            file.write(self.model_dump_json(indent=1) + "\n")
