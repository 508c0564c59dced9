"""Reruns of nodes in a cluster, through kfp's own client, against a fake of Kubeflow Pipelines."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.kubeflow.spec import Spec, SpecGraph
from tests.pipelines.cluster.commands import add_records, add_run, call, every, submit, submitted
from tests.pipelines.cluster.kfp_server import KfpServer
from yt8m.yaml_files import parse_line


def inputs(spec: Spec, names: set[str]) -> dict[str, Any]:
    return {name: SpecGraph(spec).task(name)["inputs"] for name in names}


def test_a_rerun_has_the_node_and_its_cached_ancestors(server: KfpServer, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("service_account: yt8m-runner")
    submit(server, "--cluster", str(tmp_path / "cluster.yaml"), "--pipeline-root", "gs://bucket/artifacts")
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    result = call(server, "rerun", "runs-1", "train-netvlad-second")
    assert result.exit_code == 0, result.output
    first, again = submitted(server), submitted(server, 2)
    needed = set(SpecGraph(first).ancestors("train-netvlad-second"))
    assert set(SpecGraph(again).nodes) == {"train-netvlad-second"} | needed
    assert inputs(again, needed) == inputs(first, needed)
    assert {name: SpecGraph(again).executor(name) for name in needed} == {
        name: SpecGraph(first).executor(name) for name in needed
    }
    assert SpecGraph(again).constant("train-netvlad-second", "attempt")
    runs = server.runs["runs-1"], server.runs["runs-2"]
    for key in ("experiment_id", "service_account", "runtime_config"):
        assert runs[0][key] == runs[1][key]
    assert again["pipelineInfo"]["name"] == "smoke"
    assert "Not in the new run: quantize-netvlad-second" in result.output
    assert "runs-2" in result.output


def test_a_rerun_of_a_rerun_takes_the_first_one_s_node_from_the_cache(server: KfpServer, tmp_path: Path) -> None:
    add_run(server)
    add_records(server, tmp_path)
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    call(server, "rerun", "runs-1", "train-dbof-wide", "--downstream")
    assert call(server, "rerun", "runs-2", "average-dbof-wide").exit_code == 0
    second, third = submitted(server, 2), submitted(server, 3)
    assert inputs(third, {"train-dbof-wide"}) == inputs(second, {"train-dbof-wide"})
    assert inputs(third, {"average-dbof-wide"}) != inputs(second, {"average-dbof-wide"})


def test_a_rerun_of_the_report_is_one_step_which_reads_the_records_of_the_run(
    server: KfpServer, tmp_path: Path
) -> None:
    add_run(server)
    add_records(server, tmp_path)
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    result = call(server, "rerun", "runs-1", "report")
    assert result.exit_code == 0, result.output
    first, again = SpecGraph(submitted(server)), SpecGraph(submitted(server, 2))
    assert set(again.nodes) == {"report"}
    assert again.records("report") == first.records("report")
    assert "Reused: 0 nodes, from Kubeflow's cache or their records." in result.output


def test_a_missing_record_is_told_before_anything_is_submitted(server: KfpServer, tmp_path: Path) -> None:
    add_run(server)
    add_records(server, tmp_path, "train-netvlad")
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    result = call(server, "rerun", "runs-1", "report")
    assert result.exit_code == 2
    assert "yt8m rerun RUN train-netvlad --downstream" in " ".join(result.output.split())
    assert len(server.runs) == 1
    assert call(server, "rerun", "runs-1", "train-netvlad", "--downstream").exit_code == 0


def test_records_in_a_store_that_this_machine_cannot_reach_are_left_to_the_steps(server: KfpServer) -> None:
    add_run(server)
    server.runs["runs-1"]["runtime_config"]["parameters"]["root"] = "nowhere://bucket"
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    assert call(server, "rerun", "runs-1", "report").exit_code == 0


def test_downstream_executes_exactly_the_descendants(server: KfpServer, tmp_path: Path) -> None:
    add_run(server)
    add_records(server, tmp_path)
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    call(server, "rerun", "runs-1", "train-netvlad-second", "--downstream")
    first, again = SpecGraph(submitted(server)), SpecGraph(submitted(server, 2))
    executed = {name for name in again.nodes if again.constant(name, "attempt")}
    assert executed == {"train-netvlad-second", *first.descendants("train-netvlad-second")}
    attempts = {name for name, work in again.records("report").items() if work != first.records("report")[name]}
    assert attempts == executed - {"report"}


def test_a_failed_node_continues_under_its_old_key(server: KfpServer) -> None:
    add_run(server)
    states = {"generate": "SUCCEEDED", "prepare": "CACHED", "train-netvlad": "FAILED"}
    server.progress = [("FAILED", states)]
    assert call(server, "rerun", "runs-1", "train-netvlad").exit_code == 0
    assert inputs(submitted(server, 2), {"train-netvlad"}) == inputs(submitted(server), {"train-netvlad"})


def test_settings_change_the_configuration_of_the_node_only(server: KfpServer) -> None:
    add_run(server)
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    setting = "students.netvlad-second.training.epochs=7"
    result = call(server, "rerun", "runs-1", "train-netvlad-second", "--set", setting)
    assert result.exit_code == 0, result.output
    first, again = SpecGraph(submitted(server)), SpecGraph(submitted(server, 2))
    before, after = (parse_line(graph.constant("train-netvlad-second", "config"), "") for graph in (first, again))
    assert {key for key in after if after[key] != before.get(key)} == {"training.epochs", "defaults"}
    assert after["training.epochs"] == 7
    assert again.constant("train-netvlad-second", "key") != first.constant("train-netvlad-second", "key")
    text = submitted(server, 2)["root"]["inputDefinitions"]["parameters"]["recipe"]["defaultValue"]
    recipe = parse_line(text, "recipe")
    assert recipe["students"]["netvlad-second"]["training"] == {"epochs": 7}


def test_a_failed_node_continues_with_more_resources(server: KfpServer, tmp_path: Path) -> None:
    add_run(server)
    server.progress = [("FAILED", {"generate": "SUCCEEDED", "prepare": "CACHED", "train-netvlad": "FAILED"})]
    path = tmp_path / "cluster.yaml"
    path.write_text(
        "{service_account: other, environment: {A: b}, "
        "training: {memory: 64Gi, image: '{image}-gpu', node_selector: {disk: ssd}, retries: {count: 3}}}"
    )
    result = call(server, "rerun", "runs-1", "train-netvlad", "--cluster", str(path))
    assert result.exit_code == 0, result.output
    first, again = SpecGraph(submitted(server)), SpecGraph(submitted(server, 2))
    before, container = (graph.executor("train-netvlad")["container"] for graph in (first, again))
    assert container["resources"]["resourceMemoryLimit"] == "64Gi"
    assert {"name": "A", "value": "b"} in container["env"]
    assert again.task("train-netvlad")["retryPolicy"]["maxRetryCount"] == 3
    assert again.executor("prepare") == first.executor("prepare")
    platforms = server.runs["runs-2"]["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]
    executors = platforms["deploymentSpec"]["executors"]
    assert executors[again.label("train-netvlad")]["nodeSelector"] == {"labels": {"disk": "ssd"}}
    assert "nodeSelector" not in executors[again.label("prepare")]
    assert server.runs["runs-2"]["service_account"] == "other"
    # The work and the name of its checkpoint are the same as before.
    assert (container["image"], container["command"]) == (before["image"], before["command"])
    assert inputs(submitted(server, 2), {"train-netvlad"}) == inputs(submitted(server), {"train-netvlad"})


@pytest.mark.parametrize(
    ("file", "image"),
    [("{}", "reg.example/image:2"), ("{training: {image: '{image}-gpu'}}", "reg.example/image:2-gpu")],
)
def test_a_new_image_is_for_executed_nodes_only(server: KfpServer, tmp_path: Path, file: str, image: str) -> None:
    add_run(server)
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    (tmp_path / "cluster.yaml").write_text(file)
    options = ["--image", "reg.example/image:2", "--cluster", str(tmp_path / "cluster.yaml")]
    result = call(server, "rerun", "runs-1", "train-netvlad", *options)
    assert result.exit_code == 0, result.output
    again = SpecGraph(submitted(server, 2))
    images = {name: again.executor(name)["container"]["image"] for name in again.nodes}
    assert images == {"generate": "reg.example/image:1", "prepare": "reg.example/image:1", "train-netvlad": image}


def test_the_build_behind_a_digest_is_not_guessed_from_a_new_image(server: KfpServer, tmp_path: Path) -> None:
    digest = "sha256:" + "ab" * 32
    (tmp_path / "cluster.yaml").write_text(f"training: {{image: 'reg.example/image@{digest}'}}")
    submit(server, "--cluster", str(tmp_path / "cluster.yaml"))
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    options = ["rerun", "runs-1", "train-netvlad", "--image", "reg.example/image:2"]
    refused = call(server, *options)
    assert refused.exit_code == 2
    text = " ".join(refused.output.split())
    assert f"step train-netvlad runs in reg.example/image@{digest}, whose build cannot be known" in text
    assert "--cluster FILE" in text
    assert len(server.runs) == 1
    (tmp_path / "cluster.yaml").write_text("training: {image: '{image}-gpu'}")
    given = call(server, *options, "--cluster", str(tmp_path / "cluster.yaml"))
    assert given.exit_code == 0, given.output
    assert SpecGraph(submitted(server, 2)).image("train-netvlad") == "reg.example/image:2-gpu"


@pytest.mark.slow
def test_a_run_with_a_single_image_gets_a_single_new_one(server: KfpServer) -> None:
    submit(server, "--image", f"reg.example/image@sha256:{'ab' * 32}")
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    result = call(server, "rerun", "runs-1", "train-netvlad", "--image", "reg.example/image:2")
    assert result.exit_code == 0, result.output
    assert SpecGraph(submitted(server, 2)).image("train-netvlad") == "reg.example/image:2"


def test_cluster_options_are_refused_for_a_local_run(tmp_path: Path) -> None:
    (tmp_path / "nodes.json").write_text("{}")
    result = CliRunner().invoke(main, ["rerun", str(tmp_path), "train-netvlad", "--image", "reg.example/image:2"])
    assert result.exit_code == 2
    assert "--cluster, --image and --offloaded are for runs in a cluster" in result.output


@pytest.mark.parametrize(
    ("node", "setting", "reason"),
    [
        ("train-netvlad", "cluster.training.memory=64Gi", "in a file: --cluster FILE.yaml"),
        ("train-netvlad", "families.netvlad.candidates.netvlad.training.epochs=7", "train-netvlad-student"),
        ("prepare", "students.netvlad-second.training.epochs=7", "does not change prepare"),
        ("train-netvlad", "families.netvlad.average=always", "changes the nodes of the run"),
        ("train-netvlad", "training.epochs=many", "epochs"),
        ("train-netvlat", "training.epochs=7", "Did you mean 'train-netvlad'"),
    ],
)
def test_settings_that_affect_other_nodes_are_refused(server: KfpServer, node: str, setting: str, reason: str) -> None:
    add_run(server)
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    result = call(server, "rerun", "runs-1", node, "--set", setting)
    assert result.exit_code == 2
    assert reason in result.output
    assert len(server.runs) == 1


def test_a_node_with_missing_inputs_is_not_executed(server: KfpServer) -> None:
    add_run(server)
    server.progress = [("FAILED", {"generate": "FAILED"})]
    result = call(server, "rerun", "runs-1", "prepare")
    assert result.exit_code == 2
    assert "generate (failed)" in result.output


def test_the_pipeline_of_a_run_from_the_user_interface_comes_from_its_version(
    server: KfpServer, tmp_path: Path
) -> None:
    add_run(server)
    add_records(server, tmp_path)
    run, nodes = server.runs["runs-1"], every(server, "SUCCEEDED")
    server.versions["v1"] = run.pop("pipeline_spec")
    run["pipeline_version_reference"] = {"pipeline_id": "p1", "pipeline_version_id": "v1"}
    # The user interface passes every parameter.
    run["runtime_config"]["parameters"]["recipe"] = "as it was"
    server.progress = [("SUCCEEDED", nodes)]
    assert call(server, "rerun", "runs-1", "report").exit_code == 0
    assert server.runs["runs-2"]["runtime_config"]["parameters"] == {"root": str(tmp_path)}
