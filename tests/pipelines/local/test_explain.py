"""`yt8m run --explain`, on a run whose nodes left accounts of their work but were never executed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.kubeflow.compile import Compilation
from pipelines.kubeflow.component import PROCESS_IMAGE
from pipelines.local.events import Event
from pipelines.local.explain import keep_accounts
from pipelines.local.folder import WORK_FOLDER
from pipelines.runs.state import NodeState, RunState
from tests.support.changed_files import append, changed_file, replace
from yt8m import identity
from yt8m.records.files import list_files
from yt8m.records.record import NodeRecord

CLEAN = "would not run again: code, configuration, inputs and data are the same as when it was executed."


class Run:
    """A run that is complete, as far as its folder tells."""

    def __init__(self, folder: Path, raw: dict[str, Any]) -> None:
        self.root = folder / "run"
        self.recipe = folder / "recipe.yaml"
        self.recipe.write_text(yaml.safe_dump(raw, sort_keys=False))
        self._state = RunState(self.root, "small", {})
        self.compile(raw).finish(*self._compilation.plan.nodes)

    def compile(self, raw: dict[str, Any]) -> Self:
        """Let nodes that finish from now on do the work of a recipe."""
        self._compilation = Compilation(raw, "recipe", read_data=True)
        return self

    def finish(self, *nodes: str, steps: str = "steps") -> None:
        """Let nodes finish; their artifacts are in the folder `steps`, and their records have this text."""
        listener = keep_accounts(lambda *_: None, self._compilation.work, PROCESS_IMAGE)
        read = [ref for node in self._compilation.plan.nodes.values() for ref in node.references()]
        for node in nodes:
            outputs = {ref.output: str(self.root / steps / node / ref.output) for ref in read if ref.node == node}
            for path in map(Path, outputs.values()):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            record = self.root / "records" / node / f"{self._compilation.work[node].key}.json"
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(steps)
            outputs["record"] = str(record)
            self._state.nodes[node] = NodeState(title=node, state="done", outputs=outputs)
            listener(Event("done", node), self._state)
        self._state.save()

    def explain(self, node: str, *options: str) -> list[str]:
        arguments = ["run", str(self.recipe), "--root", str(self.root), "--explain", node, *options]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result.output.splitlines()


@pytest.fixture
def run(tmp_path: Path, raw: dict[str, Any]) -> Run:
    return Run(tmp_path, raw)


def test_a_node_whose_work_is_the_same_would_not_run_again(run: Run) -> None:
    assert run.explain("report") == [f"report {CLEAN}"]


def test_a_changed_entry_of_the_configuration_is_named_with_both_values(run: Run) -> None:
    lines = run.explain("train-vlad-a", "--set", "families.netvlad.candidates.vlad-a.training.epochs=4")
    assert lines == ["train-vlad-a would run:", "  configuration training.epochs: 3 -> 4"]


def test_the_cause_is_found_in_a_node_far_ahead(run: Run) -> None:
    lines = run.explain("average-dbof-a", "--set", "seed=4")
    assert lines == [
        "average-dbof-a would run:",
        "  input partition: prepare would run again",
        "  input model: train-dbof-a would run again",
        "generate would run:",
        "  configuration seed: 3 -> 4",
        "prepare would run:",
        "  configuration seed: 3 -> 4",
        "  input shards: generate would run again",
        "train-dbof-a would run:",
        "  configuration training.seed: 3 -> 4",
        "  input partition: prepare would run again",
    ]


@pytest.mark.parametrize(
    ("node", "file", "edit", "line"),
    [
        ("train-vlad-a", "yt8m/layers/netvlad.py", replace("- totals", "+ totals"), "source file"),
        ("train-vlad-a", "components/train.py", replace("locals()", "dict(locals())"), "source file"),
        ("report", "yt8m/report/templates/headline.j2", append("<p>"), "data file"),
    ],
)
def test_a_changed_source_or_data_file_is_named(
    run: Run, node: str, file: str, edit: Callable[[str], str], line: str
) -> None:
    with changed_file(file, edit):
        assert run.explain(node) == [f"{node} would run:", f"  {line} {file}: changed"]
        assert run.explain("prepare") == [f"prepare {CLEAN}"]


def test_a_changed_version_of_a_package_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpu.lock").write_text("keras==99.0\ntensorflow-cpu==2.21.0\n")
    keras = identity.package_versions()["keras"]
    monkeypatch.setattr(identity, "_LOCK", tmp_path / "cpu.lock")
    assert run.explain("generate") == ["generate would run:", f'  package keras: "{keras}" -> "99.0"']


def test_changed_shards_are_named(tmp_path: Path, raw: dict[str, Any]) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.tfrecord").write_text("1")
    run = Run(tmp_path, {**raw, "data": {"validation": [f"{tmp_path}/*.tfrecord"], "holdout_shards": 1}})
    (tmp_path / "a.tfrecord").write_text("22")
    (tmp_path / "b.tfrecord").unlink()
    (tmp_path / "c.tfrecord").write_text("1")
    assert run.explain("prepare") == [
        "prepare would run:",
        f"  data file {tmp_path}/a.tfrecord: changed",
        f"  data file {tmp_path}/b.tfrecord: removed",
        f"  data file {tmp_path}/c.tfrecord: new",
    ]


def test_another_image_and_other_baselines_are_named(run: Run) -> None:
    docker = run.explain("prepare", "--runner", "docker", "--image", "yt8m:other")
    assert docker[:2] == ["prepare would run:", f'  image: "{PROCESS_IMAGE}" -> "yt8m:other"']
    lines = run.explain("report", "--set", "students.dbof-s.like=dbof-b")
    assert '  configuration students.dbof-s.baseline: "dbof-a" -> "dbof-b"' in lines


def test_another_order_of_numbered_inputs_is_named(run: Run) -> None:
    lines = run.explain("search-weights", "--set", "ensemble.members=[vlad-2, dbof-s]")
    assert lines[0] == "search-weights would run:"
    assert '  parameter names.offers: ["dbof-s", "vlad-2"] -> ["vlad-2", "dbof-s"]' in lines


def test_an_artifact_that_is_gone_is_named(run: Run) -> None:
    path = run.root / "steps" / "train-dbof-a" / "model"
    path.unlink()
    assert run.explain("train-dbof-a") == ["train-dbof-a would run:", f"  output model: {path} is gone"]


def test_an_input_that_was_made_again_since_is_named(run: Run) -> None:
    run.finish("train-dbof-a", steps="later")
    assert run.explain("average-dbof-a") == [
        "average-dbof-a would run:",
        "  input model: train-dbof-a was executed again since",
    ]


def test_a_record_that_changed_since_it_was_read_is_named(run: Run) -> None:
    # No node reads an artifact of this one.
    run.finish("train-vlad-a", steps="later")
    line = "  input records.train-vlad-a: train-vlad-a was executed again since"
    assert run.explain("report")[:2] == ["report would run:", line]
    run.finish("export", "report")
    assert run.explain("report") == [f"report {CLEAN}"]


def test_an_earlier_execution_of_the_same_work_counts(run: Run, raw: dict[str, Any], tmp_path: Path) -> None:
    setting = "families.dbof.candidates.dbof-a.training.epochs=4"
    raw["families"]["dbof"]["candidates"]["dbof-a"]["training"] = {"epochs": 4}
    nodes = ("train-dbof-a", "average-dbof-a")
    run.compile(raw).finish(*nodes, steps="later")
    for node in nodes:
        assert run.explain(node) == run.explain(node, "--set", setting) == [f"{node} {CLEAN}"]
    assert run.explain("train-dbof-a", "--set", setting.replace("4", "5"))[1:] == [
        "  configuration training.epochs: 4 -> 5"
    ]


def test_another_input_is_named(run: Run) -> None:
    lines = run.explain("quantize-vlad-2", "--set", "students.vlad-2.average=always")
    assert "  input model: train-vlad-2.model -> average-vlad-2.averaged" in lines


def test_a_run_of_an_earlier_version_has_no_accounts_which_is_told(run: Run) -> None:
    (run.root / WORK_FOLDER / "prepare.json").unlink()
    (line,) = run.explain("prepare")[1:]
    assert line == "  another version of yt8m executed it, which left no account of its code and inputs"
    (run.root / WORK_FOLDER / "prepare.json").write_text(json.dumps({"made": "otherwise"}))
    assert run.explain("prepare")[1:] == [line]


def test_a_node_that_has_never_finished_would_run(run: Run, tmp_path: Path) -> None:
    run.root = tmp_path / "new"
    assert run.explain("generate") == ["generate would run:", f"  no execution in {run.root} has finished yet"]
    assert not run.root.exists()


def test_an_unknown_node_is_refused_with_the_nearest(run: Run) -> None:
    result = CliRunner().invoke(main, ["run", str(run.recipe), "--root", str(run.root), "--explain", "train-vlad-b"])
    assert result.exit_code == 2
    assert "no node 'train-vlad-b'. Did you mean 'train-vlad-" in result.output


def test_a_node_whose_record_has_all_files_would_be_copied_in_another_image(run: Run) -> None:
    for node in ("generate", "prepare"):
        (record,) = (run.root / "records" / node).iterdir()
        output = "shards" if node == "generate" else "partition"
        artifact = run.root / "steps" / node / output
        artifact.write_text("made")
        made = NodeRecord(
            node=node, stage=node, artifacts={output: str(artifact)}, files={output: list_files(artifact)}
        )  # fmt: skip
        record.write_text(made.model_dump_json())
    options = ("--runner", "docker", "--image", "yt8m:other")
    lines = run.explain("prepare", *options)
    assert lines == [f"prepare {CLEAN}", "Its step would start and copy the result, because the image is another one."]
    (run.root / "steps" / "prepare" / "partition").write_text("longer than it was")
    assert run.explain("prepare", *options)[0] == "prepare would run:"
