"""The work of every node in a plan: what decides its result, and the key that names it."""

import json
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any, NamedTuple

from pipelines.graph.plan import Node, Plan, Ref
from yt8m.config import Config
from yt8m.identity import MARK_DIGITS, behavior, digest, marked, package_versions, unmarked, work_key
from yt8m.models import ARCHITECTURES


class Input(NamedTuple):
    """An artifact or a record that a node reads.

    Attributes:
        node: Name of the node that makes it.
        output: Name of that node's output, or `record`.
        key: Key of that node.
    """

    node: str
    output: str
    key: str


class Work(Config):
    """Everything that decides a node's result, as plain data.

    Attributes:
        stage: Name of the stage.
        files: Hash of every source and data file that the stage executes or reads, by path.
        packages: Locked version of every package that computes results, by name.
        config: Configuration of the stage.
        inputs: What the node reads: artifacts by parameter, numbered ones as `<parameter>.<name>`, records as
            `records.<node>`.
        data: Fingerprint of every shard that the node reads from outside the run, by URI.
        named: Hash of the content of every other file that only this node reads, by URI.
        imported: Name of the work that made each file that the node reads from another run, by URI.
        mark: Short hash of all shards that the run reads from outside; empty if it reads none or their fingerprints are
            not known.
        labels: Facts for the node's record, the order of its numbered inputs and its share of divided work. They are
            no part of the key, because they do not change what the node computes. KFP executes the node again if they
            change, so that its record is correct.
    """

    stage: str
    files: Mapping[str, str]
    packages: Mapping[str, str]
    config: Mapping[str, Any]
    inputs: Mapping[str, Input]
    data: Mapping[str, str]
    labels: Mapping[str, Any]
    named: Mapping[str, str] = {}
    imported: Mapping[str, str] = {}
    mark: str = ""

    @cached_property
    def key(self) -> str:
        """Name of the work, which is equal if and only if the same code runs with the same configuration and inputs.

        Shards decide only the mark at its end: they cannot be read from everywhere, and steps compare the content of
        what they read. Generated shards lie in a folder with this name, so that means to generate from are part of it.
        """
        key = work_key(
            stage=self.stage,
            code=self.code,
            config=self.config,
            inputs={name: (unmarked(each.key), each.output) for name, each in self.inputs.items()},
            data={**self.imported, **self.named, **({} if self.mark else self.data)},
        )
        return marked(key, self.mark)

    @cached_property
    def code(self) -> str:
        """Hash of the code that the node runs: 16 hexadecimal digits."""
        return digest(files=self.files, packages=self.packages)[:16]

    @cached_property
    def data_version(self) -> str:
        """Hash of the shards that the node reads from outside the run; empty if there are none."""
        return digest(files=dict(self.data))[:16] if self.data else ""


def find_work(plan: Plan, data: Mapping[str, str]) -> dict[str, Work]:
    """Return by node what decides its result: the code as it is now, the configuration, the shards.

    Args:
        plan: The recipe's plan.
        data: Fingerprints of the files that the run reads from outside, by URI; see `find_fingerprints`.
    """

    @cache
    def files_of(stage: str, architectures: frozenset[str]) -> dict[str, str]:
        return behavior([f"yt8m.stages.{stage}", f"components.{stage}"], architectures, ARCHITECTURES)

    return plan_work(plan, lambda node: files_of(node.stage, node.code), package_versions(), data)


def plan_work(
    plan: Plan,
    files_of: Callable[[Node], Mapping[str, str]],
    packages: Mapping[str, str],
    data: Mapping[str, str],
) -> dict[str, Work]:
    """Return the work of every node by name. A changed node changes the keys of all nodes that depend on it.

    Args:
        plan: The nodes.
        files_of: Returns the hashes of the files that decide what a node does, by path.
        packages: Package versions by name.
        data: Fingerprints of the files that the run reads from outside, by URI. Those that no node names are read by
            the nodes without dependencies.
    """
    works: dict[str, Work] = {}
    generates = any(node.stage == "generate" for node in plan.nodes.values())
    named = {uri for node in plan.nodes.values() for uri in node.reads}
    shards = {uri: each for uri, each in data.items() if uri not in named}
    mark = digest(files=shards)[:MARK_DIGITS] if shards and not generates else ""

    def read(ref: Ref) -> Input:
        return Input(ref.node, ref.output, works[ref.node].key)

    for node in plan.nodes.values():
        inputs = {name: read(ref) for name, ref in node.inputs.items()}
        for prefix, artifacts in node.fan_in.items():
            inputs |= {f"{prefix}.{name}": read(ref) for name, ref in artifacts.items()}
        inputs |= {f"records.{name}": Input(name, "record", works[name].key) for name in node.records}
        works[node.name] = Work(
            stage=node.stage,
            files=files_of(node),
            packages=packages,
            # By way of JSON, so that a work that was saved and read again is equal.
            config=json.loads(json.dumps(node.config)),
            inputs=inputs,
            data={} if node.imported or node.dependencies else shards,
            named={uri: data[uri] for uri in node.reads if uri in data},
            labels=json.loads(json.dumps(_labels(node))),
            imported=node.imported,
            mark=mark,
        )
    return works


def _labels(node: Node) -> dict[str, Any]:
    names = {prefix: list(artifacts) for prefix, artifacts in node.fan_in.items()}
    return {"model": node.model, "family": node.family, "names": names, **node.arguments}
