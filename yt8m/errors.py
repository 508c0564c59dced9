"""The exceptions that a user can cause; all of them end a command with exit code 2."""

import difflib
from collections.abc import Iterable


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


class BudgetError(UserError):
    """The exported model is larger than its budget."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Says which name was probably meant and lists the known ones.

    Args:
        name: The unknown name.
        known: All known names.

    Returns:
        For instance `Did you mean 'netvlad'? Known: dbof, netfv, netvlad.`
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean '{nearest[0]}'? " if nearest else ""
    return f"{hint}Known: {', '.join(names)}."
