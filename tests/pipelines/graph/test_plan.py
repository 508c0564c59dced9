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
LAST = Node("last", "report", "Report", records=("select",))


def plan() -> Plan:
    return Plan("test", "", (), (DATA, TRAIN_A, TRAIN_B, SELECT, LAST))


def test_ancestors_are_direct_and_indirect_and_in_order() -> None:
    assert plan().ancestors("select") == ["prepare", "train-a", "train-b"]
    assert plan().ancestors("prepare") == []


def test_who_reads_a_record_depends_on_the_node_that_leaves_it() -> None:
    assert plan()["last"].dependencies == {"select"}
    assert plan().ancestors("last") == ["prepare", "train-a", "train-b", "select"]
    assert plan().descendants("train-a") == ["select", "last"]


def test_an_unknown_node_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no node 'train-c'\. Did you mean 'train-b'"):
        plan()["train-c"]


def test_every_name_comes_after_those_it_needs_and_ties_keep_the_given_order() -> None:
    needs = {"report": {"b", "a"}, "b": {"start"}, "a": {"start"}, "start": (), "alone": ()}
    assert in_order(needs) == ["start", "alone", "b", "a", "report"]


def test_names_that_need_each_other_have_no_order() -> None:
    with pytest.raises(CycleError):
        in_order({"a": {"b"}, "b": {"a"}})
