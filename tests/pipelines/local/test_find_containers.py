from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.local.containers import container_arguments, find_containers
from pipelines.recipe.schema import Recipe
from yt8m.errors import ConfigError

Small = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Use an empty home folder without credentials."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()


def reading(small: Small, *patterns: str) -> Recipe:
    """Return a recipe that reads these files."""

    def change(raw: dict[str, object]) -> None:
        raw["data"] = {"training": list(patterns), "validation": ["/data/validate.tfrecord"], "holdout_shards": 1}

    return small(change)


def test_generated_videos_need_no_files(small: Small) -> None:
    needs = find_containers(small(), "image:1")
    assert needs.image == "image:1"
    assert not needs.read_only
    assert not needs.writable


def test_the_default_image_is_that_of_this_code(small: Small) -> None:
    assert find_containers(small()).image.startswith("yt8m:")


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("/videos/train*.tfrecord", "/videos"),
        ("/videos/[ab]*/part-?/train.tfrecord", "/videos"),
        ("/videos/train.tfrecord", "/videos/train.tfrecord"),
        ("file:///videos/train*.tfrecord", "/videos"),
    ],
)
def test_files_of_the_recipe_are_mounted_at_their_own_paths(small: Small, pattern: str, folder: str) -> None:
    needs = find_containers(reading(small, pattern), "image:1")
    assert needs.read_only == {folder: folder, "/data/validate.tfrecord": "/data/validate.tfrecord"}


def test_models_of_another_run_are_mounted(small: Small, tmp_path: Path) -> None:
    (tmp_path / "other" / "averaged").mkdir(parents=True)
    imported = {
        "weights": str(tmp_path / "other" / "averaged"),
        "predictions": str(tmp_path / "other" / "predictions"),
        "model": {"architecture": "dbof", "num_clusters": 8, "hidden_units": 8},
        "training": {},
        "run": "other",
        "data": small().data.resolve_spec().model_dump(mode="json"),
        "key": "0a1b2c3d4e5f",
    }

    def change(raw: dict[str, object]) -> None:
        raw["imported"] = {"other-dbof": imported}

    mounted = find_containers(small(change), "image:1").read_only
    assert set(mounted) == {imported["weights"], imported["predictions"]}


def test_relative_paths_refer_to_the_working_directory(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = reading(small, "videos/train*.tfrecord")
    monkeypatch.chdir(tmp_path)
    needs = find_containers(recipe, "image:1")
    assert str(tmp_path / "videos") in needs.read_only
    assert needs.folder == str(tmp_path)


def test_targets_of_symbolic_links_are_mounted(small: Small, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "blob").touch()
    (tmp_path / "videos" / "train.tfrecord").symlink_to(tmp_path / "store" / "blob")
    needs = find_containers(reading(small, f"{tmp_path}/videos/*.tfrecord"), "image:1")
    assert {str(tmp_path / "videos"), str(tmp_path / "store")} <= set(needs.read_only)


def test_a_folder_with_brackets_in_its_name_is_mounted(small: Small, tmp_path: Path) -> None:
    (tmp_path / "my videos [final]").mkdir()
    needs = find_containers(reading(small, f"{tmp_path}/my videos [final]/*.tfrecord"), "image:1")
    assert f"{tmp_path}/my videos [final]" in needs.read_only


def test_files_in_the_root_folder_are_refused(small: Small) -> None:
    with pytest.raises(ConfigError, match=r"'/\*.tfrecord' is in the root folder"):
        find_containers(reading(small, "/*.tfrecord"), "image:1")


def test_remote_files_need_credentials_and_the_cache(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / ".aws").mkdir()
    (tmp_path / "key.json").touch()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9000")
    monkeypatch.setenv("YT8M_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UNRELATED", "1")
    recipe = reading(small, "gs://bucket/train*.tfrecord")
    needs = find_containers(recipe, "image:1")
    assert needs.read_only[str(tmp_path / "home" / ".aws")] == "/tmp/.aws"
    assert needs.read_only[str(tmp_path / "key.json")] == str(tmp_path / "key.json")
    assert needs.writable == (str(tmp_path / "cache"),)
    assert (tmp_path / "cache").is_dir()
    assert "localhost" not in needs.model_dump_json()
    environment = container_arguments(needs, "/run")["environment"]
    assert environment["AWS_ENDPOINT_URL"] == "http://localhost:9000"
    assert environment["YT8M_CACHE_DIR"] == str(tmp_path / "cache")
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert "UNRELATED" not in environment


def test_files_in_the_runs_folder_are_mounted_once(small: Small) -> None:
    needs = find_containers(reading(small, "/run/data/*.tfrecord"), "image:1")
    mounts = container_arguments(needs, "/run")["mounts"]
    assert [(each["Target"], each["ReadOnly"]) for each in mounts] == [
        ("/run", False),
        ("/data/validate.tfrecord", True),
    ]
