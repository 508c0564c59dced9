"""The first recipes of a data set: what its shards hold, sizes that suit it, and recipes with reasons."""

RECIPE, FIRST = "recipe.yaml", "first.yaml"
