"""`yt8m evaluate` of a run in a cluster: model and partition come from its store, the shards from where they are."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.cluster.access import ClusterAccess
from pipelines.cluster.client import Cluster
from pipelines.cluster.fetch import StepArtifacts
from pipelines.cluster.run import ClusterRun
from tests.pipelines.cluster.recordings import BUCKET, RecordedCluster

pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")


@pytest.mark.slow
def test_the_model_of_a_run_in_a_cluster_is_measured_on_the_part_that_decided_nothing(
    recorded: RecordedCluster, tmp_path: Path, shards: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.toy_ensemble import write_quantized_model  # noqa: PLC0415 - imports Keras
    from yt8m.stages.prepare import PrepareConfig, prepare  # noqa: PLC0415

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_quantized_model(tmp_path, 1, spec=shards.spec)
    for name, first in (("train", 0), ("validate", 20)):
        videos = [shards.video_of(number, labels=[number % 3, 9]) for number in range(first, first + 20)]
        shards.write(tmp_path / f"{name}.tfrecord", videos)
    config = PrepareConfig(
        training=(f"{tmp_path}/train*",), validation=(f"{tmp_path}/validate*",), holdout_shards=1, spec=shards.spec
    )
    reported = prepare(config=config, output=tmp_path / "partition").metrics["report_videos"]
    run_id = recorded.show("smoke")
    run = ClusterRun(Cluster(ClusterAccess(recorded.url)), run_id)
    uris = {node: StepArtifacts(run, node).uris for node in ("prepare", "train-netvlad")}
    recorded.objects[key_of(uris["prepare"]["partition"])] = (tmp_path / "partition").read_bytes()
    for path in (tmp_path / "float").iterdir():
        recorded.objects[f"{key_of(uris['train-netvlad']['model'])}/{path.name}"] = path.read_bytes()

    arguments = ["evaluate", "--run", run_id, "--model", "train-netvlad", "--host", recorded.url, "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["run"], found["node"]) == (run_id, "train-netvlad")
    assert (found["part"], found["videos"], found["shards"]) == ("report", reported, 1)

    result = CliRunner().invoke(main, [*arguments[:4], "netvald", *arguments[5:]])
    assert result.exit_code == 2
    assert f"run {run_id} has no model 'netvald'. Did you mean 'netvlad'?" in result.stderr


def key_of(uri: str) -> str:
    return uri.partition(f"://{BUCKET}/")[2]
