"""`yt8m prune`."""

import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from pipelines.cli.format import describe_bytes, list_names, make_table, say, table_console
from pipelines.cli.options import cluster_options, run_folder
from pipelines.cluster.access import ClusterAccess
from pipelines.local.folder import lock_root
from pipelines.runs.prune import Pruning, look_through, relative_to
from pipelines.runs.state import STATE_FILE
from yt8m import storage
from yt8m.errors import ConfigError
from yt8m.storage import ListedFile

# Files of runs in a cluster stay this long, because a run may be about to start, or belong to another cluster.
HOURS_TO_KEEP = 24
# Number of characters of a path to show.
LONGEST_PATH = 64


@click.command()
@click.argument("root")
@click.option("--yes", is_flag=True, help="Remove the files.")
@cluster_options
def prune(root: str, access: ClusterAccess, *, yes: bool) -> None:
    """Show the files under ROOT that no run needs any more; with --yes, remove them.

    ROOT is the folder of a `yt8m run` or, with --host, the --root of runs in a cluster. A run in a folder needs what
    its present nodes made; earlier results go. In a cluster, all runs with this root count until they are deleted. With
    several namespaces or clusters that use the same root, do not prune it.

    Nodes that are not done keep all their files.
    """
    console = table_console()
    if folder := run_folder(root):
        _prune_folder(console, folder, yes=yes)
    elif access.host:
        _prune_root(console, root, access, yes=yes)
    else:
        raise ConfigError(
            f"{root}: not the folder of a run on this machine, because {STATE_FILE} is missing. Give the folder of a "
            "`yt8m run`, or the --root of runs in a cluster together with --host."
        )


def _prune_folder(console: Console, root: Path, *, yes: bool) -> None:
    from pipelines.local.prune import look_through_folder

    with lock_root(root):
        found = look_through_folder(root)
        _show(console, str(root.resolve()), found)
        _finish(console, found, yes=yes)


def _prune_root(console: Console, root: str, access: ClusterAccess, *, yes: bool) -> None:
    access.check()
    from pipelines.cluster.client import Cluster
    from pipelines.cluster.prune import needs_of_runs, runs_of_root

    cluster = Cluster(access)
    runs = runs_of_root(cluster, root)
    found = look_through(root, needs_of_runs(cluster, runs), time.time() - HOURS_TO_KEEP * 3600)
    _show(console, root, found)
    say(console, f"Runs with this root: {len(runs)}{': ' if runs else ''}{list_names(list(runs.values()))}")
    if found.recent:
        say(
            console,
            f"Kept, since a run may be starting: {_amount(found.recent)} changed in the last {HOURS_TO_KEEP} hours",
        )
    if yes and (new := runs_of_root(cluster, root).keys() - runs.keys()):
        raise ConfigError(f"{root}: run {min(new)} was started meanwhile. Nothing was removed. Run the command again.")
    _finish(console, found, yes=yes)


def _show(console: Console, root: str, found: Pruning) -> None:
    """Print what can be removed, a row for each kind, and how much stays."""
    rows = [_row(root, kind, files) for kind, files in found.superfluous.items() if files]
    if rows:
        title = f"{root}: files that no run needs"
        console.print(make_table(("kind", "largest file"), ("files", "size"), rows, title=title))
    say(console, f"Needed: {_amount(found.kept)}")


def _row(root: str, kind: str, files: Sequence[ListedFile]) -> tuple[str, ...]:
    largest = max(files, key=lambda file: file.size).uri
    path = relative_to(root, largest) or largest
    shown = path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}..."
    return kind, shown, f"{len(files):,}", _size(files)


def _finish(console: Console, found: Pruning, *, yes: bool) -> None:
    """Remove the files, records first, so that nothing refers to a file that is gone."""
    files = [file for each in found.superfluous.values() for file in each]
    if not files:
        say(console, "There is nothing to remove.")
    elif yes:
        for each in found.superfluous.values():
            storage.remove(file.uri for file in each)
        say(console, f"Removed: {_amount(files)}")
    else:
        say(console, f"To remove: {_amount(files)}. Nothing was removed; --yes removes them.")


def _amount(files: Sequence[ListedFile]) -> str:
    return f"{len(files):,} {'file' if len(files) == 1 else 'files'}, {_size(files)}"


def _size(files: Sequence[ListedFile]) -> str:
    return describe_bytes(sum(file.size for file in files))
