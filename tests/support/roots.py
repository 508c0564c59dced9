"""Small compiled pipelines, and files under the root of their runs as steps leave them."""

import json
from collections.abc import Mapping
from typing import Any

from yt8m import storage
from yt8m.records.record import record_uri
from yt8m.yaml_files import dump_line

Spec = dict[str, Any]


def make_spec(tasks: Mapping[str, Mapping[str, str]], root: str = "") -> Spec:
    """Return a pipeline of independent steps.

    Args:
        tasks: Constant parameters of each step by name.
        root: Default of the parameter `root`.
    """
    parameter = {"parameterType": "STRING"} | ({"defaultValue": root, "isOptional": True} if root else {})
    return {
        "components": {"comp-any": {"executorLabel": "exec-any"}},
        "deploymentSpec": {"executors": {"exec-any": {"container": {"image": "image:1"}}}},
        "pipelineInfo": {"name": "tiny"},
        "root": {
            "dag": {"tasks": {name: _task(name, constants) for name, constants in tasks.items()}},
            "inputDefinitions": {"parameters": {"root": parameter}},
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
    }


def _task(name: str, constants: Mapping[str, str]) -> Spec:
    parameters = {each: {"runtimeValue": {"constant": value}} for each, value in constants.items()}
    return {"componentRef": {"name": "comp-any"}, "taskInfo": {"name": name}, "inputs": {"parameters": parameters}}


def records_line(records: Mapping[str, str]) -> str:
    """Return the constant of a step that reads records: work by node."""
    return dump_line(dict(records))


def put(root: str, *names: str) -> None:
    """Write small files under a root."""
    for name in names:
        with storage.open_atomic(storage.join(root, name)) as file:
            file.write(name.encode())


def put_record(root: str, node: str, work: str, kept: list[str] | None = None) -> None:
    """Write the record of a work, which keeps these files under the root. None stands for an earlier version."""
    listed = {} if kept is None else {"kept": [storage.join(root, name) for name in kept]}
    with storage.open_atomic(record_uri(root, node, work)) as file:
        file.write(
            json.dumps(
                {"node": node, "stage": "any", "seconds": 1.0, "metrics": {}, "artifacts": {}, **listed}
            ).encode()
        )


def names_under(root: str) -> set[str]:
    """Return the names of all files under a root."""
    return {each.uri.removeprefix(root.rstrip("/") + "/") for each in storage.list_files(root)}
