"""`yt8m status` on recorded runs of a real Kubeflow Pipelines, whose pipelines are of an earlier version."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from tests.pipelines.cluster import recordings
from tests.pipelines.cluster.recordings import MOMENTS, RecordedCluster, read

# google-cloud-storage warns once.
pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")

REPORT = f"minio://mlpipeline/{recordings.SMOKE_FOLDER}/report/8e4b0b70-cbab-4b56-a257-26e7f4e5b990/html"


def status(recorded: RecordedCluster, *moments: str, follow: bool = False) -> Result:
    run_id = recorded.show(*moments)
    options = ["--follow"] if follow else []
    result = CliRunner().invoke(main, ["status", run_id, "--host", recorded.url, *options])
    assert result.exit_code in {0, 1}, result.output
    return result


def rows(result: Result) -> dict[str, str]:
    """Return the lines of the table by name of the node, without the header."""
    lines = result.output.partition(" node ")[2].splitlines()[1:]
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line.startswith(" ")}


def states(result: Result) -> Counter[str]:
    words = ("done", "unchanged", "running", "waiting", "failed", "stopped", "not known")
    return Counter(word for row in rows(result).values() for word in words if f" {word} " in f" {row} ")


def test_a_finished_run_has_all_steps_done_although_kfp_shows_seven(recorded: RecordedCluster) -> None:
    result = status(recorded, "smoke")
    assert "36 of 36 nodes done, finished" in result.output
    assert rows(result)["train-netvlad"] == "netvlad done 30s 0.5923"
    assert rows(result)["evaluate-export"] == "done 15s 0.5396 250.3 kB"
    assert f"{recorded.url}/#/runs/details/32c6f43b-8158-47f7-9594-683d19bd32a4" in result.output
    assert f"Report: {REPORT}" in result.output
    assert "Model: minio://mlpipeline/v2/artifacts/smoke/" in result.output
    assert "reason" not in result.output


def test_the_warnings_of_the_report_stand_below_the_table(recorded: RecordedCluster) -> None:
    key = f"private-artifacts/yt8m/yt8m/records/report/{work('smoke', 'report')}"
    record = json.loads(recorded.objects[key])
    warning = {"node": "train-a", "title": "Training far above the hold-out", "text": "GAP 0.9, but 0.3."}
    recorded.objects[key] = json.dumps(record | {"details": {"warnings": [warning]}}).encode()
    result = status(recorded, "smoke")
    assert "1 warning; the report names causes and the settings to change:" in result.output
    assert "  train-a: Training far above the hold-out. GAP 0.9, but 0.3." in result.output


def test_steps_from_the_cache_are_unchanged_and_have_their_first_duration(recorded: RecordedCluster) -> None:
    result = status(recorded, "smoke-cached")
    assert "36 of 36 nodes done, finished" in result.output
    assert states(result)["unchanged"] == 36
    record = json.loads(recorded.objects["private-artifacts/yt8m/yt8m/records/train-netvlad/3a8251b01c0b.json"])
    assert rows(result)["train-netvlad"] == f"netvlad unchanged {round(record['seconds'])}s 0.5923"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("smoke-running", {"done": 1, "running": 1, "waiting": 34}),
        pytest.param("smoke-compressed", {"done": 10, "running": 1, "waiting": 25}, marks=pytest.mark.slow),
        ("paper-start", {"waiting": 126}),
        ("paper-failed", {"failed": 1, "waiting": 125}),
    ],
)
def test_a_run_on_its_way_has_true_states(recorded: RecordedCluster, moment: str, expected: dict[str, int]) -> None:
    assert states(status(recorded, moment)) == expected


def test_failures_have_their_reason_and_repetitions_their_number(recorded: RecordedCluster) -> None:
    table = rows(status(recorded, "retries"))
    assert table["fails"] == "failed 7s main: Error (exit code 1)"
    assert table["eats"] == "failed 8s main: OOMKilled (exit code 1)"
    assert table["sleeps"] == "done (attempt 2) 53s"
    assert rows(status(recorded, "retries-running"))["sleeps"].startswith("running (attempt 2) ")
    assert rows(status(recorded, "paper-failed"))["prepare"] == "failed 3s main: Error (exit code 1)"


def test_a_terminated_run_is_not_just_failed(recorded: RecordedCluster) -> None:
    result = status(recorded, "terminated")
    assert "0 of 1 nodes done, terminated" in result.output
    assert "Terminated on request, which Kubeflow calls failed: retry exceeded workflow deadline" in result.output
    assert rows(result)["fails"].startswith("failed (attempt 7) 5s main: Error (exit code 1)")
    recorded.has_v1beta1 = False
    assert "0 of 1 nodes done, terminated" in status(recorded, "terminated").output


def test_a_run_that_is_too_large_and_silent_is_probably_dead(recorded: RecordedCluster) -> None:
    result = status(recorded, "paper-stuck", follow=True)
    assert result.exit_code == 1
    assert "1 of 126 nodes done, probably dead" in result.output
    assert "1,032,045 bytes, 98% of Argo's limit, and has not changed for" in result.output
    assert "kubectl -n kubeflow delete workflow paper-6j68w" in result.output
    remedy = "Divide the recipe (`yt8m plan` shows the share of the limit, docs/scale.md how to divide an experiment)"
    assert remedy in result.output
    assert "nodeStatusOffLoad" in result.output
    assert "submit" not in result.output


def test_a_large_run_that_changed_a_minute_ago_is_running(recorded: RecordedCluster) -> None:
    run_id = recorded.show("paper-stuck")
    run, recording = recorded.runs[run_id][0]
    manifest = json.loads(recording["pipeline_runtime"]["workflow_manifest"])
    now = datetime.now(UTC) - timedelta(minutes=1)
    manifest["metadata"]["managedFields"][-1]["time"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    recording["pipeline_runtime"]["workflow_manifest"] = json.dumps(manifest)
    recorded.runs[run_id] = [(run, recording)]
    result = CliRunner().invoke(main, ["status", run_id, "--host", recorded.url])
    assert "1 of 126 nodes done, running" in result.output
    assert "dead" not in result.output


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (["RUNNING", "CANCELING", "FAILED"], "terminated"),
        (["RUNNING", "CANCELING", "FAILED", "RUNNING", "FAILED"], "failed"),
        (["RUNNING", "CANCELING"], "terminating"),
    ],
)
def test_the_history_tells_what_ended_a_run(recorded: RecordedCluster, history: list[str], expected: str) -> None:
    run_id = recorded.show("retries")
    run, _ = recorded.runs[run_id][0]
    changed = {**run, "state": history[-1], "state_history": [{"state": state} for state in history]}
    recorded.runs[run_id] = [(changed, {})]
    recorded.has_v1beta1 = False
    result = CliRunner().invoke(main, ["status", run_id, "--host", recorded.url])
    assert result.output.splitlines()[0].endswith(f" not known, {expected}")


@pytest.mark.slow
def test_states_in_a_database_come_from_records_and_the_rest_is_not_known(recorded: RecordedCluster) -> None:
    result = status(recorded, "paper-offloaded")
    assert "0 of 126 nodes done, 126 not known, finished" in result.output
    assert "nodeStatusOffLoad" in result.output
    record = recorded.objects["private-artifacts/yt8m/yt8m/records/prepare/" + work("smoke", "prepare")]
    key = "private-artifacts/yt8m/yt8m/records/prepare/" + work("paper-offloaded", "prepare")
    recorded.objects[key] = record
    result = status(recorded, "paper-offloaded")
    assert "1 of 126 nodes done, 125 not known, finished" in result.output
    assert rows(result)["prepare"].startswith("done ")


def work(moment: str, node: str) -> str:
    """Return the file name of a record by the key in the recorded pipeline."""
    spec = read(f"{MOMENTS[moment][0]}.json")["pipeline_spec"]
    spec = spec.get("pipeline_spec", spec)
    dags = (each["dag"] for each in (spec["root"], *spec["components"].values()) if "dag" in each)
    (task,) = (dag["tasks"][node] for dag in dags if node in dag["tasks"])
    return f"{task['inputs']['parameters']['key']['runtimeValue']['constant']}.json"


def test_without_v1beta1_states_come_from_the_records(recorded: RecordedCluster) -> None:
    recorded.has_v1beta1 = False
    result = status(recorded, "smoke", follow=True)
    assert result.exit_code == 0
    assert "36 of 36 nodes done, finished" in result.output
    assert rows(result)["train-netvlad"] == "netvlad done 18s 0.5923"
    assert f"Report: {REPORT}" in result.output
    assert "Kubeflow does not show the run's Workflow (API v1beta1): states come from the records" in result.output
    for key in list(recorded.objects):
        if "/records/report/" in key or "/records/export/" in key:
            del recorded.objects[key]
    result = status(recorded, "smoke-compressed")
    assert "34 of 36 nodes done, 2 not known, running" in result.output
    assert rows(result)["export"] == "not known"
    assert "2 steps have no record there" in result.output


def test_without_root_and_v1beta1_it_is_said_that_nothing_is_known(recorded: RecordedCluster) -> None:
    run_id = recorded.show("hello")
    assert "runtime_config" not in recorded.runs[run_id][0][0]
    recorded.has_v1beta1 = False
    lines = CliRunner().invoke(main, ["status", run_id, "--host", recorded.url]).output.splitlines()
    reason = "Kubeflow does not show the run's Workflow (API v1beta1)"
    assert lines[-2] == f"{reason}, and the run has no parameter `root`, under which its records would be."
    assert lines[-1].startswith("Of 2 steps nothing is known: whether they wait, run, failed or have ended")


@pytest.mark.slow
@pytest.mark.parametrize("has_v1beta1", [True, False])
def test_a_step_that_copied_earlier_work_is_unchanged(recorded: RecordedCluster, *, has_v1beta1: bool) -> None:
    recorded.has_v1beta1 = has_v1beta1
    folder = "private-artifacts/yt8m/yt8m/records"
    # The run was created at 1795723088, and its last pod ended at 1795723940.
    for node, ended in (("train-netvlad", 1795723000.0), ("report", 1795723938.0)):
        key = f"{folder}/{node}/{work('smoke', node)}"
        recorded.objects[key] = json.dumps({**json.loads(recorded.objects[key]), "ended": ended}).encode()
    table = rows(status(recorded, "smoke"))
    assert table["train-netvlad"] == "netvlad unchanged 18s 0.5923"
    assert table["report"].startswith("done ")


def test_a_record_that_a_later_run_replaced_is_not_that_of_this_run(recorded: RecordedCluster) -> None:
    folder = "private-artifacts/yt8m/yt8m/records"
    # The pod of the export ended at 1795723868; clocks may differ by a minute.
    for node, ended in (("train-netvlad", 1795823000.0), ("report", 1795823001.0), ("export", 1795723928.0)):
        key = f"{folder}/{node}/{work('smoke', node)}"
        recorded.objects[key] = json.dumps({**json.loads(recorded.objects[key]), "ended": ended}).encode()
    result = status(recorded, "smoke")
    assert "36 of 36 nodes done, finished" in result.output
    assert rows(result)["train-netvlad"] == "netvlad done 30s"
    assert rows(result)["evaluate-export"] == "done 15s 0.5396 250.3 kB"
    note = "GAP, sizes and artifacts are missing of steps whose records a later run replaced: train-netvlad, report"
    assert note in result.output.splitlines()
    assert "Report: " not in result.output
    assert "Summary: " not in result.output
    assert "Model: minio://" in result.output


def test_without_v1beta1_a_failed_step_of_a_small_run_is_known(recorded: RecordedCluster) -> None:
    recorded.has_v1beta1 = False
    found = rows(status(recorded, "retries"))
    assert (found["fails"], found["sleeps"]) == ("failed", "not known")


def test_a_damaged_record_hides_only_its_own_figures(recorded: RecordedCluster) -> None:
    recorded.objects[f"private-artifacts/yt8m/yt8m/records/report/{work('smoke', 'report')}"] = b'{"node": "rep'
    result = status(recorded, "smoke")
    assert rows(result)["report"] == "done 8s"
    assert rows(result)["train-netvlad"] == "netvlad done 30s 0.5923"
    assert "GAP and sizes are missing: 1 of 36 records are missing or damaged, such as: s3://" in result.output


def test_without_a_store_states_stay_and_the_table_says_what_is_missing(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YT8M_STORAGE_DEADLINE", "0.1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = status(recorded, "smoke")
    assert "36 of 36 nodes done, finished" in result.output
    assert "GAP and sizes are missing: s3://mlpipeline" in result.output


@pytest.mark.slow
def test_following_goes_on_while_argo_compresses_and_ends_with_the_run(recorded: RecordedCluster) -> None:
    result = status(recorded, "smoke-running", "smoke-compressed", "smoke", follow=True)
    assert result.exit_code == 0
    assert "[10/36] train-netvlad done in 30s  (GAP 0.5923)" in result.output
    assert "[36/36] report done in 8s" in result.output


@pytest.mark.parametrize(
    ("moments", "last"),
    [
        (("retries-running", "retries"), "1 of 3 nodes done, failed"),
        (("paper-start", "paper-failed"), "0 of 126 nodes done, failed"),
        (("terminated",), "terminated"),
    ],
)
def test_following_a_run_that_fails_ends_with_code_1(
    recorded: RecordedCluster, moments: tuple[str, ...], last: str
) -> None:
    result = status(recorded, *moments, follow=True)
    assert result.exit_code == 1
    assert last in result.output
