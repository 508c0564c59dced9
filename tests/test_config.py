import pytest

from yt8m.config import Config
from yt8m.errors import ConfigError, UserError, suggest


class Inner(Config):
    size: int = 1
    names: tuple[str, ...] = ()


class Outer(Config):
    inner: Inner = Inner()
    rate: float


def problems(data: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Outer.parse(data, "recipe.yaml")
    return str(caught.value).splitlines()


def test_lists_become_tuples():
    assert Outer.parse({"rate": 0.5, "inner": {"names": ["a", "b"]}}, "x").inner.names == ("a", "b")


def test_an_unknown_key_is_named_with_its_path_and_the_nearest_known_one():
    assert problems({"rate": 1.0, "inner": {"sise": 3}}) == [
        "recipe.yaml: inner.sise: unknown key 'sise'. Did you mean 'size'? Known: names, size."
    ]


def test_all_problems_are_reported_at_once():
    lines = problems({"inner": {"size": "3", "names": ["a", 1]}})
    assert len(lines) == 3
    assert any(line.startswith("recipe.yaml: inner.size: ") and "'3'" in line for line in lines)
    assert any(line.startswith("recipe.yaml: inner.names[1]: ") for line in lines)
    assert "recipe.yaml: rate: required, but missing." in lines


def test_other_data_than_a_mapping_is_refused():
    assert problems([1, 2])[0].startswith("recipe.yaml: ")


def test_invalid_json_is_refused_with_its_source():
    with pytest.raises(ConfigError, match=r"^model/config\.json: "):
        Outer.parse_json("{", "model/config.json")


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Outer(rate=1.0).rate = 2.0  # type: ignore[misc]


def test_config_errors_are_user_errors():
    assert issubclass(ConfigError, UserError)


def test_suggest_lists_all_names_if_none_is_near():
    assert suggest("zzz", ["b", "a"]) == "Known: a, b."
    assert suggest("zzz", []) == "Known: none."


@pytest.mark.parametrize("name", ["SIZE", "sIzes", "size"])
def test_suggest_ignores_case(name):
    assert suggest(name, ["Size", "rate"]) == "Did you mean 'Size'? Known: Size, rate."


def test_suggest_names_the_nearest_however_far_it_is():
    assert suggest("moments", ["netfv", "dbof"]) == "Did you mean 'netfv'? Known: dbof, netfv."


def test_suggest_knows_corrections_for_unlike_names():
    assert suggest("LSTM", ["lstn", "rnn"], {"lstm": "'rnn' with a cell"}) == (
        "Did you mean 'rnn' with a cell? Known: lstn, rnn."
    )
