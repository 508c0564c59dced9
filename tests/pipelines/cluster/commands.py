"""Calls of commands with a cluster, and the runs that they submit."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.cli import main
from pipelines.kubeflow.spec import Spec, SpecGraph
from tests.pipelines.cluster.kfp_server import KfpServer, kfp_server
from tests.pipelines.cluster.recordings import RecordedCluster
from tests.support.paths import SMOKE
from yt8m.records.record import record_uri

ROOT = "gs://bucket/yt8m"
SECRET = "s3cr3t-value"


def call(server: KfpServer | RecordedCluster, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--host", server.url])


def runs(*options: str) -> Result:
    """List runs, which needs the cluster's health and one list."""
    return CliRunner().invoke(main, ["runs", *options])


def works(server: KfpServer, *options: str) -> bool:
    """List the runs of a healthy server, and return whether it said that there are none."""
    server.failures = [(200, "application/json", "{}")] * 2
    result = runs(*options)
    assert result.exit_code == 0, result.output
    return "No runs." in result.output


def problem(*options: str) -> str:
    """Return the message of a command that fails."""
    result = runs(*options)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


def submit(server: KfpServer, *options: str) -> Result:
    return call(server, "submit", str(SMOKE), "--root", ROOT, "--image", "reg.example/image:1", *options)


@cache
def first_run() -> dict[str, Any]:
    with kfp_server() as server:
        assert submit(server).exit_code == 0
    run = server.runs["runs-1"]
    return {**run, "pipeline_spec": server.spec(run), "pipeline_version_reference": None}


def add_run(server: KfpServer) -> None:
    """Add a run that was submitted earlier."""
    server.runs["runs-1"] = copy.deepcopy(first_run())
    server.experiments["experiments-1"] = {"experiment_id": "experiments-1", "display_name": "yt8m"}


def add_records(server: KfpServer, root: Path, *absent: str) -> None:
    """Let the first run have its root in a folder, with the records of all nodes but some."""
    server.runs["runs-1"]["runtime_config"]["parameters"]["root"] = str(root)
    graph = SpecGraph(submitted(server))
    for node in graph.nodes.keys() - set(absent):
        path = Path(record_uri(str(root), node, graph.work(node)))
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"node": node, "stage": "any"}))


def submitted(server: KfpServer, number: int = 1) -> Spec:
    """Return the pipeline of a run, after a check against KFP's schema."""
    spec = server.spec(server.runs[f"runs-{number}"])
    spec = spec.get("pipeline_spec", spec)
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    return dict(spec)


def every(server: KfpServer, state: str) -> dict[str, str]:
    return dict.fromkeys(SpecGraph(submitted(server)).nodes, state)
