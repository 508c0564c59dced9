"""Commands with a cluster, through kfp's own client, against a fake of Kubeflow Pipelines."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main, watch
from pipelines.cluster import run as cluster_run
from pipelines.cluster.access import ClusterAccess
from pipelines.cluster.client import Cluster
from pipelines.kubeflow import size
from pipelines.kubeflow.spec import Spec, SpecGraph
from tests.pipelines.cluster.commands import ROOT, add_run, call, every, submit, submitted
from tests.pipelines.cluster.kfp_server import KfpServer, pod_name
from tests.support.paths import SMOKE
from yt8m import storage
from yt8m.errors import ClusterError, StorageError
from yt8m.records.record import record_uri

# google-cloud-storage warns once.
pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")


def rows(result: Result) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in result.output.splitlines() if line.strip()}


def test_submit_starts_a_run_in_an_experiment_and_prints_its_page(server: KfpServer) -> None:
    result = submit(server)
    assert result.exit_code == 0, result.output
    assert server.experiments["experiments-1"]["display_name"] == "yt8m"
    run = server.runs["runs-1"]
    assert run["experiment_id"] == "experiments-1"
    assert run["runtime_config"]["parameters"] == {"root": ROOT}
    assert f"{server.url}/#/runs/details/runs-1" in result.output
    assert "quantize-netvlad-second" in SpecGraph(submitted(server)).nodes


def test_a_run_says_what_it_is_and_its_pipeline_is_a_named_version_with_the_root(server: KfpServer) -> None:
    for _ in range(2):
        assert submit(server, "--set", "training.epochs=3", "--set", "evaluation.top_k=40").exit_code == 0
    run = server.runs["runs-1"]
    assert run["description"].endswith(
        f"Recipe: {SMOKE}. Settings: training.epochs=3 evaluation.top_k=40. Image: reg.example/image:1."
    )
    assert [each["display_name"] for each in server.pipelines.values()] == ["smoke"]
    (name,) = server.version_names.values()
    assert re.fullmatch(r"smoke-1-[0-9a-f]{10}", name)
    reference = {"pipeline_id": "pipelines-1", "pipeline_version_id": "versions-1"}
    assert run["pipeline_version_reference"] == server.runs["runs-2"]["pipeline_version_reference"] == reference
    assert not run.get("pipeline_spec")
    assert submitted(server)["root"]["inputDefinitions"]["parameters"]["root"]["defaultValue"] == ROOT
    assert submit(server, "--set", "training.epochs=4").exit_code == 0
    assert len(server.version_names) == 2


def test_a_run_starts_without_a_named_version_if_uploads_are_refused(server: KfpServer) -> None:
    server.read_only = True
    result = submit(server)
    assert result.exit_code == 0
    assert "no named version" in result.output
    assert "not authorized to create" in " ".join(result.output.split())
    assert "pipeline_spec" in server.runs["runs-1"]


def test_submit_says_the_share_of_argo_s_limit_and_refuses_larger_runs(
    server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "of Argo's limit at its start, about" in " ".join(submit(server).output.split())
    server.runs.clear()
    monkeypatch.setattr(size, "MAX_RUN_SHARE", 0.15)
    refused = submit(server)
    assert refused.exit_code == 2
    assert "Above 15% it may hang for ever" in " ".join(refused.output.split())
    assert not server.runs
    assert submit(server, "--offloaded").exit_code == 0


def test_a_second_run_uses_the_existing_experiment(server: KfpServer) -> None:
    assert submit(server, "--experiment", "mine").exit_code == 0
    assert submit(server, "--experiment", "mine", "--pipeline-root", "gs://bucket/artifacts").exit_code == 0
    assert len(server.experiments) == 1
    assert server.runs["runs-2"]["runtime_config"]["pipeline_root"] == "gs://bucket/artifacts"


def test_account_resources_and_credentials_reach_the_cluster(server: KfpServer, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("{service_account: yt8m-runner, training: {node_selector: {gpu: 'yes'}}}")
    result = submit(server, "--cluster", str(tmp_path / "cluster.yaml"), "--token", "secret", "--cookies", "session=1")
    assert result.exit_code == 0, result.output
    run = server.runs["runs-1"]
    assert run["service_account"] == "yt8m-runner"
    assert "nodeSelector" in json.dumps(server.spec(run)["platform_spec"])
    headers = server.requests[-1][2]
    assert (headers["authorization"], headers["Cookie"]) == ("Bearer secret", "session=1")


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELED", 1)])
def test_waiting_ends_with_the_run_and_its_result(server: KfpServer, state: str, code: int) -> None:
    server.progress = [("RUNNING", {"generate": "RUNNING"}), ("RUNNING", {"generate": "SUCCEEDED"}), (state, {})]
    result = submit(server, "--wait")
    assert result.exit_code == code
    assert call(server, "status", "runs-1", "--follow").exit_code == code
    assert "/21] generate done in 1m30s" in result.output


def test_following_survives_a_short_outage_and_tells_it_once(
    server: KfpServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_run(server)
    server.progress = [("RUNNING", {}), ("SUCCEEDED", {})]
    read = watch.cluster_reader(Cluster(ClusterAccess(server.url)), "runs-1")
    assert read().running
    server.failures = [(503, "text/plain", "away")] * 2
    assert watch._read_patiently(read, 0.01).state == "finished"
    told = capsys.readouterr().err
    assert "(503 Service Unavailable: away)" in told
    assert told.count("Still trying, for 5m00s.") == 1
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 0.0)
    server.failures = [(503, "text/plain", "away")] * 9
    with pytest.raises(ClusterError, match="503"):
        watch._read_patiently(read, 0.01)


def leave_record(root: Path, spec: Spec, node: str, metrics: dict[str, float], **artifacts: str) -> None:
    path = Path(record_uri(str(root), node, SpecGraph(spec).constant(node, "key")))
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps({"node": node, "stage": "any", "metrics": metrics, "seconds": 5.0, "artifacts": artifacts})
    )


def test_status_has_states_and_times_from_kfp_and_metrics_from_records(server: KfpServer, tmp_path: Path) -> None:
    add_run(server)
    server.runs["runs-1"]["runtime_config"]["parameters"]["root"] = str(tmp_path / "root")
    nodes = {"generate": "CACHED", "prepare": "SUCCEEDED", "train-netvlad": "RUNNING"}
    nodes |= {"train-dbof-wide": "PENDING: ErrImagePull", "train-dbof-narrow": "FAILED: main: OOMKilled (exit code 1)"}
    server.progress = [("RUNNING", nodes)]
    leave_record(tmp_path / "root", submitted(server), "prepare", {"gap": 0.71234, "bytes": 2500000.0})
    leave_record(tmp_path / "root", submitted(server), "generate", {}, page="gs://bucket/never")
    result = call(server, "status", "runs-1")
    table = rows(result)
    assert result.exit_code == 0
    assert table["generate"] == ["unchanged", "5s"]
    assert table["prepare"] == ["done", "1m30s", "0.7123", "2.5", "MB"]
    assert table["train-netvlad"][:2] == ["netvlad", "running"]
    assert table["train-dbof-wide"] == ["dbof", "waiting", "ErrImagePull"]
    assert table["train-dbof-narrow"] == ["dbof", "failed", "1m30s", "main:", "OOMKilled", "(exit", "code", "1)"]
    assert table["report"] == ["waiting"]
    assert "missing" not in result.output


def test_status_of_a_finished_run_has_the_uri_of_the_report(server: KfpServer, tmp_path: Path) -> None:
    add_run(server)
    server.runs["runs-1"]["runtime_config"]["parameters"]["root"] = str(tmp_path / "root")
    server.progress = [("SUCCEEDED", every(server, "SUCCEEDED"))]
    for name in SpecGraph(submitted(server)).nodes:
        leave_record(tmp_path / "root", submitted(server), name, {}, page=f"gs://bucket/{name}.html")
    result = call(server, "status", "runs-1", "--follow")
    assert "Report: gs://bucket/report.html" in result.output
    assert "21 of 21 nodes done, finished" in result.output


def test_status_without_records_shows_states_and_the_reason(server: KfpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    add_run(server)
    server.runs["runs-1"]["runtime_config"]["parameters"]["root"] = "nowhere://bucket"
    server.progress = [("RUNNING", {"generate": "SUCCEEDED"})]
    result = call(server, "status", "runs-1")
    assert result.exit_code == 0
    assert rows(result)["generate"] == ["done", "1m30s"]
    assert "GAP and sizes are missing: nowhere://bucket" in result.output


def test_an_unreachable_object_store_is_not_asked_again_at_once(
    server: KfpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run(server)
    server.progress = [("RUNNING", {"generate": "SUCCEEDED"})]
    asked: list[str] = []

    def exists(uri: str) -> bool:
        asked.append(uri)
        raise StorageError("no answer")

    monkeypatch.setattr(storage, "exists", exists)
    read = watch.cluster_reader(Cluster(ClusterAccess(server.url)), "runs-1")
    for _ in range(3):
        assert "GAP and sizes are missing: no answer" in read().notes
    assert len(asked) == 1
    monkeypatch.setattr(cluster_run, "STORE_PAUSE_SECONDS", 0.0)
    read()
    assert len(asked) == 2


def test_a_step_s_log_comes_from_its_pod(server: KfpServer) -> None:
    add_run(server)
    server.progress = [("RUNNING", {"prepare": "RUNNING"})]
    assert call(server, "status", "runs-1").exit_code == 0
    server.logs[pod_name("prepare", server)] = "Reading: 3/4 shards\n"
    assert call(server, "logs", "runs-1", "prepare").output == "Reading: 3/4 shards\n"


def test_without_the_user_interface_logs_names_the_kubectl_command(server: KfpServer) -> None:
    add_run(server)
    server.progress = [("RUNNING", {"prepare": "RUNNING"})]
    result = call(server, "logs", "runs-1", "prepare")
    assert result.exit_code == 2
    assert f"kubectl -n kubeflow logs -c main {pod_name('prepare', server)}" in result.output
    assert "it is waiting" in call(server, "logs", "runs-1", "report").output


LOGIN = (200, "text/html", "<html>Log in</html>")


@pytest.mark.parametrize(
    ("failures", "reason"),
    [
        ([(401, "application/json", '{"message": "who are you"}')], "denies access (401 Unauthorized: who are"),
        ([(500, "text/plain", "database\nis gone")], "refused the request (500 Internal Server Error): database"),
        ([LOGIN] * 9, "perhaps a page to log in"),
    ],
)
def test_errors_of_the_api_are_shown(server: KfpServer, failures: list[Any], reason: str) -> None:
    for arguments in (["status", "runs-1"], ["submit", str(SMOKE), "--root", ROOT, "--image", "reg.example/image:1"]):
        server.failures = list(failures)
        result = call(server, *arguments)
        assert result.exit_code == 2
        assert reason in " ".join(result.output.split())


def test_an_unknown_run_is_an_error(server: KfpServer) -> None:
    for command in (["status", "no-run"], ["rerun", "no-run", "report"], ["logs", "no-run", "report"]):
        result = call(server, *command)
        assert result.exit_code == 2
        assert "There is no run 'no-run'" in result.output


def test_an_unreachable_host_is_an_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = CliRunner().invoke(main, ["status", "runs-1", "--host", f"http://127.0.0.1:{port}"])
    assert result.exit_code == 2
    assert "cannot be reached" in result.output


def test_submit_needs_a_host_and_a_root_in_an_object_store(server: KfpServer, tmp_path: Path) -> None:
    assert "--host is missing" in CliRunner().invoke(main, ["submit", str(SMOKE), "--root", ROOT]).output
    result = call(server, "submit", str(SMOKE), "--root", str(tmp_path))
    assert result.exit_code == 2
    assert "cannot access a folder of this machine" in result.output
    assert not server.requests
