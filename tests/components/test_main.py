"""Steps as processes: by the entry of pods, and in the form with the function's source."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kfp import dsl

from components import __main__ as entry
from components.prepare import prepare
from tests.support.paths import REPOSITORY
from tests.support.trainings import resolved
from yt8m.data.format import RecordLayout
from yt8m.data.partition import Partition
from yt8m.stages.prepare import PrepareConfig
from yt8m.training.provenance import Provenance, SeenVideos
from yt8m.yaml_files import dump_line

Done = subprocess.CompletedProcess[str]
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


def run(command: list[str]) -> Done:
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False
    )


def run_entry(stage: str, given: str) -> Done:
    return run([sys.executable, "-m", "components", stage, given])


def run_source(given: str) -> Done:
    """Execute the command that KFP makes of the function for its local runners."""
    made: Any = dsl.component(prepare, base_image="image", install_kfp_package=False, packages_to_install=[])
    container = made.component_spec.implementation.container
    command = [given if str(word) == "{{$}}" else str(word) for word in (*container.command, *container.args)]
    return run([word.replace("python3 ", f"{sys.executable} ") for word in command])


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory, config: PrepareConfig) -> tuple[Path, Done]:
    """The folder and the process of a step that succeeded."""
    folder = tmp_path_factory.mktemp("executed")
    return folder, run_entry("prepare", executor_input(folder, config))


def test_the_entry_writes_what_the_launcher_reads_and_the_record(
    executed: tuple[Path, Done], config: PrepareConfig
) -> None:
    folder, done = executed
    assert done.returncode == 0, done.stderr
    written = json.loads((folder / "output_metadata.json").read_text())["artifacts"]
    assert {name: each["artifacts"][0]["uri"] for name, each in written.items()} == {
        name: f"{folder}/{name}" for name in SCHEMAS
    }
    assert len(json.loads((folder / "partition").read_text())["training"]) == 1
    assert "</html>" in (folder / "page").read_text()
    record = json.loads((folder / "root" / "records" / "prepare" / "k1.json").read_text())
    assert record["metrics"]["training_videos"] == 18
    assert record["config"] == config.model_dump(mode="json")


def test_the_log_of_the_entry_has_our_own_lines_only(executed: tuple[Path, Done]) -> None:
    _, done = executed
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


@pytest.mark.slow
def test_an_error_that_a_user_can_fix_has_no_traceback(tmp_path: Path, config: PrepareConfig) -> None:
    missing = config.model_copy(update={"training": (f"{tmp_path}/none*",)})
    done = run_entry("prepare", executor_input(tmp_path, missing))
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "none*" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str, str], str]:
    """Function that executes a step in this process, where it ends with code 2, and returns what it printed."""

    def refuse(stage: str, given: str) -> str:
        monkeypatch.setenv("_KFP_RUNTIME", "")  # restored at the end
        monkeypatch.setattr(entry, "quiet_logs", lambda: None)
        monkeypatch.setattr(sys, "argv", ["components", stage, given])
        with pytest.raises(SystemExit, match=r"^2$"):
            entry.main()
        return capsys.readouterr().err

    return refuse


def test_prepare_refuses_records_of_another_layout_with_the_line_for_the_recipe(
    tmp_path: Path, config: PrepareConfig, refuse: Callable[[str, str], str]
) -> None:
    other = config.spec.model_copy(update={"layout": RecordLayout(id="key")})
    printed = refuse("prepare", executor_input(tmp_path, config.model_copy(update={"spec": other})))
    assert "record 0 (id unknown): no 'key', the key of the id" in printed
    assert "`data: {spec: {layout: {id: ''}}}`" in printed
    assert not (tmp_path / "partition").exists()


def test_prepare_refuses_a_file_that_only_a_later_step_reads(
    tmp_path: Path, config: PrepareConfig, refuse: Callable[[str, str], str]
) -> None:
    given = json.loads(executor_input(tmp_path, config))
    given["inputs"]["parameterValues"]["named_files"] = "{export.vocabulary: /none.csv}"
    printed = refuse("prepare", json.dumps(given))
    assert printed.startswith("Error: export.vocabulary: /none.csv: there is no such file.")
    assert not (tmp_path / "partition").exists()


def test_prepare_refuses_a_model_of_a_run_with_another_hold_out(
    tmp_path: Path, config: PrepareConfig, executed: tuple[Path, Done], refuse: Callable[[str, str], str]
) -> None:
    known = Partition.load(executed[0] / "partition")
    known.model_copy(update={"training": known.holdout, "holdout": known.training}).save(tmp_path / "theirs")
    for name, partition in (("same", executed[0] / "partition"), ("other", tmp_path / "theirs")):
        (tmp_path / name).mkdir()
        seen = (SeenVideos.of(Partition.load(partition)),)
        Provenance(training=resolved(), label_weight=1.0, examples=1, seen=seen).save(tmp_path / name)
    given = json.loads(executor_input(tmp_path, config))
    models = {f"from: /run: {name}: member": f"{tmp_path}/{name}" for name in ("same", "other")}
    given["inputs"]["parameterValues"]["named_files"] = dump_line(models)
    printed = refuse("prepare", json.dumps(given))
    said = f"\nError: from: /run: other: member: {tmp_path}/other: a run with another hold-out cannot take this model: "
    assert said in printed
    assert "validate0.tfrecord is a hold-out shard here, and was a training shard of that model." in printed
    assert not list((tmp_path / "root").rglob("*.json"))


def test_a_stage_that_the_image_lacks_is_refused_with_the_remedy(
    tmp_path: Path, config: PrepareConfig, refuse: Callable[[str, str], str]
) -> None:
    printed = refuse("collect", executor_input(tmp_path, config))
    assert printed.startswith("Error: collect: this image has no such stage. Use the image of the version")


def test_other_errors_keep_their_traceback(tmp_path: Path) -> None:
    done = run_entry("prepare", "no JSON")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
