"""A recipe of any shape is planned, or refused with reasons."""

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.graph.planner import make_plan
from pipelines.recipe.load import check_recipe
from tests.support.any_recipe import mutate
from yt8m.errors import ConfigError


def reasons(raw: dict[str, Any]) -> str | None:
    """Return why a recipe is refused, or None if it is planned."""
    try:
        make_plan(check_recipe(raw, "recipe.yaml"))
    except ConfigError as refused:
        return str(refused)
    return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_recipe_of_any_shape_is_planned_or_refused_with_reasons(data: st.DataObject, raw: dict[str, Any]) -> None:
    raw = copy.deepcopy(raw)
    raw["soft_targets"] = {"workers": 2}
    for _ in range(data.draw(st.integers(1, 4))):
        mutate(data, raw)
        if not raw:
            break
    assert reasons(raw) != ""
