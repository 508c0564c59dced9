from graphlib import CycleError

import pytest

from pipelines.graph.order import in_order


def test_every_name_comes_after_what_it_needs_and_choices_keep_the_given_order() -> None:
    needs = {"report": {"b", "a"}, "b": {"start"}, "a": {"start"}, "start": (), "alone": ()}
    assert in_order(needs) == ["start", "alone", "b", "a", "report"]


def test_names_that_need_each_other_have_no_order() -> None:
    with pytest.raises(CycleError):
        in_order({"a": {"b"}, "b": {"a"}})
