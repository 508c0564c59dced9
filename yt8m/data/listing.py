"""Which shards a user means."""

from collections.abc import Iterable

from yt8m import storage
from yt8m.errors import DataError


def list_shards(place: str, patterns: Iterable[str]) -> list[str]:
    """The shards that match any of some globs, each once.

    Args:
        place: Option or key that holds the globs, for errors.
        patterns: Paths, URIs, globs.

    Raises:
        DataError: One of them matches nothing.
    """
    uris: dict[str, None] = {}
    for pattern in patterns:
        matches = storage.list_uris(pattern)
        if not matches and storage.exists(pattern):
            raise DataError(
                f"{place}: '{pattern}' is a folder. Give its shards: '{storage.join(pattern, '*.tfrecord')}'."
            )
        if not matches:
            raise DataError(f"{place}: no shard matches '{pattern}'. Check the path; a glob needs * or ?.")
        uris |= dict.fromkeys(matches)
    return list(uris)
