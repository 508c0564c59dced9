"""The graph of a run: named nodes and what each takes from the others. Plain data; knows nothing of Kubeflow."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

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
        name: Unique in the run, lower case with hyphens: `train-netvlad1`.
        stage: The component that runs it: `train`.
        title: What the user interface shows: `Train netvlad1`.
        description: What the node does, in a sentence.
        group: The sub-pipeline it belongs to; empty for the run's own nodes.
        model: The model it works on; empty if on none or several.
        family: That model's family, or the teachers' group.
        code: Names of the model families whose code the node runs.
        config: The stage's configuration as JSON data.
        arguments: Further parameters of the component: which share of the work it does. They are no part of its
            key: what it writes under stable addresses is kept by its name as well.
        inputs: The component's artifacts by parameter name.
        fan_in: Numbered artifacts: parameter prefix -> name -> artifact. The component is told the first one's names.
        facts: What the report wants to know beyond the configuration; goes into the record's configuration.
    """

    name: str
    stage: str
    title: str
    description: str = ""
    group: str = ""
    model: str = ""
    family: str = ""
    code: frozenset[str] = frozenset()
    config: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, str | int] = field(default_factory=dict)
    inputs: Mapping[str, Ref] = field(default_factory=dict)
    fan_in: Mapping[str, Mapping[str, Ref]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def references(self) -> Iterator[Ref]:
        """All artifacts the node reads."""
        yield from self.inputs.values()
        for artifacts in self.fan_in.values():
            yield from artifacts.values()

    @property
    def dependencies(self) -> frozenset[str]:
        """The nodes that must have finished before."""
        return frozenset(reference.node for reference in self.references())


@dataclass(frozen=True)
class Group:
    """A sub-pipeline: a family or a group of teachers with the students that learn from it; or students apart."""

    name: str
    title: str
    description: str


class Plan:
    """All nodes of a run, each after those it depends on.

    Args:
        name: The pipeline's name.
        description: What the pipeline is for.
        groups: The sub-pipelines.
        nodes: The nodes; every dependency comes before the nodes that need it.
    """

    def __init__(self, name: str, description: str, groups: tuple[Group, ...], nodes: tuple[Node, ...]) -> None:
        self.name = name
        self.description = description
        self.groups = {group.name: group for group in groups}
        self.nodes: dict[str, Node] = {}
        for node in nodes:
            assert node.name not in self.nodes, f"two nodes are called {node.name}"
            missing = node.dependencies - self.nodes.keys()
            assert not missing, f"{node.name} comes before {', '.join(sorted(missing))}"
            assert not node.group or node.group in self.groups, f"{node.name} is in unknown group {node.group}"
            self.nodes[node.name] = node

    def __getitem__(self, name: str) -> Node:
        """The node of this name.

        Raises:
            ConfigError: There is none; names the nearest.
        """
        if name not in self.nodes:
            raise ConfigError(f"{self.name}: no node '{name}'. {suggest(name, self.nodes)}")
        return self.nodes[name]

    def ancestors(self, name: str) -> list[str]:
        """All nodes that a node depends on, directly or not, in order."""
        wanted = set(self[name].dependencies)
        for other in reversed(self.nodes.values()):
            if other.name in wanted:
                wanted |= other.dependencies
        return [other for other in self.nodes if other in wanted]

    def descendants(self, name: str) -> list[str]:
        """All nodes that depend on a node, directly or not, in order."""
        found = {self[name].name}
        for other in self.nodes.values():
            if found & other.dependencies:
                found.add(other.name)
        return [other for other in self.nodes if other in found and other != name]

    def keys(self, code_versions: Mapping[str, str], data_version: str) -> dict[str, str]:
        """A short name for the exact work of every node.

        Two nodes have the same key if and only if they run the same code with the same configuration on the
        same inputs. What a node writes under stable addresses (checkpoints, soft targets) is kept by key, so
        that neither a changed recipe nor changed code ever continues from what another has left.

        Args:
            code_versions: Hash of the code by node.
            data_version: Fingerprint of the shards that are read from outside.
        """
        keys: dict[str, str] = {}
        for node in self.nodes.values():
            inputs = {
                "inputs": {name: (keys[ref.node], ref.output) for name, ref in node.inputs.items()},
                "fan_in": {
                    prefix: {name: (keys[ref.node], ref.output) for name, ref in artifacts.items()}
                    for prefix, artifacts in node.fan_in.items()
                },
            }
            exact = [node.stage, code_versions[node.name], data_version if not node.dependencies else "", inputs]
            text = json.dumps([*exact, node.config], sort_keys=True)
            keys[node.name] = hashlib.sha256(text.encode()).hexdigest()[:12]
        return keys
