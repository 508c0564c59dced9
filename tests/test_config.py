import hashlib
import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from pipelines.graph.planner import make_plan
from tests.support.paths import RECIPES
from tests.support.recipes import load_recipe
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError, UserError, suggest
from yt8m.models import ARCHITECTURES
from yt8m.stages.train import TrainConfig


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


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"pair": [1]}, "pair: expected 2 values. Received: 1."),
        ({"pair": []}, "pair: expected 2 values. Received: 0."),
        ({"pair": [1, 2, 3]}, "pair: expected at most 2 values. Received: 3."),
        ({"pair": {"a": 1}}, "pair: expected a list. Received: a mapping."),
        ({"pair": "ab"}, "pair: expected a list. Received: 'ab'."),
        ({"sizes": {}}, "sizes: expected at least 1 entry. Received: 0."),
        ({"sizes": [1]}, "sizes: expected a mapping of keys to values. Received: a list."),
    ],
)
def test_lists_and_mappings_of_wrong_sizes_are_told_in_plain_words(value: dict[str, Any], told: str) -> None:
    class Sized(Config):
        pair: tuple[float, float] = (0.0, 1.0)
        sizes: dict[str, int] = Field(default={"a": 1}, min_length=1)

    with pytest.raises(ConfigError) as caught:
        Sized.parse(value, "recipe.yaml")
    assert str(caught.value) == f"recipe.yaml: {told}"


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


def test_suggest_names_no_name_that_is_not_similar():
    assert suggest("moments", ["netfv", "dbof"]) == "Known: dbof, netfv."


def test_suggest_knows_corrections_for_unlike_names():
    assert suggest("LSTM", ["lstn", "rnn"], {"lstm": "'rnn' with a cell"}) == (
        "Did you mean 'rnn' with a cell? Known: lstn, rnn."
    )


class Round(Config):
    kind: Literal["round"] = "round"
    radius: float = 1.0


class Square(Config):
    kind: Literal["square"] = "square"
    side: int = 1


Shape = Annotated[Round | Square, Field(discriminator="kind")]


class Everything(Config):
    shape: Shape
    other: Shape = Round(radius=2.0)
    inner: Inner = Inner(size=5)
    text: str = "x"
    maybe: int | None = 3
    mode: Literal["auto"] | bool = "auto"
    words: tuple[str, ...] = ("a",)
    shapes: tuple[Inner, ...] = ()
    table: Mapping[str, float] = Field(default={})
    rate: float = 0.5


def test_only_changes_are_written_and_the_text_is_as_people_write_yaml() -> None:
    config = Everything(shape=Square(side=3), maybe=None, words=("b", "c"))
    text = config.dump_changes()
    digits = text.removesuffix("}").rpartition(" ")[2]
    assert text == f"{{shape.kind: square, shape.side: 3, maybe: null, words: [b, c], defaults: {digits}}}"
    assert re.fullmatch("[0-9a-f]{8}|'[0-9]{8}'|'[0-9]+e[0-9]+'", digits)


def test_the_digest_is_that_of_the_full_configuration() -> None:
    full = {"config": {"size": 2, "names": []}}
    expected = hashlib.sha256(json.dumps(full, sort_keys=True).encode()).hexdigest()[:8]
    assert yaml.safe_load(Inner(size=2).dump_changes())["defaults"] == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"other": Square()},
        {"other": Round()},
        {"inner": Inner()},
        {"inner": Inner(size=5, names=("x",))},
        {"inner": Inner(names=("no", "on", "1e3", "null", "~", "", " x ", "a: b", "a, b]", "#", "1:30", "2020-01-01"))},
        {"text": "{data}/train*.tfrecord"},
        {"text": "s3://bucket:9000/a b/*.tfrecord"},
        {"text": "line\nline\ttab 'quote' \"quote\" \\ ü 字 \x07"},
        {"text": "long " * 100},
        {"maybe": 2**70},
        {"mode": True},
        {"mode": False},
        {"words": ()},
        {"shapes": (Inner(size=2), Inner())},
        {"table": {"a.b": 1.0, "no": 2.5}},
        {"rate": 1e-05},
        {"rate": -0.0},
        {"rate": 1e300},
        {"rate": 3.0},
    ],
)
def test_a_text_of_changes_gives_the_same_configuration(changes: dict[str, Any]) -> None:
    config = Everything(shape=Round(), **changes)
    text = config.dump_changes()
    assert "\n" not in text
    assert Everything.parse_changes(text, "x") == config
    assert Everything.parse_changes(text, "x").model_dump_json() == config.model_dump_json()


@given(
    st.builds(Inner, size=st.integers(), names=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple))
)
def test_any_text_survives(inner: Inner) -> None:
    assert "\n" not in inner.dump_changes()
    assert Inner.parse_changes(inner.dump_changes(), "x") == inner


REQUIRED = {"num_clusters": 8, "hidden_units": 4, "num_groups": 2, "units": 6}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("head", [{"kind": "logistic", "l2_penalty": 1e-05}, {"kind": "moe", "num_mixtures": 5}, None])
def test_the_configuration_of_every_architecture_survives(architecture: str, head: dict[str, Any] | None) -> None:
    fields = ARCHITECTURES[architecture].config.model_fields
    model = {"architecture": architecture, **{key: REQUIRED[key] for key, each in fields.items() if each.is_required()}}
    config = TrainConfig.parse({"model": {**model, "head": head} if head else model}, "x")
    text = config.dump_changes()
    assert text.startswith(f"{{model.architecture: {architecture}, ")
    assert TrainConfig.parse_changes(text, "x") == config


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configuration_of_every_node_survives_and_is_short(path: Path) -> None:
    for node in make_plan(load_recipe(path)).nodes.values():
        stage = getattr(importlib.import_module(f"yt8m.stages.{node.stage}"), node.stage)
        if config_type := get_type_hints(stage).get("config"):
            assert len(node.changes) < 500
            config = config_type.parse_changes(node.changes, node.name)
            assert config.model_dump(mode="json") == node.config
            assert config.dump_changes() == node.changes


def test_the_order_of_features_survives() -> None:
    config = DataSpec(features={"audio": 128, "rgb": 1024})
    assert list(DataSpec.parse_changes(config.dump_changes(), "x").features) == ["audio", "rgb"]


def test_other_defaults_are_refused_with_the_remedy() -> None:
    written = Inner(size=2).dump_changes()

    class Later(Config):
        size: int = 1
        names: tuple[str, ...] = ("new",)

    with pytest.raises(ConfigError, match=r"^train-a: .* other defaults .* Use the image of the version that compiled"):
        Later.parse_changes(written, "train-a")


def test_keys_that_another_version_has_are_refused_with_the_remedy() -> None:
    class Later(Config):
        length: int = 1

    with pytest.raises(ConfigError, match=r"(?s)^train-a: .*'length'.*another version .* Use the image of the version"):
        Inner.parse_changes(Later(length=2).dump_changes(), "train-a")


@pytest.mark.parametrize("text", ["", "[1]", "{size", "{size: 2}", "{size: 2, size: 3}", "{names: 1, names.x: 2}"])
def test_other_texts_than_changes_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^train-a: "):
        Inner.parse_changes(text, "train-a")
