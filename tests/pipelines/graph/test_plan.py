from graphlib import CycleError

import pytest

from pipelines.graph.plan import Node, Plan, Ref, in_order
from yt8m.errors import ConfigError

DATA = Node("prepare", "prepare", "Prepare", config={"seed": 1})
TRAIN_A = Node("train-a", "train", "Train a", config={"size": 1}, inputs={"partition": Ref("prepare", "partition")})
TRAIN_B = Node("train-b", "train", "Train b", config={"size": 2}, inputs={"partition": Ref("prepare", "partition")})
SELECT = Node(
    "select", "select", "Select", fan_in={"model": {"a": Ref("train-a", "model"), "b": Ref("train-b", "model")}}
)
LAST = Node("last", "report", "Report", inputs={"selection": Ref("select", "selection")})
CODE = dict.fromkeys(("prepare", "train-a", "train-b", "select", "last"), "1")


def plan(*nodes: Node) -> Plan:
    return Plan("test", "", (), nodes or (DATA, TRAIN_A, TRAIN_B, SELECT, LAST))


def changed(first: dict[str, str], second: dict[str, str]) -> set[str]:
    return {name for name in first if first[name] != second[name]}


def test_ancestors_and_descendants_are_everything_before_and_behind_in_order() -> None:
    assert plan().ancestors("select") == ["prepare", "train-a", "train-b"]
    assert plan().descendants("train-a") == ["select", "last"]
    assert plan().ancestors("prepare") == []
    assert plan().descendants("last") == []


def test_an_unknown_node_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no node 'train-c'\. Did you mean 'train-b'"):
        plan()["train-c"]


def test_equal_plans_have_equal_keys() -> None:
    assert plan().keys(CODE, "data") == plan().keys(CODE, "data")


def test_a_changed_configuration_changes_the_keys_of_that_node_and_all_behind_it() -> None:
    other = Node("train-a", "train", "Train a", config={"size": 3}, inputs=TRAIN_A.inputs)
    keys = plan(DATA, other, TRAIN_B, SELECT).keys(CODE, "data")
    assert changed(keys, plan(DATA, TRAIN_A, TRAIN_B, SELECT).keys(CODE, "data")) == {"train-a", "select"}


def test_changed_code_changes_the_keys_of_the_nodes_that_run_it_and_all_behind_them() -> None:
    keys = plan(DATA, TRAIN_A, TRAIN_B, SELECT).keys({**CODE, "train-b": "2"}, "data")
    assert changed(keys, plan(DATA, TRAIN_A, TRAIN_B, SELECT).keys(CODE, "data")) == {"train-b", "select"}


def test_changed_data_change_all_keys() -> None:
    keys = plan(DATA, TRAIN_A, TRAIN_B, SELECT).keys(CODE, "other data")
    assert changed(keys, plan(DATA, TRAIN_A, TRAIN_B, SELECT).keys(CODE, "data")) == set(keys)


def test_titles_do_not_matter_for_keys() -> None:
    renamed = Node("prepare", "prepare", "Another title", config=DATA.config)
    assert plan(renamed).keys(CODE, "") == plan(DATA).keys(CODE, "")


def test_every_name_comes_after_those_it_needs_and_ties_keep_the_given_order() -> None:
    needs = {"report": {"b", "a"}, "b": {"start"}, "a": {"start"}, "start": (), "alone": ()}
    assert in_order(needs) == ["start", "alone", "b", "a", "report"]


def test_names_that_need_each_other_have_no_order() -> None:
    with pytest.raises(CycleError):
        in_order({"a": {"b"}, "b": {"a"}})
