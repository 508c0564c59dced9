"""Schedules: `yt8m submit --schedule`, `yt8m runs --schedules`, `yt8m stop`."""

import pytest

from tests.pipelines.cluster.commands import ROOT, call, submit
from tests.pipelines.cluster.kfp_server import KfpServer
from tests.pipelines.cluster.recordings import BUCKET, RecordedCluster
from tests.support.paths import RECIPES

# google-cloud-storage warns once.
pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")


# Days that there are in some year: 29 February, 31 March, 1 and 31 February, all Mondays and no 31 February.
DAYS = ("0 3 29 2 *", "0 3 31 2,3 *", "0 3 */30 2 *", "0 3 31 2 mon", "0 3 28-31 feb *")


def schedule(server: KfpServer, cron: str = "30 3 * * 1", name: str = "weekly") -> None:
    result = submit(server, "--schedule", cron, "--name", name)
    assert result.exit_code == 0, result.output


def test_a_schedule_starts_runs_of_the_uploaded_version_one_at_a_time(server: KfpServer) -> None:
    schedule(server)
    assert not server.runs
    (made,) = server.schedules.values()
    assert made["display_name"] == "weekly"
    # KFP's cron begins with the seconds.
    assert made["trigger"] == {"cron_schedule": {"cron": "0 30 3 * * 1"}}
    # The server's JSON has 64-bit numbers as it likes; the client sends a number.
    assert (int(made["max_concurrency"]), made["no_catchup"], made["mode"]) == (1, True, "ENABLE")
    assert made["pipeline_version_reference"]["pipeline_version_id"] == "versions-1"
    assert made["runtime_config"]["parameters"] == {"root": ROOT}
    assert made["experiment_id"] == "experiments-1"


def test_prepare_looks_at_the_data_of_every_run_of_a_schedule(server: KfpServer, recorded: RecordedCluster) -> None:
    # A store that can be read from here, so that a single run has the fingerprints of its data.
    recorded.objects |= {f"data/{part}{n}.tfrecord": b"shard" for part in ("train", "test") for n in range(3)}
    data = [
        option
        for key, part in (("training", "train"), ("validation", "test"))
        for option in ("--set", f"data.{key}=['s3://{BUCKET}/data/{part}*.tfrecord']")
    ]
    recipe = (str(RECIPES / "video-level.yaml"), "--root", ROOT, "--image", "registry.example/yt8m:1")
    for options in ([], ["--schedule", "30 3 * * 1", "--name", "weekly"]):
        result = call(server, "submit", *recipe, *data, *options)
        assert result.exit_code == 0, result.output
    single, scheduled = [
        spec.get("pipeline_spec", spec)["root"]["dag"]["tasks"]["prepare"] for spec in server.versions.values()
    ]
    assert single["inputs"]["parameters"]["data_version"]["runtimeValue"]["constant"]
    assert scheduled["inputs"]["parameters"]["data_version"]["runtimeValue"]["constant"] == ""
    assert single["cachingOptions"] == {"enableCache": True}
    assert scheduled["cachingOptions"] == {}


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("0 30 3 * * 1", "expected five fields"),
        ("@daily", "received 1"),
        ("60 * * * *", "minute: expected * or numbers from 0 to 59"),
        ("0 24 * * *", "hour"),
        ("0 0 0 * *", "day of the month"),
        ("0 0 1 13 *", "month: expected * or numbers from 1 to 12 or jan to dec"),
        ("0 0 * * 7", "day of the week: expected * or numbers from 0 to 6 or sun to sat"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("1, * * * *", "received '1,'"),
        ("0 3 31 2 */2", "would never start a run"),
        ("0 3 31 2 *", "would never start a run"),
        ("0 3 30,31 feb *", "that has at most 29 days. Give a day from 1 to 29, or another month."),
        ("0 3 31/2 2,4-6/2,sep,11 *", "that has at most 30 days"),
    ],
)
def test_times_that_are_not_valid_are_refused(server: KfpServer, cron: str, problem: str) -> None:
    result = submit(server, "--schedule", cron, "--name", "weekly")
    assert result.exit_code == 2
    assert problem in " ".join(result.output.split())
    assert not server.requests


@pytest.mark.parametrize("cron", ["*/15 0-6,22 1,15 JAN-mar MON-FRI", "0 0 * * sun", "0 1-23/2 * * *", *DAYS])
def test_all_of_a_standard_expression_is_accepted(server: KfpServer, cron: str) -> None:
    schedule(server, cron)
    assert server.schedules["schedules-1"]["trigger"]["cron_schedule"]["cron"] == f"0 {cron}"


def test_a_schedule_needs_a_name_of_its_own(server: KfpServer) -> None:
    result = submit(server, "--schedule", "30 3 * * 1")
    assert result.exit_code == 2
    assert "give the schedule a name, --name NAME" in result.output
    schedule(server)
    versions = len(server.versions)
    again = submit(server, "--schedule", "30 4 * * 1", "--name", "weekly", "--set", "training.epochs=9")
    assert again.exit_code == 2
    assert "--name weekly: there is a schedule with this name already (schedules-1)" in again.output
    assert "yt8m stop weekly --delete" in again.output
    assert (len(server.schedules), len(server.versions)) == (1, versions)


def test_schedules_are_listed_disabled_and_deleted(server: KfpServer) -> None:
    schedule(server)
    schedule(server, "0 0 1 * *", "monthly")
    listed = call(server, "runs", "--schedules")
    assert "schedules-1  weekly   smoke   30 3 * * 1" in listed.output
    assert "UTC unless it was changed" in listed.output
    stopped = call(server, "stop", "monthly")
    assert stopped.exit_code == 0, stopped.output
    assert "disabled" in stopped.output
    lines = {line.split()[1]: line.split()[-1] for line in call(server, "runs", "--schedules").output.splitlines()[1:3]}
    assert lines == {"weekly": "enabled", "monthly": "disabled"}
    assert "deleted" in call(server, "stop", "schedules-1", "--delete").output
    assert [each["display_name"] for each in server.schedules.values()] == ["monthly"]
    unknown = call(server, "stop", "yearly")
    assert unknown.exit_code == 2
    assert "there is neither a run nor a schedule 'yearly'" in unknown.output


def test_a_run_is_not_deleted(server: KfpServer) -> None:
    assert submit(server, "--name", "mine").exit_code == 0
    assert server.runs["runs-1"]["display_name"] == "mine"
    result = call(server, "stop", "runs-1", "--delete")
    assert result.exit_code == 2
    assert "--delete is for schedules" in result.output
    assert not [path for _, path, _, _ in server.requests if path.endswith(":terminate")]


def test_of_two_schedules_with_a_name_the_id_is_asked_for(server: KfpServer) -> None:
    schedule(server)
    server.schedules["other"] = {**server.schedules["schedules-1"], "recurring_run_id": "other"}
    result = call(server, "stop", "weekly")
    assert result.exit_code == 2
    assert "Give the id of one: schedules-1, other." in result.output
