"""Reruns of recorded runs of a real Kubeflow Pipelines, and runs that continue others."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.cli import main
from pipelines.kubeflow.spec import Spec, SpecGraph
from tests.pipelines.cluster.commands import add_records, add_run, call, submitted
from tests.pipelines.cluster.kfp_server import KfpServer
from tests.pipelines.cluster.recordings import BUCKET, MOMENTS, RecordedCluster, read

# google-cloud-storage warns once.
pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")

ENDED = ("smoke", "smoke-cached", "real", "video-level")


def rerun(recorded: RecordedCluster, moment: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["rerun", recorded.show(moment), *arguments, "--host", recorded.url])


def spec_of(run: dict[str, Any]) -> Spec:
    """Return the pipeline of a run as it was submitted, after a check against KFP's schema."""
    pipeline = run["pipeline_spec"].get("pipeline_spec", run["pipeline_spec"])
    return dict(json_format.MessageToDict(json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())))


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_a_run_that_is_being_terminated_is_to_be_waited_for(recorded: RecordedCluster) -> None:
    run_id = recorded.show("smoke-running")
    recorded.runs[run_id][0][0]["state"] = "CANCELING"
    result = call(recorded, "rerun", run_id, "--from-failed")
    assert result.exit_code == 2
    assert "the run is terminating. It is being stopped already. Wait for its end: yt8m status" in words(result)
    assert "yt8m stop" not in result.output


@pytest.mark.parametrize("has_v1beta1", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("moment", ENDED)
def test_the_report_of_a_recorded_run_is_executed_again(
    recorded: RecordedCluster, moment: str, *, has_v1beta1: bool
) -> None:
    recorded.has_v1beta1 = has_v1beta1
    result = rerun(recorded, moment, "report")
    assert result.exit_code == 0, result.output
    assert "of Argo's limit at its start" in words(result)
    assert "Not known" not in result.output
    old = SpecGraph(spec_of(read(f"{MOMENTS[moment][0]}.json")))
    new = SpecGraph(spec_of(recorded.submitted["runs-1"]))
    assert {name: new.executor(name) for name in new.nodes} == {name: old.executor(name) for name in new.nodes}
    assert [name for name in new.nodes if new.constant(name, "attempt")] == ["report"]
    others = new.nodes.keys() - {"report"}
    assert {name: new.task(name)["inputs"] for name in others} == {name: old.task(name)["inputs"] for name in others}


def test_a_rerun_of_a_recorded_run_keeps_its_image_root_and_experiment(recorded: RecordedCluster) -> None:
    assert rerun(recorded, "smoke", "train-netvlad-second").exit_code == 0
    run, old = recorded.submitted["runs-1"], read("run-v2beta1-smoke-succeeded.json")
    graph = SpecGraph(spec_of(run))
    assert {graph.image(name) for name in graph.nodes} == {"yt8m:0.1.0-1e7c83fcdc"}
    assert run["experiment_id"] == old["experiment_id"]
    assert run["runtime_config"]["parameters"]["root"] == old["runtime_config"]["parameters"]["root"]


@pytest.mark.parametrize(
    "options", [["--image", "reg.example/yt8m:2"], ["--set", "students.netvlad-second.training.epochs=7"]]
)
def test_a_run_of_another_version_keeps_its_code_and_configuration(
    recorded: RecordedCluster, options: list[str]
) -> None:
    result = rerun(recorded, "smoke", "train-netvlad-second", *options)
    assert result.exit_code == 2
    assert "this version of yt8m compiles the run's recipe to a different pipeline" in words(result)
    assert not recorded.submitted


@pytest.mark.parametrize("moment", [*ENDED, "hello", "paper-offloaded"])
def test_there_is_nothing_to_continue_if_all_is_done(recorded: RecordedCluster, moment: str) -> None:
    result = rerun(recorded, moment, "--from-failed")
    assert result.exit_code == 2
    assert "nodes are done, so there is nothing to continue" in words(result)
    assert not recorded.submitted


@pytest.mark.parametrize(
    ("moment", "executed"), [("retries", {"fails", "eats"}), ("terminated", {"fails"}), ("paper-failed", set())]
)
def test_a_failed_run_continues_with_what_is_not_done(
    recorded: RecordedCluster, moment: str, executed: set[str]
) -> None:
    result = rerun(recorded, moment, "--from-failed", "--offloaded")
    assert result.exit_code == 0, result.output
    old = SpecGraph(spec_of(read(f"{MOMENTS[moment][0]}.json")))
    new = SpecGraph(spec_of(recorded.submitted["runs-1"]))
    assert set(new.nodes) == (executed or set(old.nodes))
    assert {name: new.task(name)["inputs"] for name in new.nodes if "inputs" in new.task(name)} == {
        name: old.task(name)["inputs"] for name in new.nodes if "inputs" in old.task(name)
    }


def test_without_states_and_records_the_cache_decides_what_a_continued_run_executes(recorded: RecordedCluster) -> None:
    recorded.has_v1beta1 = False
    result = rerun(recorded, "retries", "--from-failed")
    assert result.exit_code == 0, result.output
    assert "Not known whether they are done: sleeps." in result.output
    assert set(SpecGraph(spec_of(recorded.submitted["runs-1"])).nodes) == {"fails", "eats", "sleeps"}


def test_a_step_that_may_not_be_done_is_part_of_the_new_run(recorded: RecordedCluster) -> None:
    recorded.has_v1beta1 = False
    gone = [key for key in recorded.objects if "/records/train-dbof-wide/" in key]
    for key in gone:
        del recorded.objects[key]
    result = rerun(recorded, "smoke-running", "quantize-dbof-student")
    assert gone
    assert result.exit_code == 0, result.output
    assert "Not known whether they are done: train-dbof-wide." in result.output
    graph = SpecGraph(spec_of(recorded.submitted["runs-1"]))
    assert "train-dbof-wide" in graph.nodes
    assert graph.constant("quantize-dbof-student", "attempt")


@pytest.mark.parametrize("moment", ["smoke-running", "smoke-compressed", "retries-running", "paper-start"])
def test_a_running_run_must_be_stopped_first(recorded: RecordedCluster, moment: str) -> None:
    result = rerun(recorded, moment, "--from-failed")
    assert result.exit_code == 2
    assert "the run is running. Stop it first: yt8m stop" in words(result)
    assert not recorded.submitted


def test_a_run_that_is_probably_dead_continues_where_argo_has_a_database(recorded: RecordedCluster) -> None:
    refused = rerun(recorded, "paper-stuck", "--from-failed")
    assert (refused.exit_code, "Above 90% it may hang for ever" in words(refused)) == (2, True)
    assert not recorded.submitted
    result = rerun(recorded, "paper-stuck", "--from-failed", "--offloaded")
    assert result.exit_code == 0, result.output
    assert "of Argo's limit at its start" in words(result)
    assert "report" in SpecGraph(spec_of(recorded.submitted["runs-1"])).nodes


def fail(server: KfpServer, root: Path, *failed: str) -> set[str]:
    """Let some nodes of the first run fail, and those that depend on them wait. Return the names of both."""
    add_run(server)
    graph = SpecGraph(submitted(server))
    rest = {*failed, *(name for each in failed for name in graph.descendants(each))}
    add_records(server, root, *rest)
    states = dict.fromkeys(graph.nodes.keys() - rest, "SUCCEEDED") | dict.fromkeys(failed, "FAILED")
    server.progress = [("FAILED", states)]
    return rest


def test_a_continued_run_is_the_same_work_so_that_trainings_find_their_checkpoints(
    server: KfpServer, tmp_path: Path
) -> None:
    rest = fail(server, tmp_path, "train-netvlad", "train-dbof-wide")
    result = call(server, "rerun", "runs-1", "--from-failed")
    assert result.exit_code == 0, result.output
    assert f"To execute again: {len(rest)} nodes, train-" in result.output
    old, new = SpecGraph(submitted(server)), SpecGraph(submitted(server, 2))
    assert rest < set(new.nodes)
    assert {name: new.task(name)["inputs"] for name in new.nodes} == {
        name: old.task(name)["inputs"] for name in new.nodes
    }
    assert server.runs["runs-2"]["display_name"].startswith("smoke continued ")
    assert server.runs["runs-2"]["runtime_config"] == server.runs["runs-1"]["runtime_config"]


def test_a_continued_run_may_have_more_memory_and_another_image(server: KfpServer, tmp_path: Path) -> None:
    rest = fail(server, tmp_path, "train-netvlad", "train-dbof-wide")
    path = tmp_path / "cluster.yaml"
    path.write_text("{training: {memory: 64Gi, image: '{image}-gpu'}}")
    options = ["--from-failed", "--cluster", str(path), "--image", "reg.example/image:2"]
    result = call(server, "rerun", "runs-1", *options)
    assert result.exit_code == 0, result.output
    graph = SpecGraph(submitted(server, 2))
    images = {graph.image(name) for name in graph.nodes if name in rest}
    assert images == {"reg.example/image:2", "reg.example/image:2-gpu"}
    assert {graph.image(name) for name in graph.nodes if name not in rest} == {"reg.example/image:1"}
    assert graph.executor("train-netvlad")["container"]["resources"]["resourceMemoryLimit"] == "64Gi"
    # Equal steps are kept once, as in the first run.
    assert graph["train-netvlad"].component == graph["train-dbof-wide"].component
    # A second rerun keeps to the GPU build without the cluster's file.
    server.progress = [("FAILED", {"train-netvlad": "FAILED"})]
    assert call(server, "rerun", "runs-2", "--from-failed", "--image", "reg.example/image:3").exit_code == 0
    again = SpecGraph(submitted(server, 3))
    assert again.image("train-netvlad") == "reg.example/image:3-gpu"
    assert again.image("report") == "reg.example/image:3"


def test_settings_of_a_continued_run_may_affect_what_is_not_done_only(server: KfpServer, tmp_path: Path) -> None:
    fail(server, tmp_path, "train-netvlad-second")
    refused = call(server, "rerun", "runs-1", "--from-failed", "--set", "training.epochs=7")
    assert refused.exit_code == 2
    assert "which would not be executed" in words(refused)
    setting = "students.netvlad-second.training.epochs=7"
    assert call(server, "rerun", "runs-1", "--from-failed", "--set", setting).exit_code == 0
    old, new = SpecGraph(submitted(server)), SpecGraph(submitted(server, 2))
    assert new.constant("train-netvlad-second", "key") != old.constant("train-netvlad-second", "key")


RECIPE = f"""
name: small
data: {{training: ["s3://{BUCKET}/data/train*"], validation: ["s3://{BUCKET}/data/validate*"], holdout_shards: 1}}
families: {{logistic: {{candidates: {{linear: {{model: {{architecture: logistic}}}}}}}}}}
"""


@pytest.mark.parametrize("is_answering", [True, False])
def test_a_new_image_keeps_the_work_of_a_failed_training(
    server: KfpServer, recorded: RecordedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_answering: bool
) -> None:
    recorded.objects |= {f"data/{name}": b"1" for name in ("train0", "validate0", "validate1")}
    (tmp_path / "small.yaml").write_text(RECIPE)
    with monkeypatch.context() as patch:
        if not is_answering:
            patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
            patch.setenv("YT8M_STORAGE_DEADLINE", "0.1")
        options = ["--root", f"s3://{BUCKET}/yt8m", "--image", "reg.example/image:1"]
        assert call(server, "submit", str(tmp_path / "small.yaml"), *options).exit_code == 0
    server.progress = [("FAILED", {"prepare": "SUCCEEDED", "train-linear": "FAILED"})]
    old = SpecGraph(submitted(server))
    recorded.objects[f"yt8m/records/prepare/{old.work('prepare')}.json"] = b'{"node": "prepare", "stage": "prepare"}'
    result = call(server, "rerun", "runs-1", "--from-failed", "--image", "reg.example/image:2")
    assert result.exit_code == 0, result.output
    new = SpecGraph(submitted(server, 2))
    assert bool(old.constant("prepare", "data_version")) == is_answering
    assert {name: new.work(name) for name in new.nodes} == {name: old.work(name) for name in old.nodes}
    assert new.image("train-linear") == "reg.example/image:2"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "give either the name of a NODE or --from-failed"),
        (["report", "--from-failed"], "give either the name of a NODE or --from-failed"),
        (["--from-failed", "--downstream"], "--downstream: belongs to a NODE"),
        (["report", "--image", "yt8m:1"], "has no registry"),
    ],
)
def test_contradictions_are_refused(server: KfpServer, arguments: list[str], reason: str) -> None:
    result = call(server, "rerun", "runs-1", *arguments)
    assert result.exit_code == 2
    assert reason in words(result)
    assert not server.requests
