"""Exceptions that users can cause and fix. A command that raises one ends with exit code 2."""

import difflib
from collections.abc import Iterable, Mapping

# Similarity from which a name is suggested for another one.
_LEAST_SIMILARITY = 0.6


class UserError(Exception):
    """A problem that the user can fix. Its message says where, what, what was received and the remedy."""


class ConfigError(UserError):
    """A recipe or configuration is not valid. The message lists every problem with the path of its field."""


class DataError(UserError):
    """Shards, records or model files cannot be used."""


class StorageError(UserError):
    """A file or object could not be read, written or listed. The message names it."""


class ClusterError(UserError):
    """A Kubeflow cluster cannot be reached or refuses a request. The message names its address."""


class WorkerError(UserError):
    """A worker process died, for instance because the operating system ran out of memory."""


class BudgetError(UserError):
    """The exported model exceeds its size budget."""


def suggest(name: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Suggest a similar known name, if there is one, and list all of them.

    Args:
        name: Unknown name, in upper or lower case.
        known: All known names.
        aliases: Corrections for names, in lower case, that do not look like the known ones.

    Returns:
        A text such as `Did you mean 'netvlad'? Known: dbof, netfv, netvlad.`
    """
    names = sorted(known)
    return f"{suggest_similar(name, names, aliases)} Known: {', '.join(names) or 'none'}.".lstrip()


def suggest_similar(name: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Suggest a similar known name like `suggest`. Return nothing if no name is similar."""
    spellings = {each.casefold(): f"'{each}'" for each in known} | dict(aliases or {})
    nearest = difflib.get_close_matches(name.casefold(), spellings, n=1, cutoff=_LEAST_SIMILARITY)
    return f"Did you mean {spellings[nearest[0]]}?" if nearest else ""
