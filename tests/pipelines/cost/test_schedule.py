from collections.abc import Collection, Mapping

from pipelines.cost.schedule import Schedule, pipeline_dependencies
from pipelines.graph.plan import Group, Node, Plan, Ref

# data -> a, b, c; a -> d; b, c, d -> end
GRAPH: dict[str, set[str]] = {
    "data": set(),
    "a": {"data"},
    "b": {"data"},
    "c": {"data"},
    "d": {"a"},
    "end": {"b", "c", "d"},
}
SECONDS = {"data": 1.0, "a": 3.0, "b": 4.0, "c": 2.0, "d": 3.0, "end": 1.0}
ON_GPU = {"a", "b", "c", "d"}


def schedule(seconds: Mapping[str, float] = SECONDS, on_gpu: Collection[str] = ON_GPU) -> Schedule:
    nodes = (
        Node(
            name,
            "train" if name in on_gpu else "report",
            "",
            inputs={other: Ref(other, "metrics") for other in before},
        )
        for name, before in GRAPH.items()
    )
    return Schedule(Plan("test", "", (), tuple(nodes)), seconds)


def test_the_remaining_time_is_the_longest_path_after_a_node() -> None:
    assert schedule().remaining == {"data": 8.0, "a": 7.0, "b": 5.0, "c": 3.0, "d": 4.0, "end": 1.0}


def test_the_critical_path_is_the_longest_path() -> None:
    assert schedule().critical_path == ["data", "a", "d", "end"]


def test_one_gpu_executes_all_nodes_in_sequence() -> None:
    assert schedule().makespan(1) == schedule().gpu_seconds + 2 == sum(SECONDS.values())


def test_two_gpus_take_the_longest_remaining_path_first() -> None:
    # 1 data; a 1-4 and b 1-5; d 4-7 beside c 5-7; end 7-8.
    assert schedule().makespan(2) == 8.0


def test_with_a_gpu_for_every_node_the_run_takes_as_long_as_its_critical_path() -> None:
    assert schedule().makespan(9) == sum(SECONDS[name] for name in schedule().critical_path)


def test_nodes_without_gpu_do_not_wait_for_one() -> None:
    # a and d, then b on the one GPU: 1 data, 1-4 a, 4-8 b or 4-7 d; c runs beside.
    assert schedule(on_gpu=ON_GPU - {"c"}).makespan(1) == 1 + 3 + 4 + 3 + 1


def test_steps_that_take_no_time_cost_nothing() -> None:
    assert schedule(dict.fromkeys(GRAPH, 0.0)).makespan(1) == 0.0


def test_a_sub_pipeline_waits_for_all_its_inputs_and_ends_as_a_whole() -> None:
    taught = {name: Ref(name, "model") for name in ("train-a", "train-b")}
    nodes = (
        Node("prepare", "prepare", ""),
        Node("train-a", "train", "", group="one", inputs={"partition": Ref("prepare", "partition")}),
        Node("slow", "quantize", "", group="one", inputs={"partition": Ref("prepare", "partition")}),
        Node("train-b", "train", "", group="two", inputs={"partition": Ref("prepare", "partition")}),
        Node("learn", "train", "", group="two", fan_in={"model": taught}),
        Node("report", "report", "", fan_in={"record": {"learn": Ref("learn", "metrics")}}),
    )
    plan = Plan("test", "", tuple(Group(name, "", "") for name in ("one", "two")), nodes)
    assert pipeline_dependencies(plan) == {
        "prepare": set(),
        "train-a": {"prepare"},
        "slow": {"prepare"},
        "train-b": {"prepare", "train-a", "slow"},
        "learn": {"prepare", "train-a", "slow", "train-b"},
        "report": {"train-b", "learn"},
    }
