"""The exceptions that a user can cause; all of them end a command with exit code 2."""

import difflib
from collections.abc import Iterable, Mapping

_ANYTHING_IN_COMMON = 0.01


class UserError(Exception):
    """Something the user can mend; its text says where, what, what was received and the remedy."""


class ConfigError(UserError):
    """A recipe or configuration that cannot be used; lists every problem with its place."""


class DataError(UserError):
    """Shards, records or model files that cannot be used."""


class StorageError(UserError):
    """An object that could not be read, written or listed; names the object."""


class ClusterError(UserError):
    """A Kubeflow cluster that cannot be reached, or refuses what it is asked for; names its address."""


class WorkerError(UserError):
    """A process of several died, as the operating system ends those that take too much memory."""


class BudgetError(UserError):
    """The exported model is larger than its budget."""


def suggest(name: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Say which name was probably meant and lists the known ones.

    Args:
        name: The unknown name; case does not matter.
        known: All known names.
        aliases: What to write instead of other names, in lower case, that do not look like the known ones.

    Returns:
        For instance `Did you mean 'netvlad'? Known: dbof, netfv, netvlad.`
    """
    names = sorted(known)
    spellings = {each.casefold(): f"'{each}'" for each in names} | dict(aliases or {})
    nearest = difflib.get_close_matches(name.casefold(), spellings, n=1, cutoff=_ANYTHING_IN_COMMON)
    hint = f"Did you mean {spellings[nearest[0]]}? " if nearest else ""
    return f"{hint}Known: {', '.join(names)}."
