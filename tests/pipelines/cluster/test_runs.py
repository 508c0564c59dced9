"""`yt8m runs` against recorded answers of a real Kubeflow Pipelines."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.cluster import listing
from pipelines.cluster.listing import shrink
from tests.pipelines.cluster.commands import submit
from tests.pipelines.cluster.kfp_server import KfpServer
from tests.pipelines.cluster.recordings import RecordedCluster, read

# google-cloud-storage warns once.
pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")
SMOKE_RUN = "32c6f43b-8158-47f7-9594-683d19bd32a4"


def runs(url: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["runs", "--host", url, *options])


def table(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    return [line for line in lines if line and len(line[0]) == len(SMOKE_RUN)]


def asked(cluster: RecordedCluster) -> list[dict[str, str]]:
    """Return the queries of the requests for lists of runs."""
    urls = [urlsplit(path) for method, path, _ in cluster.requests if method == "GET"]
    return [{key: each[0] for key, each in parse_qs(url.query).items()} for url in urls if url.path.endswith("/runs")]


def test_runs_come_newest_first_with_recipe_state_age_and_duration(recorded: RecordedCluster) -> None:
    result = runs(recorded.url)
    rows = table(result)
    assert [row[0][:8] for row in rows] == ["95a3e0e3", "a079ff25", "32c6f43b", "2830b4d5", "ab394c85", "ec56e88f"]
    assert rows[0][1:6] == ["paper", "2026-11-26", "20-03-02", "paper", "pending"]
    assert rows[2][1:6] == ["smoke", "2026-11-26", "19-58-05", "smoke", "running"]
    # From 19:57:09 to 19:58:11, and from 19:54:23 to 19:56:16.
    assert rows[3][1:5] == ["hello", "1", "hello", "finished"]
    assert rows[3][-1] == "1m02s"
    assert rows[5][5:7] == ["failed", rows[5][6]]
    assert rows[5][-1] == "1m53s"
    assert "--next" not in result.output


def test_lists_are_requested_in_small_pages_and_continue(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    first = runs(recorded.url, "--limit", "3")
    assert [row[0][:8] for row in table(first)] == ["95a3e0e3", "a079ff25", "32c6f43b"]
    assert [(query["page_size"], query.get("page_token")) for query in asked(recorded)] == [("2", None), ("1", "2")]
    assert {query["sort_by"] for query in asked(recorded)} == {"created_at desc"}
    options = first.output.rpartition(" runs ")[2].split()
    assert options[2:] == ["--limit", "3", "--next", "3"]
    rest = CliRunner().invoke(main, ["runs", *options])
    assert [row[0][:8] for row in table(rest)] == ["2830b4d5", "ab394c85", "ec56e88f"]
    assert "--next" not in rest.output


def test_of_a_long_answer_little_is_kept(recorded: RecordedCluster) -> None:
    text = json.dumps(read("list-runs.json"))
    kept = json.dumps(json.loads(text, object_hook=shrink))
    assert len(text) > 3_000_000
    assert len(kept) < len(text) / 30
    assert json.loads(kept)["runs"][0]["runtime_config"]["parameters"]["root"].startswith("s3://")


def test_runs_of_an_experiment(recorded: RecordedCluster) -> None:
    assert [row[0][:8] for row in table(runs(recorded.url, "--experiment", "hello"))] == ["2830b4d5"]
    assert asked(recorded)[0]["experiment_id"] == "dc190c72-9ce0-4248-8434-80ab2edac49b"
    unknown = runs(recorded.url, "--experiment", "helo")
    assert unknown.exit_code == 2
    assert "Did you mean 'hello'?" in unknown.output


def test_a_terminated_run_is_not_called_failed(recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = read("run-v2beta1-terminated-failed.json")
    answer = {"runs": [entry, {**entry, "state": "CANCELING"}]}
    monkeypatch.setattr("tests.pipelines.cluster.recordings._page", lambda _: answer)
    assert [row[3:4] for row in table(runs(recorded.url))] == [["terminated"], ["canceling"]]


def test_the_gap_of_finished_runs_comes_from_the_record_of_their_report(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.show("smoke")
    recorded.show("hello")
    answer = {"runs": [read("run-v2beta1-smoke-succeeded.json"), read("list-runs.json")["runs"][2]]}
    monkeypatch.setattr("tests.pipelines.cluster.recordings._page", lambda _: answer)
    assert "GAP" not in runs(recorded.url).output
    rows = table(runs(recorded.url, "--gap"))
    assert (rows[0][5], rows[0][-1]) == ("finished", "0.5396")
    # hello has no report.
    assert rows[1][-1] == "1m02s"


def test_runs_without_a_gap_leave_the_others_theirs(recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.show("smoke")
    smoke: dict[str, Any] = read("run-v2beta1-smoke-succeeded.json")
    # The second one was deleted since.
    monkeypatch.setattr(
        "tests.pipelines.cluster.recordings._page", lambda _: {"runs": [{**smoke, "run_id": "0" * 36}, smoke]}
    )
    assert [row[-1] for row in table(runs(recorded.url, "--gap"))] == ["14m12s", "0.5396"]
    (record,) = [key for key in recorded.objects if "/records/report/" in key]
    told = json.loads(recorded.objects[record]) | {"details": {"part": "report"}}
    recorded.objects[record] = json.dumps(told).encode()
    assert runs(recorded.url, "--gap").output.count("0.5396 (report)") == 1
    recorded.objects[record] = b"{"
    assert [row[-1] for row in table(runs(recorded.url, "--gap"))] == ["14m12s", "14m12s"]
    del recorded.objects[record]
    assert [row[-1] for row in table(runs(recorded.url, "--gap"))] == ["14m12s", "14m12s"]


def test_a_store_that_cannot_be_reached_costs_only_the_gap(
    recorded: RecordedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = recorded.show("smoke")
    entry: dict[str, Any] = read("run-v2beta1-smoke-succeeded.json")
    recorded.runs[run_id][0][0]["runtime_config"]["parameters"] = {"root": "nowhere://bucket"}
    monkeypatch.setattr("tests.pipelines.cluster.recordings._page", lambda _: {"runs": [entry]})
    result = runs(recorded.url, "--gap")
    assert table(result)[0][5] == "finished"
    assert "GAP is missing: nowhere://bucket" in result.output


def test_the_recipe_of_a_run_of_a_named_version_is_its_pipeline(server: KfpServer) -> None:
    for _ in range(2):
        assert submit(server).exit_code == 0
    server.requests.clear()
    answer = {"runs": list(server.runs.values())}
    server.failures = [(200, "application/json", "{}"), (200, "application/json", json.dumps(answer))]
    result = runs(server.url)
    assert [line.split()[-4:-2] for line in result.output.splitlines()[1:]] == [["smoke", "pending"]] * 2
    # The pipeline is asked for once.
    assert [path for _, path, _, _ in server.requests][2:] == ["/apis/v2beta1/pipelines/pipelines-1"]
