"""The graph of a run as plain data: named nodes and the outputs of other nodes that each one reads."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any, Generic, Protocol, TypeVar

from yt8m.errors import ConfigError, suggest


@dataclass(frozen=True)
class Ref:
    """An output of a node."""

    node: str
    output: str


@dataclass(frozen=True)
class Node:
    """One step of the run.

    Attributes:
        name: Unique name in the run, lower case with hyphens: `train-netvlad1`.
        stage: Name of the stage it executes: `train`.
        title: Title in user interfaces: `Train netvlad1`.
        group: The sub-pipeline it belongs to. Empty for nodes outside of all sub-pipelines.
        model: The model it works on. Empty if it works on none or several.
        family: Architecture of that model, or the family or group whose teachers it concerns.
        code: Names of the model architectures whose code the node runs.
        config: Configuration of the stage as JSON data, complete.
        changes: The same configuration on one line, without the defaults; see `Config.dump_changes`. Empty if the stage
            has none.
        arguments: Further parameters of the component, such as its share of divided work. They are not part of the key,
            because everything a node writes to a stable address has the node's name in it as well.
        inputs: Input artifacts by parameter of the component.
        fan_in: Numbered input artifacts: parameter prefix -> name -> artifact. The component receives the names of the
            first prefix.
        records: Names of the nodes whose records it reads.
        imported: What it reads of other runs: URI -> name of the work that made it. The component gets the URIs by name
            in the parameter `imported`, or the only one in `start`.
        reads: URIs of further files that the recipe names and that only this node reads.
    """

    name: str
    stage: str
    title: str
    group: str = ""
    model: str = ""
    family: str = ""
    code: frozenset[str] = frozenset()
    config: Mapping[str, Any] = field(default_factory=dict)
    changes: str = ""
    arguments: Mapping[str, str | int] = field(default_factory=dict)
    inputs: Mapping[str, Ref] = field(default_factory=dict)
    fan_in: Mapping[str, Mapping[str, Ref]] = field(default_factory=dict)
    records: tuple[str, ...] = ()
    imported: Mapping[str, str] = field(default_factory=dict)
    reads: tuple[str, ...] = ()

    def references(self) -> Iterator[Ref]:
        """Iterate over all artifacts that the node reads."""
        yield from self.inputs.values()
        for artifacts in self.fan_in.values():
            yield from artifacts.values()

    @property
    def dependencies(self) -> frozenset[str]:
        """The nodes that must have finished before this one starts: makers of its artifacts and of its records."""
        return frozenset(self.records).union(reference.node for reference in self.references())


@dataclass(frozen=True)
class Group:
    """A sub-pipeline; `pipelines.graph.groups` says which nodes belong together."""

    name: str
    title: str
    description: str


class _GraphNode(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def dependencies(self) -> frozenset[str]: ...


AnyNode = TypeVar("AnyNode", bound=_GraphNode)


class Graph(Generic[AnyNode]):
    """Nodes, each after those it depends on.

    Attributes:
        name: Name of the pipeline.
        nodes: Nodes by name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: dict[str, AnyNode] = {}

    def __getitem__(self, name: str) -> AnyNode:
        """Return the node of this name.

        Raises:
            ConfigError: There is no such node. The message names the nearest one.
        """
        if name not in self.nodes:
            raise ConfigError(f"{self.name}: no node '{name}'. {suggest(name, self.nodes)}")
        return self.nodes[name]

    def ancestors(self, *names: str) -> list[str]:
        """List all direct and indirect dependencies of some nodes, in the order of the graph."""
        wanted = {other for name in names for other in self[name].dependencies}
        for node in reversed(self.nodes.values()):
            if node.name in wanted:
                wanted |= node.dependencies
        return [name for name in self.nodes if name in wanted]

    def descendants(self, name: str) -> list[str]:
        """List all nodes that depend on a node, directly or indirectly, in the order of the graph."""
        found = [self[name].name]
        for node in self.nodes.values():
            if not node.dependencies.isdisjoint(found):
                found.append(node.name)
        return found[1:]


class Plan(Graph[Node]):
    """All nodes of a run.

    Args:
        name: Name of the pipeline.
        description: Purpose of the pipeline, in a sentence or two.
        groups: The sub-pipelines.
        nodes: The nodes; every dependency comes before the nodes that need it.
    """

    def __init__(self, name: str, description: str, groups: tuple[Group, ...], nodes: tuple[Node, ...]) -> None:
        super().__init__(name)
        self.description = description
        self.groups = {group.name: group for group in groups}
        for node in nodes:
            assert node.name not in self.nodes, f"two nodes are called {node.name}"
            missing = node.dependencies - self.nodes.keys()
            assert not missing, f"{node.name} comes before {', '.join(sorted(missing))}"
            assert not node.group or node.group in self.groups, f"{node.name} is in unknown group {node.group}"
            self.nodes[node.name] = node

    def units(self) -> dict[str, list[Node]]:
        """Return the nodes of each group by name, and each node outside of groups alone, sorted topologically."""
        unit_of = {name: node.group or name for name, node in self.nodes.items()}
        units: dict[str, list[Node]] = {unit: [] for unit in unit_of.values()}
        needs: dict[str, set[str]] = {unit: set() for unit in units}
        for name, unit in unit_of.items():
            units[unit].append(self.nodes[name])
            needs[unit] |= {unit_of[other] for other in self.nodes[name].dependencies} - {unit}
        return {unit: units[unit] for unit in in_order(needs)}


def in_order(needs: Mapping[str, Collection[str]]) -> list[str]:
    """Sort names topologically: each one after those that it needs, otherwise in the order of the mapping.

    Args:
        needs: Names that each name needs. All of them are keys of the mapping.

    Raises:
        graphlib.CycleError: Some names need each other.
    """
    position = {name: number for number, name in enumerate(needs)}
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    ordered: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=position.__getitem__)
        sorter.done(*ready)
        ordered += ready
    return ordered
