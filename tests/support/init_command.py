"""Small data sets, `yt8m init` on them, and the recipes that it writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.recipe.schema import Recipe
from tests.support.recipes import load_recipe
from tests.support.videos import video_of, write_shard
from yt8m.data.tfrecord import inspect_framing, read_payloads

SIZES = {"rgb": 8, "audio": 4}
DIVIDED = ["train0.tfrecord", "train1.tfrecord", "train2.tfrecord", "validate0.tfrecord"]


def init(folder: Path | str, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["init", str(folder), *map(str, arguments)])


def write_shards(folder: Path, names: Sequence[str], videos: int = 20, classes: int = 3, **sizes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        made = [video_of(videos * number + n, 2 + n % 4, [n % classes], **(sizes or SIZES)) for n in range(videos)]
        write_shard(folder / name, made)


def recipe_of(folder: Path, name: str = "recipe.yaml") -> Recipe:
    """Read a recipe, which `yt8m plan` must accept, too."""
    result = CliRunner().invoke(main, ["plan", str(folder / name)])
    assert result.exit_code == 0, result.output
    return load_recipe(folder / name)


def records(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("*.tfrecord")):
        yield from read_payloads(path, 0, inspect_framing(path, verify_payloads=True).records)
