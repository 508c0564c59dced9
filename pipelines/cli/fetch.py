"""`yt8m fetch`."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from pipelines.cli.artifacts import NodeArtifacts, RunArtifacts
from pipelines.cli.options import Place, cluster_options
from pipelines.cluster.access import ClusterAccess
from yt8m.errors import ConfigError, DataError, StorageError, suggest
from yt8m.storage.interface import MissingObjectError


class _Result(NamedTuple):
    """A result with a name of its own: the node that makes it, its artifact, and the end of the name of its copy."""

    node: str
    outputs: tuple[str, ...]
    ending: str


# The report's artifact was called `html` in earlier versions.
_RESULTS = {
    "report": _Result("report", ("page", "html"), "-report.html"),
    "summary": _Result("report", ("summary",), "-summary.json"),
    "model": _Result("export", ("exported",), "-model"),
}


@click.command()
@click.argument("run")
@click.argument("what", default="report", metavar="[report|summary|model|NODE]")
@click.option(
    "--output",
    type=Place(path_type=Path),
    metavar="PATH",
    help="File or folder to write, which must not exist, or an existing folder to put it into.  [default: here, with "
    "the run's name: NAME-report.html, NAME-summary.json, NAME-model, NAME-NODE]",
)
@cluster_options
def fetch(run: str, what: str, access: ClusterAccess, output: Path | None) -> None:
    """Copy results of RUN to this machine.

    RUN is the --root of a `yt8m run` or, with --host, the id of a run in a cluster. `report` is the page, `summary` the
    same figures as JSON, `model` the folder of the exported SavedModel. The name of a node gives a folder with all its
    artifacts.

    Artifacts of a run in a cluster come from their store if this machine can read it, else through the user interface.
    They are compared with the sizes and checksums in the step's record. The file or folder appears when it is complete.
    """
    result = _RESULTS.get(what)
    node = result.node if result else what
    artifacts = RunArtifacts(run, access)
    _check_node(node, artifacts.nodes, artifacts.title)
    found = artifacts.of(node)
    target = _target(output, f"{artifacts.name}{result.ending if result else f'-{what}'}")
    if result:
        _fetch_result(found, result, target, is_folder=what == "model")
    else:
        _fetch_all(found, node, target)


def _check_node(node: str, known: Collection[str], where: str) -> None:
    if node in known:
        return
    if node in {result.node for result in _RESULTS.values()}:
        raise ConfigError(
            f"{where}: has no node '{node}'. It is a run of a part of a recipe, or of another pipeline. Its nodes: "
            f"{', '.join(sorted(known))}."
        )
    results = [name for name, result in _RESULTS.items() if result.node in known]
    raise ConfigError(f"{where}: no node '{node}'. {suggest(node, {*known, *results})}")


def _target(output: Path | None, name: str) -> Path:
    """Return the path to write.

    Raises:
        ConfigError: It exists.
    """
    target = output or Path(name)
    target = target / name if output and output.is_dir() else target
    if target.exists():
        raise ConfigError(f"{target}: exists already, and nothing is overwritten. Remove it, or give another --output.")
    return target


def _fetch_result(found: NodeArtifacts, result: _Result, target: Path, *, is_folder: bool) -> None:
    names = [name for name in result.outputs if name in found.names]
    if not names:
        raise DataError(f"{result.node}: has no artifact {result.outputs[0]}. It has: {', '.join(found.names)}.")
    with _appearing(target) as path:
        is_verified = found.copy(names[0], path)
        if path.is_dir() != is_folder or (is_folder and not (path / "saved_model.pb").is_file()):
            raise StorageError(f"{target}: what arrived is not a {'SavedModel' if is_folder else 'file'}. Try again.")
    _say(target, [] if is_verified else names)


def _fetch_all(found: NodeArtifacts, node: str, target: Path) -> None:
    missing, unverified = [], []
    with _appearing(target) as path:
        path.mkdir()
        for name in found.names:
            try:
                if not found.copy(name, path / name):
                    unverified.append(name)
            except MissingObjectError:
                missing.append(name)
        if len(missing) == len(found.names):
            raise DataError(f"{node}: none of its artifacts is there: {', '.join(missing)}. It did not write them yet.")
    _say(target, unverified)
    if missing:
        click.echo(f"Not there, because the step did not write it: {', '.join(missing)}")


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Yield a path that does not exist; what is written there gets the name of the target at the end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent) as folder:
        path = Path(folder) / target.name
        yield path
        path.rename(target)


def _say(target: Path, unverified: list[str]) -> None:
    size = sum(path.stat().st_size for path in (target.rglob("*") if target.is_dir() else [target]) if path.is_file())
    click.echo(f"{target} ({size:,} bytes)")
    if unverified:
        click.echo(f"Not verified, because the record has no checksums of it: {', '.join(unverified)}")
