import re

from docs.generate_recipes_page import PAGE, SCHEMA, page
from pipelines.recipe.json_schema import schema_text
from pipelines.recipe.reference import Reference
from tests.support.paths import RECIPES


def test_the_reference_of_recipes_is_that_of_the_schema() -> None:
    assert PAGE.read_text(encoding="utf-8").splitlines() == list(page()), "run python -m docs.generate_recipes_page"


def test_the_schema_beside_the_recipes_is_that_of_the_configurations() -> None:
    assert SCHEMA.parent == RECIPES
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run python -m docs.generate_recipes_page"


def test_every_link_leads_to_a_heading_of_its_own() -> None:
    lines = list(page())
    headings = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(set(anchors)) == len(anchors)
    linked = set(re.findall(r"\]\(#([^)]*)\)", "\n".join(lines)))
    assert linked <= set(anchors)


def test_every_key_has_a_row_with_five_cells() -> None:
    rows = [line for line in page() if line.startswith(("| `", "| [`"))]
    assert len(rows) == sum(len(section.keys) for section in Reference().sections)
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {7}
