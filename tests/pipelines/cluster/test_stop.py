"""`yt8m stop` of runs in a cluster and on this machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.local.folder import LOCK_FILE, is_locked, lock_root
from tests.pipelines.cluster.recordings import RecordedCluster

# Holds the lock of a run's folder until it is asked to stop.
HOLDER = """
import sys, time
from pathlib import Path
from pipelines.local.folder import lock_root
with lock_root(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def stop(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["stop", *arguments, "--host", url])


def ends(cluster: RecordedCluster) -> list[str]:
    return [path for method, path, _ in cluster.requests if method == "POST"]


def test_a_running_run_is_terminated_and_what_happens_is_said(recorded: RecordedCluster) -> None:
    run_id = recorded.show("smoke-running")
    result = stop(recorded.url, run_id)
    assert result.exit_code == 0, result.output
    assert ends(recorded) == [f"/apis/v2beta1/runs/{run_id}:terminate"]
    assert "shows it as CANCELING, and then as FAILED" in result.output
    assert f"yt8m rerun {run_id} --from-failed --host {recorded.url}" in result.output
    command = f"kubectl -n kubeflow delete workflow -l pipeline/runid={run_id}"
    assert f"If it is still CANCELING after ten minutes: {command}" in result.output


@pytest.mark.parametrize(
    ("moment", "state"), [("smoke", "finished"), ("terminated", "terminated"), ("paper-failed", "failed")]
)
def test_a_run_that_has_ended_is_not_stopped(recorded: RecordedCluster, moment: str, state: str) -> None:
    result = stop(recorded.url, recorded.show(moment))
    assert result.exit_code == 2
    assert f"the run has ended already, it is {state}." in result.output
    assert ends(recorded) == []


def test_a_run_that_is_being_stopped_is_not_stopped_again(recorded: RecordedCluster) -> None:
    run_id = recorded.show("smoke-running")
    recorded.runs[run_id][0] = ({**recorded.runs[run_id][0][0], "state": "CANCELING"}, {})
    result = stop(recorded.url, run_id)
    assert result.exit_code == 2
    assert "somebody has stopped the run already" in result.output
    assert "If it is still CANCELING after ten minutes: kubectl" in result.output
    assert ends(recorded) == []


@pytest.mark.parametrize("state", ["RUNNING", "CANCELING"])
def test_a_run_that_is_probably_dead_is_to_be_divided_and_not_continued(recorded: RecordedCluster, state: str) -> None:
    run_id = recorded.show("paper-stuck")
    recorded.runs[run_id][0][0]["state"] = state
    result = stop(recorded.url, run_id)
    assert result.exit_code == (2 if state == "CANCELING" else 0)
    assert len(ends(recorded)) == (state == "RUNNING")
    assert "kubectl -n kubeflow delete workflow paper-6j68w" in result.output
    assert "Divide the recipe (`yt8m plan` shows the share" in result.output
    assert "--from-failed" not in result.output
    assert "FAILED" not in result.output


def test_a_run_whose_workflow_cannot_be_read_is_stopped(recorded: RecordedCluster) -> None:
    run_id = recorded.show("smoke-running")
    recorded.runs[run_id][0][1].clear()
    recorded.runs[run_id][0][1]["pipeline_runtime"] = {"workflow_manifest": "{"}
    assert stop(recorded.url, run_id).exit_code == 0
    assert len(ends(recorded)) == 1


def test_a_run_in_this_machine_s_folder_is_asked_to_stop(tmp_path: Path) -> None:
    tmp_path.joinpath("nodes.json").write_text("{}")
    idle = CliRunner().invoke(main, ["stop", str(tmp_path)])
    assert (idle.exit_code, "nothing to stop" in idle.output) == (2, True)
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        result = CliRunner().invoke(main, ["stop", str(tmp_path)])
        assert result.exit_code == 0, result.output
        assert f"asked process {process.pid} to stop" in result.output
        assert process.wait(60) == -signal.SIGTERM
    assert not is_locked(tmp_path)


def test_a_process_that_does_not_hold_the_lock_is_left_alone(tmp_path: Path) -> None:
    tmp_path.joinpath("nodes.json").write_text("{}")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with lock_root(tmp_path):
            for holder in (str(other.pid), "999999999", ""):
                (tmp_path / LOCK_FILE).write_text(holder)
                result = CliRunner().invoke(main, ["stop", str(tmp_path)])
                assert result.exit_code == 2
                assert "Press Ctrl-C where the run was started" in result.output
        assert other.poll() is None
        os.kill(other.pid, signal.SIGKILL)
