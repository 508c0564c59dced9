"""Files of the repository that tests read."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RECIPES = REPOSITORY / "pipelines" / "recipes"
SMOKE, DEMO = RECIPES / "smoke.yaml", RECIPES / "demo.yaml"
# Real YouTube-8M shards; not part of the repository.
REAL_DATA = REPOSITORY / "shared" / "data" / "yt8m2018"
