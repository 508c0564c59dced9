"""`yt8m logs` for runs in a cluster: recorded runs, through the command line."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from tests.pipelines.cluster.recordings import POD, TRAIN_FOLDER, Answer, RecordedCluster, plain_workflow, read
from tests.support.paths import RECORDINGS

pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")

# Argo's archive of the pod that trained netvlad in the recorded smoke, as in store-objects.json.
MAIN_LOG = f"private-artifacts/kubeflow/smoke-6c9nl/2026/11/26/{POD}/main.log"
EXECUTOR_LOG = f"{TRAIN_FOLDER}/executor-logs-0"
# The pods of the step `sleeps`: the first was deleted, the second is running.
DELETED_POD = "retries-mcvrg-metadata-0-2-retry-system-container-impl-2865607402"
SECOND_POD = "retries-mcvrg-metadata-0-2-retry-system-container-impl-1187698407"
SLEEPS_FOLDER = "v2/artifacts/retries/e54d2f18-d964-40c1-b688-55cf47fb180f/sleeps/5d258c63-5fc9-4a7e-a5f1-a189094ee34b"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call the command from a folder without runs."""
    monkeypatch.chdir(tmp_path)


def logs(recorded: RecordedCluster, run_id: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["logs", run_id, *arguments, "--host", recorded.url])


def recorded_log(name: str) -> str:
    return (RECORDINGS / "logs" / name).read_text()


def asked(recorded: RecordedCluster) -> list[str]:
    return [path.partition("?")[0] for _, path, _ in recorded.requests if not path.startswith("/apis/")]


def test_a_running_pod_s_log_comes_from_the_pod_by_its_true_name(recorded: RecordedCluster) -> None:
    run_id = recorded.show("retries-running")
    recorded.logs[SECOND_POD] = "sleeping\n"
    recorded.objects[f"{SLEEPS_FOLDER}/executor-logs-1"] = b"never asked for"
    result = logs(recorded, run_id, "sleeps")
    assert (result.exit_code, result.output) == (0, "sleeping\n")
    (request,) = [path for _, path, _ in recorded.requests if not path.startswith("/apis/")]
    assert request == f"/k8s/pod/logs?podname={SECOND_POD}&podnamespace=kubeflow&runid={run_id}"


@pytest.mark.parametrize("moment", ["smoke", "smoke-compressed"])
def test_a_gone_pod_s_log_is_the_artifact_of_its_step(recorded: RecordedCluster, moment: str) -> None:
    del recorded.logs[POD]
    result = logs(recorded, recorded.show(moment), "train-netvlad")
    assert result.exit_code == 0
    assert result.output == recorded_log("ui-artifact-executor-logs-train-netvlad.txt")
    assert asked(recorded) == ["/artifacts/get"]


def test_without_the_artifact_the_log_is_argo_s_archive(recorded: RecordedCluster) -> None:
    assert MAIN_LOG in {each["key"] for each in read("store-objects.json")}
    del recorded.objects[EXECUTOR_LOG]
    recorded.objects[MAIN_LOG] = b"archived\n"
    assert logs(recorded, recorded.show("smoke"), "train-netvlad").output == "archived\n"


def test_without_artifact_and_archive_the_ended_pod_is_asked(recorded: RecordedCluster) -> None:
    del recorded.objects[EXECUTOR_LOG]
    result = logs(recorded, recorded.show("smoke"), "train-netvlad")
    assert result.output == recorded_log("ui-pod-log-train-netvlad.txt")


def test_if_nothing_is_found_every_place_and_a_command_are_named(recorded: RecordedCluster) -> None:
    del recorded.objects[EXECUTOR_LOG], recorded.logs[POD]
    result = logs(recorded, recorded.show("smoke"), "train-netvlad")
    assert result.exit_code == 2
    lines = result.output.splitlines()
    assert lines[0] == "Error: train-netvlad, attempt 1: no log was found:"
    assert [line.split(": ")[0] for line in lines[1:4]] == [
        f"  minio://mlpipeline/{EXECUTOR_LOG}",
        f"  minio://mlpipeline/{MAIN_LOG}",
        f"  pod {POD}",
    ]
    assert f"{recorded.url} answers 500: {recorded_log('ui-gone-pod.txt').strip()}" in lines[3]
    assert f"kubectl -n kubeflow logs -c main {POD}" in lines[4]


def test_behind_the_api_server_alone_the_store_is_read_directly(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.has_interface = False
    run_id = recorded.show("smoke")
    result = logs(recorded, run_id, "train-netvlad")
    assert result.output == recorded_log("ui-artifact-executor-logs-train-netvlad.txt")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    result = logs(recorded, run_id, "train-netvlad")
    assert result.exit_code == 2
    assert f"{recorded.url} is not the address of the user interface" in result.output
    assert "AWS_ENDPOINT_URL does not name the address of the store" in result.output


def test_each_attempt_of_a_retried_step_has_its_log(recorded: RecordedCluster) -> None:
    recorded.objects[f"{SLEEPS_FOLDER}/executor-logs-0"] = b"first\n"
    recorded.objects[f"{SLEEPS_FOLDER}/executor-logs-1"] = b"second\n"
    run_id = recorded.show("retries")
    first = logs(recorded, run_id, "sleeps", "--attempt", "1")
    assert (first.stdout, first.stderr) == ("first\n", "sleeps, attempt 1: error: pod deleted\n")
    assert logs(recorded, run_id, "sleeps", "--attempt", "2").output == "second\n"
    assert logs(recorded, run_id, "sleeps").output == "second\n"
    third = logs(recorded, run_id, "sleeps", "--attempt", "3")
    assert third.exit_code == 2
    assert "--attempt 3, but the node had 2 attempts" in third.output
    assert logs(recorded, run_id, "sleeps", "--attempt", "0").exit_code == 2


def test_the_reason_of_a_failure_is_told_with_the_log(recorded: RecordedCluster) -> None:
    run_id = recorded.show("retries")
    recorded.logs["retries-mcvrg-metadata-0-2-retry-system-container-impl-64170283"] = "eating\n"
    result = logs(recorded, run_id, "eats")
    assert result.stdout == "eating\n"
    assert result.stderr == "eats, attempt 1: failed: main: OOMKilled (exit code 1)\n"
    recorded.logs.clear()
    result = logs(recorded, run_id, "eats")
    assert result.exit_code == 2
    assert "eats, attempt 1: failed: main: OOMKilled (exit code 1): no log was found:" in result.output


def test_a_step_from_the_cache_has_the_log_of_its_original_execution(recorded: RecordedCluster) -> None:
    result = logs(recorded, recorded.show("smoke-cached"), "train-netvlad")
    assert result.stdout == recorded_log("ui-artifact-executor-logs-train-netvlad.txt")
    assert "unchanged" in result.stderr


def test_without_the_workflow_the_log_lies_beside_the_outputs_in_the_record(recorded: RecordedCluster) -> None:
    run_id = recorded.show("smoke")
    recorded.has_v1beta1 = False
    result = logs(recorded, run_id, "train-netvlad")
    assert result.output == recorded_log("ui-artifact-executor-logs-train-netvlad.txt")
    result = logs(recorded, run_id, "train-dbof-wide", "--attempt", "2")
    assert result.exit_code == 2
    assert "executor-logs-1" in result.output
    assert "executor-logs-0" not in result.output


def test_without_workflow_and_record_the_command_that_finds_the_pod_is_named(recorded: RecordedCluster) -> None:
    run_id = recorded.show("paper-offloaded")
    result = logs(recorded, run_id, "report")
    assert result.exit_code == 2
    assert "the node left no record" in result.output
    assert f"kubectl -n sim get pods -l pipeline/runid={run_id}" in result.output


def test_a_step_without_pod_says_its_state(recorded: RecordedCluster) -> None:
    result = logs(recorded, recorded.show("smoke-running"), "report")
    assert result.exit_code == 2
    assert "report: no log, because the node has no pod in this run; it is waiting" in result.output
    assert "the node has no pod" in logs(recorded, recorded.show("smoke-running"), "report", "--attempt", "2").output


def with_failed_driver() -> Any:
    """Return the recorded retries as if the driver of `fails` had ended with an error, before a pod was started."""
    manifest = copy.deepcopy(read("workflow-retries.json"))
    nodes = manifest["status"]["nodes"]
    for key, node in list(nodes.items()):
        if ".fails" in node["name"] and ".fails-driver" not in node["name"]:
            del nodes[key]
        elif ".fails-driver" in node["name"]:
            node.update(phase="Failed", message="main: Error (exit code 1)", children=[])
    manifest["status"]["phase"] = "Failed"
    return manifest


def test_the_error_of_a_driver_is_shown_if_it_started_no_pod(recorded: RecordedCluster) -> None:
    run_id = recorded.show("retries")
    run, _ = recorded.runs[run_id][0]
    recorded.runs[run_id] = [(run, with_failed_driver())]
    driver = "retries-mcvrg-system-container-driver-1748526934"
    archive = f"private-artifacts/kubeflow/retries-mcvrg/2026/11/26/{driver}/main.log"
    recorded.objects[archive] = b"KFP driver: cannot resolve inputs\n"
    result = logs(recorded, run_id, "fails")
    assert result.exit_code == 0
    assert result.stdout == "KFP driver: cannot resolve inputs\n"
    assert "fails: no pod was started, because its driver failed: driver: main: Error (exit code 1)" in result.stderr
    del recorded.objects[archive]
    result = logs(recorded, run_id, "fails")
    assert result.exit_code == 2
    assert "its driver failed: driver: main: Error (exit code 1)" in result.output
    assert f"kubectl -n kubeflow logs -c main {driver}" in result.output


def test_the_error_of_another_driver_is_shown_for_steps_that_wait_for_it(recorded: RecordedCluster) -> None:
    run_id = recorded.show("smoke-running")
    run, workflow = recorded.runs[run_id][0]
    workflow = copy.deepcopy(workflow)
    group = next(node for node in workflow["status"]["nodes"].values() if node["displayName"] == "root-driver(0)")
    group.update(phase="Failed", message="main: Error (exit code 1)")
    recorded.runs[run_id] = [(run, workflow)]
    result = logs(recorded, run_id, "report")
    assert "root-driver: main: Error (exit code 1)" in result.output


def test_artifacts_in_google_s_store_are_read_through_the_interface(recorded: RecordedCluster) -> None:
    run_id = recorded.show("smoke")
    run, _ = recorded.runs[run_id][0]
    workflow = json.dumps(plain_workflow("run-v1beta1-smoke-succeeded.json"))
    recorded.runs[run_id] = [(run, json.loads(workflow.replace("minio://mlpipeline/", "gs://mlpipeline/")))]
    result = logs(recorded, run_id, "train-netvlad")
    assert result.output == recorded_log("ui-artifact-executor-logs-train-netvlad.txt").strip() + "\n"
    assert [path for _, path, _ in recorded.requests if "source=gcs" in path]


def test_an_unknown_node_gets_a_suggestion(recorded: RecordedCluster) -> None:
    result = logs(recorded, recorded.show("smoke"), "train-netvald")
    assert result.exit_code == 2
    assert "Did you mean 'train-netvlad'?" in result.output


class GrowingLogs(dict[str, str]):
    """Logs of one pod, which grow with every request."""

    def __init__(self, pod: str, states: Iterator[str | None]) -> None:
        super().__init__()
        self._pod, self._states = pod, states

    def get(self, key: str, default: Any = None) -> Any:
        return next(self._states, default) if key == self._pod else default


def test_following_prints_what_is_new_until_the_pod_ends(recorded: RecordedCluster) -> None:
    run_id = recorded.show("retries-running", "retries-running", "retries-running", "retries-running", "retries")
    recorded.logs = GrowingLogs(SECOND_POD, iter(["", "one\n", "one\ntw", "one\ntwo\n"]))
    recorded.objects[f"{SLEEPS_FOLDER}/executor-logs-1"] = b"one\ntwo\nthree\n"
    result = logs(recorded, run_id, "sleeps", "--follow")
    assert (result.exit_code, result.stdout) == (0, "one\ntwo\nthree\n")


def test_following_survives_a_short_outage(recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = recorded.show("retries-running", "retries-running", "retries-running", "retries")

    def states() -> Iterator[str | None]:
        yield "one\n"
        recorded.failures = [Answer(503, "text/plain", b"away")] * 3
        yield "one\ntwo\n"
        yield None

    recorded.logs = GrowingLogs(SECOND_POD, states())
    recorded.objects[f"{SLEEPS_FOLDER}/executor-logs-1"] = b"one\ntwo\nthree\n"
    result = logs(recorded, run_id, "sleeps", "--follow")
    assert (result.exit_code, result.stdout) == (0, "one\ntwo\nthree\n")


def test_following_goes_on_with_the_next_attempt(recorded: RecordedCluster) -> None:
    run_id = recorded.show("retries-running")
    run, second = recorded.runs[run_id][0]
    first = copy.deepcopy(second)
    del first["status"]["nodes"]["retries-mcvrg-1187698407"]
    recorded.runs[run_id] = [(run, first), (run, first), (run, second), (run, read("run-v1beta1-retries.json"))]
    recorded.objects[f"{SLEEPS_FOLDER}/executor-logs-0"] = b"sleeping\n"
    recorded.logs[SECOND_POD] = "sleeping\n"
    result = logs(recorded, run_id, "sleeps", "--follow")
    assert result.exit_code == 0
    assert result.stdout == "sleeping\nsleeping\n"
    assert result.stderr == "sleeps, attempt 1: error: pod deleted\n"


def test_following_ends_with_the_archive_which_continues_the_pod_s_log(recorded: RecordedCluster) -> None:
    run_id = recorded.show("smoke")
    run, ended = recorded.runs[run_id][0]
    workflow = plain_workflow("run-v1beta1-smoke-succeeded.json")
    workflow["status"]["phase"] = "Running"
    workflow["status"]["nodes"][f"smoke-6c9nl-{POD.rpartition('-')[2]}"]["phase"] = "Running"
    recorded.runs[run_id] = [(run, workflow), (run, ended)]
    whole = recorded_log("ui-pod-log-train-netvlad.txt")
    recorded.logs = GrowingLogs(POD, iter([whole[:9000]]))
    recorded.objects[MAIN_LOG] = whole.encode()
    assert EXECUTOR_LOG in recorded.objects
    assert logs(recorded, run_id, "train-netvlad", "--follow").stdout == whole


def test_following_waits_for_the_pod(recorded: RecordedCluster) -> None:
    del recorded.logs[POD]
    run_id = recorded.show("smoke-running", "smoke-running", "smoke")
    result = logs(recorded, run_id, "train-netvlad", "--follow")
    assert result.stdout == recorded_log("ui-artifact-executor-logs-train-netvlad.txt")


@pytest.mark.parametrize("state", ["RUNNING", "CANCELING"])
@pytest.mark.parametrize("node", ["report", "train-dbof1-hard"])
def test_following_a_run_that_is_probably_dead_ends_with_its_figures(
    recorded: RecordedCluster, state: str, node: str
) -> None:
    run_id = recorded.show("paper-stuck")
    recorded.runs[run_id][0][0]["state"] = state
    result = logs(recorded, run_id, node, "--follow")
    assert result.exit_code == 2
    assert "Probably dead: the run's Workflow has 1,032,045 bytes, 98% of Argo's limit, and has not" in result.output
    assert "kubectl -n kubeflow delete workflow paper-6j68w" in result.output


def test_following_prints_what_a_pod_of_a_run_that_is_probably_dead_has_printed(recorded: RecordedCluster) -> None:
    run_id = recorded.show("paper-stuck")
    recorded.logs["paper-6j68w-metadata-0-2-retry-system-container-impl-3571889779"] = "epoch 1\n"
    result = logs(recorded, run_id, "train-dbof1-hard", "--follow")
    assert (result.exit_code, result.stdout) == (0, "epoch 1\n")
    assert "98% of Argo's limit" in result.stderr


def test_following_without_interface_is_an_error_at_once(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.has_interface = False
    result = logs(recorded, recorded.show("retries-running"), "sleeps", "--follow")
    assert result.exit_code == 2
    assert "is not the address of the user interface" in result.output


def test_a_pod_that_waits_says_why(recorded: RecordedCluster) -> None:
    run_id = recorded.show("retries-running")
    run, workflow = recorded.runs[run_id][0]
    workflow = json.loads(json.dumps(workflow))
    node = workflow["status"]["nodes"]["retries-mcvrg-1187698407"]
    node.update(phase="Pending", message="Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    recorded.runs[run_id] = [(run, workflow)]
    result = logs(recorded, run_id, "sleeps")
    assert result.exit_code == 2
    assert "no log yet: its pod waits: Unschedulable: 0/1 nodes are available" in result.output
