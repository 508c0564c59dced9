"""Recipes of any shape, made of a valid one by random changes."""

from typing import Any

from hypothesis import strategies as st

# Values from recipes, so that they also occur in wrong places.
WORDS = ["dbof", "netvlad", "dbof-a", "dbof-s", "vlad-2", "both", "like", "learn_from", "model", "export", "always"]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from([-1, 0, 1, 3, 2**40]), st.floats(), st.text(max_size=3),
    st.sampled_from(WORDS),
)  # fmt: skip
KEYS = st.one_of(st.sampled_from(WORDS), st.text(max_size=3))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of all values in plain data, the outermost first."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, inner in entries for place in places(inner, (*here, key)))]


def mutate(data: st.DataObject, raw: dict[str, Any]) -> None:
    *way, last = data.draw(st.sampled_from(places(raw)[1:]))
    here: Any = raw
    for part in way:
        here = here[part]
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "replace":
        here[last] = data.draw(VALUES)
    elif change == "remove":
        del here[last]
    elif isinstance(here, dict):
        here[data.draw(KEYS)] = data.draw(VALUES)
    else:
        here.append(data.draw(VALUES))
