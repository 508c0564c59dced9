"""Write `docs/recipes.md`, the reference of recipes, and the JSON Schema beside the recipes of this project.

    python -m docs.generate_recipes_page

`tests/docs/test_generate_recipes_page.py` compares both with the typed configurations.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipelines.recipe.json_schema import SCHEMA_FILE, modeline, schema_text
from pipelines.recipe.reference import Key, Reference, Section

PAGE = Path(__file__).parent / "recipes.md"
SCHEMA = Path(__file__).parents[1] / "pipelines" / "recipes" / SCHEMA_FILE

HEADER = f"""\
# Recipes

*Written by `python -m docs.generate_recipes_page`; a test keeps it up to date.*

A recipe is a YAML file that describes an experiment; [`pipelines/recipes`](../pipelines/recipes) has examples. This
page lists every key, in the order in which people write them. `yt8m recipe explain training.learning_rate` shows the
same in the terminal, and `yt8m plan RECIPE` checks a recipe without running it.

A `*` in a path stands for a name that you choose, or for the entries of a list. A key that is neither required nor has
a default takes its value from other keys, which its meaning names. The last column has the value of
[the paper](https://arxiv.org/abs/1810.12193), or of its authors' published code and configurations, where they say.
Other articles are [Abu-El-Haija et al. 2016](https://arxiv.org/abs/1609.08675),
[Miech et al. 2017](https://arxiv.org/abs/1706.06905) and, on NeXtVLAD,
[Lin et al. 2018](https://arxiv.org/abs/1811.05014).

YAML reads a number such as `1e-3` as text: write `1.0e-3` or `0.001`. Underscores may separate thousands: `4_000_000`.

## In an editor

With this first line, editors that use the YAML language server (VS Code with the extension YAML, Neovim, Emacs and
others) complete keys, show their meanings and mark mistakes:

```yaml
{modeline()}
```

The path is relative to the recipe. `yt8m recipe schema -o {SCHEMA_FILE}` writes the file for a recipe elsewhere.

## A sweep

`grid` under the candidates of a family stands for one candidate of each combination of values:

```yaml
families:
  netvlad:
    candidates:
      grid:
        name: netvlad-{{num_clusters}}-{{hidden_units}}
        model: {{architecture: netvlad, num_clusters: [32, 64], hidden_units: [256, 512]}}
```

These are the candidates `netvlad-32-256`, `netvlad-32-512`, `netvlad-64-256` and `netvlad-64-512`. Their names can
stand wherever a recipe names models. Options of `training` and of the model's `head` vary in the same way. Other
candidates may stand beside the grid, and a list of grids in its place. In names, 0.001 is `1e-3` and 0.95 is `95e-2`.

    --set families.netvlad.candidates.grid.model.num_clusters=[16]       # changes the grid
    --set families.netvlad.candidates.netvlad-32-256.training.epochs=3   # changes one of its candidates
"""


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    reference = Reference()
    yield from HEADER.splitlines()
    for section in reference.sections:
        yield from ("", f"## {_heading(section)}", "")
        yield from section.about.splitlines()
        if section.paths != [""]:
            yield from ("", f"At {', '.join(f'`{path}`' for path in section.paths)}.")
        if section.keys:
            yield from ("", "| key | type | default | meaning | the paper |", "|---|---|---|---|---|")
        yield from (_row(reference, section, key) for key in section.keys)


def _heading(section: Section) -> str:
    return section.place or "The recipe"


def _row(reference: Reference, section: Section, key: Key) -> str:
    inner = reference.within(section, key)
    name = f"[`{key.name}`](#{_anchor(_heading(inner[0]))})" if inner else f"`{key.name}`"
    default = key.default if key.default in ("", "required") else f"`{key.default}`"
    cells = [cell.replace("|", r"\|") for cell in (name, key.type, default, key.meaning, key.paper)]
    return f"| {' | '.join(cells)} |"


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text("\n".join(page()) + "\n", encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
