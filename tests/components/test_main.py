"""Steps as processes: by the entry of pods, and in the form with the function's source."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kfp import dsl

from components.prepare import prepare
from tests.support.paths import REPOSITORY
from yt8m.data.format import RecordLayout
from yt8m.stages.prepare import PrepareConfig

SCHEMAS = {"partition": "system.Dataset", "page": "system.HTML", "executor-logs": "system.Artifact"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, shards: SimpleNamespace) -> PrepareConfig:
    folder = tmp_path_factory.mktemp("data")
    for name, count in (("train", 18), ("validate", 11)):
        videos = [shards.video_of(100 * count + number, labels=[number % 3, 9]) for number in range(count)]
        shards.write(folder / f"{name}0.tfrecord", videos)
    training, validation = (f"{folder}/train*",), (f"{folder}/validate*",)
    return PrepareConfig(training=training, validation=validation, holdout_shards=1, spec=shards.spec)


def executor_input(folder: Path, config: PrepareConfig) -> str:
    """Describe the step as KFP's launcher does."""
    parameters = {
        "node": "prepare", "config": config.dump_changes(), "root": f"{folder}/root", "key": "k1", "data_key": "",
        "data_version": "",
    }  # fmt: skip
    artifacts = {
        name: {"artifacts": [{"name": name, "type": {"schemaTitle": schema}, "uri": f"{folder}/{name}"}]}
        for name, schema in SCHEMAS.items()
    }
    outputs = {"artifacts": artifacts, "outputFile": f"{folder}/output_metadata.json"}
    return json.dumps({"inputs": {"parameterValues": parameters}, "outputs": outputs})


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False
    )


def run_entry(stage: str, given: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "components", stage, given])


def run_source(given: str) -> subprocess.CompletedProcess[str]:
    """Execute the command that KFP makes of the function for its local runners."""
    made: Any = dsl.component(prepare, base_image="image", install_kfp_package=False, packages_to_install=[])
    container = made.component_spec.implementation.container
    command = [given if str(word) == "{{$}}" else str(word) for word in (*container.command, *container.args)]
    return run([word.replace("python3 ", f"{sys.executable} ") for word in command])


def test_the_entry_writes_what_the_launcher_reads_and_the_record(tmp_path: Path, config: PrepareConfig) -> None:
    done = run_entry("prepare", executor_input(tmp_path, config))
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "output_metadata.json").read_text())["artifacts"]
    assert {name: each["artifacts"][0]["uri"] for name, each in written.items()} == {
        name: f"{tmp_path}/{name}" for name in SCHEMAS
    }
    assert len(json.loads((tmp_path / "partition").read_text())["training"]) == 1
    assert "</html>" in (tmp_path / "page").read_text()
    record = json.loads((tmp_path / "root" / "records" / "prepare" / "k1.json").read_text())
    assert record["metrics"]["training_videos"] == 18
    assert record["config"] == config.model_dump(mode="json")


def test_the_log_of_the_entry_has_our_own_lines_only(tmp_path: Path, config: PrepareConfig) -> None:
    done = run_entry("prepare", executor_input(tmp_path, config))
    assert re.fullmatch(r"prepare: 18 training videos, 11 hold-out videos, [\d.]+ kB, \d+s\n", done.stdout)
    assert {line.partition(":")[0] for line in done.stderr.splitlines()} <= {"training shards", "hold-out shards"}


@pytest.mark.slow
def test_both_forms_have_equal_results(tmp_path: Path, config: PrepareConfig) -> None:
    for name, execute in (("entry", lambda given: run_entry("prepare", given)), ("source", run_source)):
        (tmp_path / name).mkdir()
        done = execute(executor_input(tmp_path / name, config))
        assert done.returncode == 0, done.stderr
    by_entry, by_source = (tmp_path / name for name in ("entry", "source"))
    assert (by_entry / "partition").read_text() == (by_source / "partition").read_text()
    record, other = (
        json.loads((folder / "root" / "records" / "prepare" / "k1.json").read_text())
        for folder in (by_entry, by_source)
    )
    assert record["details"] == other["details"]
    assert record.keys() == other.keys()


def test_an_error_that_a_user_can_fix_has_no_traceback(tmp_path: Path, config: PrepareConfig) -> None:
    missing = config.model_copy(update={"training": (f"{tmp_path}/none*",)})
    done = run_entry("prepare", executor_input(tmp_path, missing))
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "none*" in done.stderr
    assert "Traceback" not in done.stderr


def test_prepare_refuses_records_of_another_layout_with_the_line_for_the_recipe(
    tmp_path: Path, config: PrepareConfig
) -> None:
    other = config.spec.model_copy(update={"layout": RecordLayout(id="key")})
    done = run_entry("prepare", executor_input(tmp_path, config.model_copy(update={"spec": other})))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "record 0 (id unknown): no 'key', the key of the id" in done.stderr
    assert "`data: {spec: {layout: {id: ''}}}`" in done.stderr
    assert not (tmp_path / "partition").exists()


def test_prepare_refuses_a_file_that_only_a_later_step_reads(tmp_path: Path, config: PrepareConfig) -> None:
    given = json.loads(executor_input(tmp_path, config))
    given["inputs"]["parameterValues"]["named_files"] = "{export.vocabulary: /none.csv}"
    done = run_entry("prepare", json.dumps(given))
    assert done.returncode == 2
    assert done.stderr.startswith("Error: export.vocabulary: /none.csv: there is no such file.")
    assert not (tmp_path / "partition").exists()


def test_a_stage_that_the_image_lacks_is_refused_with_the_remedy(tmp_path: Path, config: PrepareConfig) -> None:
    done = run_entry("collect", executor_input(tmp_path, config))
    assert done.returncode == 2
    assert done.stderr.startswith("Error: collect: this image has no such stage. Use the image of the version")


def test_other_errors_keep_their_traceback(tmp_path: Path) -> None:
    done = run_entry("prepare", "no JSON")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
