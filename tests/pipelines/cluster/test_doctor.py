"""`yt8m doctor` on a machine and with a cluster."""

import json

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.doctor import devices
from pipelines.doctor.devices import Driver, TensorFlow
from pipelines.doctor.finding import Finding
from tests.pipelines.cluster.kfp_server import KfpServer

pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Give the machine a TensorFlow that answers at once, and room."""
    monkeypatch.setattr(devices, "ask_tensorflow", lambda: TensorFlow(version="2.21.0"))
    monkeypatch.setattr(devices, "ask_driver", Driver)
    monkeypatch.setattr("pipelines.doctor.machine.check_memory", lambda: Finding("Memory", "8 GB"))
    monkeypatch.setattr("pipelines.doctor.packages.check_packages", lambda: Finding("Packages", "as locked"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def doctor(*options: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *options])


def health(server: KfpServer, **answer: object) -> None:
    """Let the server give this answer to the next two requests, which ask for its health."""
    server.failures = [(200, "application/json", json.dumps({"multi_user": False, **answer}))] * 2


def test_every_line_is_ok_on_a_fit_machine() -> None:
    result = doctor()
    assert result.exit_code == 0, result.output
    *lines, last = result.output.splitlines()
    subjects = [line.split()[1] for line in lines if line.startswith("OK ")]
    assert subjects == [
        *("Python", "Packages", "Keras", "TensorFlow", "GPU", "CPU", "Memory", "Writing", "Disk", "Docker"),
        *("gs://", "s3://"),
    ]
    assert last == "This machine is fit."


def test_a_problem_has_its_remedy_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Driver(exists=True, gpus=(("NVIDIA L4", "550.54.15", "23034", "0"),))
    monkeypatch.setattr(devices, "ask_driver", lambda: shown)
    result = doctor()
    assert result.exit_code == 1
    lines = result.output.splitlines()
    (number,) = [number for number, line in enumerate(lines) if line.startswith("PROBLEM")]
    assert "GPU" in lines[number]
    assert lines[number + 1].strip() == "Run `make env GPU=1`."
    assert lines[-1] == "This machine is not fit: 1 problem."


def test_json_has_the_same_findings() -> None:
    result = doctor("--json")
    found = json.loads(result.output)
    assert result.exit_code == 0
    assert found["fit"] is True
    assert found["findings"][0]["subject"] == "Python"
    assert all(finding["ok"] and finding["remedy"] == "" for finding in found["findings"])


def test_a_cluster_that_answers_is_fit(server: KfpServer) -> None:
    health(server, tag_name="2.17.0")
    result = doctor("--host", server.url)
    assert result.exit_code == 0, result.output
    assert f"{server.url} answers as the API of Kubeflow Pipelines." in result.output
    assert "Kubeflow Pipelines 2.17.0." in result.output
    assert "this account may list the runs" in result.output
    assert "This machine and this cluster are fit." in result.output
    assert {method for method, *_ in server.requests} == {"GET"}, "the doctor changes nothing"


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("unknown", "the server does not say its version (unknown); 2.17 is the tested one."),
        ("2.5.0", "Kubeflow Pipelines 2.5.0; tested with 2.17."),
    ],
)
def test_an_untested_version_is_told(tag: str, text: str, server: KfpServer) -> None:
    health(server, tag_name=tag)
    result = doctor("--host", server.url)
    assert result.exit_code == 0
    assert text in result.output


def test_a_version_that_cannot_execute_pipelines_is_a_problem(server: KfpServer) -> None:
    health(server, tag_name="1.8.22")
    result = doctor("--host", server.url)
    assert result.exit_code == 1
    assert "1.8.22 cannot execute pipelines of version 2" in result.output


def test_a_cluster_with_several_users_needs_a_namespace(server: KfpServer) -> None:
    health(server, multi_user=True)
    result = doctor("--host", server.url)
    assert result.exit_code == 1
    assert "--namespace NAME" in result.output


def test_an_account_that_may_not_list_runs_is_a_problem(server: KfpServer) -> None:
    health(server)
    server.failures.append((403, "application/json", '{"message": "not authorized"}'))
    result = doctor("--host", server.url)
    assert result.exit_code == 1
    assert "PROBLEM Access" in result.output
    assert "not authorized" in result.output


def test_a_cluster_that_cannot_be_reached_is_a_problem_with_the_remedy() -> None:
    result = doctor("--host", "http://localhost:9")
    assert result.exit_code == 1
    assert "PROBLEM Cluster" in result.output
    assert "connection refused" in result.output
    assert "port-forward" in result.output


def test_an_address_that_is_none_is_an_unusable_argument() -> None:
    result = doctor("--host", "localhost:8080")
    assert result.exit_code == 2
    assert "expected a URL that begins with http://" in result.output
    assert "OK" not in result.output, "before the checks, which take seconds"
