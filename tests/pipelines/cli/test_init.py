"""`yt8m init` on small data sets of several shapes."""

from pathlib import Path

from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.recipe.load import check_recipe, read_recipe
from pipelines.recipe.schema import Recipe
from tests.support.videos import video_of, write_shard
from yt8m.data.format import DataSpec


def init(folder: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["init", str(folder), *map(str, arguments)])


def recipe_of(folder: Path, name: str = "recipe.yaml") -> Recipe:
    return check_recipe(read_recipe(folder / name), name)


def write_shards(folder: Path, *, names: str = "{side}{number}.tfrecord", shards: int = 5, **options: object) -> None:
    """Write small shards, the last of which is for validation."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = options.pop("sizes", {"rgb": 8, "audio": 4})
    for number in range(shards):
        side = "validate" if number == shards - 1 else "train"
        videos = [
            video_of(20 * number + n, num_frames=2 + n % 4, labels=[n % 3], **sizes)  # type: ignore[arg-type]
            for n in range(20)
        ]
        write_shard(folder / names.format(side=side, number=number), videos)


def plans(folder: Path) -> str:
    """Return what `yt8m plan` prints for both recipes."""
    printed = ""
    for name in ("first.yaml", "recipe.yaml"):
        result = CliRunner().invoke(main, ["plan", str(folder / name)])
        assert result.exit_code == 0, result.output
        printed += result.output
    return printed


def test_divided_shards_with_two_features(tmp_path: Path) -> None:
    write_shards(tmp_path / "data")
    result = init(tmp_path / "own", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert "Data: 100 videos; rgb 8 + audio 4 features, 3 classes, up to 5 frames" in result.output
    recipe = recipe_of(tmp_path / "own")
    assert recipe.data.training == (f"{tmp_path}/data/train*.tfrecord",)
    assert recipe.data.validation == (f"{tmp_path}/data/validate4.tfrecord",)
    assert recipe.data.holdout_shards == 1
    assert recipe.data.resolve_spec() == DataSpec(features={"rgb": 8, "audio": 4}, num_classes=3, max_frames=5)
    assert "dbof" in plans(tmp_path / "own")
