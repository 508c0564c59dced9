"""Paths of the repository, and names in folders."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RECIPES = REPOSITORY / "pipelines" / "recipes"
SMOKE, DEMO = RECIPES / "smoke.yaml", RECIPES / "demo.yaml"
# Real YouTube-8M shards; not part of the repository.
REAL_DATA = REPOSITORY.parent / "shared" / "data" / "yt8m2018"
# Answers of a real Kubeflow Pipelines; not part of the repository.
RECORDINGS = REPOSITORY.parent / "shared" / "kfp-recordings"


def names_in(folder: Path) -> list[str]:
    """Return the names of the files and folders in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())
