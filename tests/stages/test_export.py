import hashlib
import re
import shutil
from collections import Counter
from typing import Any

import pytest
from safetensors.numpy import load_file

from tests.support.toy_ensemble import (
    SHARES,
    SPEC,
    export_ensemble,
    write_member,
    write_partition,
    write_quantized_model,
    write_weights,
)
from yt8m.data.format import DataSpec
from yt8m.data.vocabulary.names import read_vocabulary
from yt8m.errors import BudgetError, ConfigError, DataError
from yt8m.export.budget import directory_bytes
from yt8m.export.description import ExportDescription
from yt8m.models.files import read_description
from yt8m.records.record import NodeRecord
from yt8m.stages.evaluate import EvaluateConfig, evaluate
from yt8m.stages.export import ExportConfig, export
from yt8m.stages.export import _warnings as warnings_of
from yt8m.stages.result import StageResult


def test_the_export_describes_itself(exported, toy_models):
    described = ExportDescription.load(exported)
    assert described.data == SPEC.model_copy(update={"ranges": {"rgb": (-2.0, 2.0), "audio": (-2.0, 2.0)}})
    assert "255 / (high - low)" in described.quantization
    assert {name: member.weight for name, member in described.members.items()} == SHARES
    sizes = {name: (folder / "weights.safetensors").stat().st_size for name, folder in toy_models.items()}
    assert {name: member.size_bytes for name, member in described.members.items()} == sizes


def test_the_card_names_members_and_loads_the_model_as_it_says(exported):
    card = (exported / "README.md").read_text()
    assert card == (exported.parent / "card.md").read_text()
    assert "| second | dbof | 0.3500 | 8 |" in card
    assert "has 0.79000 on the report videos, and 0.81000 on the hold-out videos that were used to choose" in card
    assert "Before quantization it has 0.79004: quantization changes GAP by -0.00004." in card
    bytes_code, floats_code = (part.split("```")[0] for part in card.split("```python\n")[1:])
    assert len(bytes_code.strip().splitlines()) == 6
    names: dict[str, Any] = {}
    exec(bytes_code.replace("PATH/OF/THIS/FOLDER", str(exported)), names)
    exec(floats_code, names)
    assert names["top"]["scores"].shape == (1, 20)
    assert "The scores of a video need not sum to 1." in card
    # The four videos of the toy partition have one label each.
    assert re.search(r"\nGAP@20: \*\*0\.\d{5}\*\* .*\n(.*\n)+Accuracy: \*\*0\.\d{5}\*\* on the report videos", card)


@pytest.mark.slow
def test_the_card_is_readable_in_a_narrow_pane(toy_models, tmp_path):
    model = write_quantized_model(tmp_path / "model", 0, spec=DataSpec(max_frames=1000))
    export_ensemble(
        {"netvlad1-long": model}, write_weights(tmp_path / "weights.json", {"netvlad1-long": 1.0}), tmp_path
    )
    text, code, more, floats, rest = re.split("```(?:python)?\n", (tmp_path / "card.md").read_text())
    assert max(map(len, (code + floats).splitlines())) <= 58
    # Everything else folds at spaces; tables have rows that need no more than that.
    assert max(map(len, (text + more + rest).split())) <= 30
    assert max(len(line) for line in rest.splitlines() if line.startswith("|")) <= 75


def test_the_card_lists_the_bits_of_stored_weights(toy_models, tmp_path):
    folders = {"bytes": toy_models["first"], "floats": toy_models["second"].parent / "float"}
    counts: Counter[int] = Counter()
    for folder in folders.values():
        for name, array in load_file(folder / "weights.safetensors").items():
            if not name.endswith("#centroids"):
                counts[array.itemsize * 8] += array.size
    assert set(counts) == {8, 32}
    weights = write_weights(tmp_path / "weights.json", dict.fromkeys(folders, 0.5))
    export_ensemble(folders, weights, tmp_path)
    shares = ", ".join(f"{bits} bits ({100 * counts[bits] / counts.total():.1f}%)" for bits in (8, 32))
    card = (tmp_path / "card.md").read_text()
    assert f"Its {counts.total():,} weights are stored in {shares}.\n" in card


@pytest.mark.slow
def test_figures_and_latency_are_reported(toy_models, toy_weights, tmp_path):
    output, partition = tmp_path / "export", write_partition(tmp_path)
    evaluation = EvaluateConfig(batch_size=3)
    records = [
        NodeRecord(node="prepare", stage="prepare", metrics={"training_videos": 1234.0, "holdout_videos": 56.0}),
        NodeRecord(node="train-first", stage="train", name="first", metrics={"gap": 0.5}),
        NodeRecord(node="average-first", stage="average", name="first", metrics={"gap": 0.71234}),
        NodeRecord(node="quantize-first", stage="quantize", name="first", metrics={"gap": 0.71233}),
        NodeRecord(node="train-second", stage="train", name="second", metrics={"gap": 0.61234}),
    ]
    result = export(
        partition=partition,
        members={name: write_member(tmp_path / name, {"8": model}) for name, model in toy_models.items()},
        weights=toy_weights,
        config=ExportConfig(latency_batch_sizes=(1, 2), evaluation=evaluation),
        output=output,
        card=tmp_path / "card.md",
        records=records,
    )
    measured = evaluate(partition=partition, model=output, config=evaluation, predictions=None)
    for name in ("gap", "map", "hit_at_1", "perr", "loss", "videos", "baseline_gap", "bytes"):
        assert result.metrics[name] == measured.metrics[name], name
    assert result.metrics["bytes"] == directory_bytes(output)
    assert result.metrics["budget_bytes"] == 2**30
    assert result.metrics["members"] == 3
    floats = [load_file(model.parent / "float" / "weights.safetensors") for model in toy_models.values()]
    assert result.metrics["parameters"] == sum(array.size for each in floats for array in each.values())
    assert result.metrics["seconds_batch_2"] > 0
    assert result.metrics["float_seconds_batch_2"] > 0
    assert all(type(value) is float for value in result.metrics.values())
    card = (tmp_path / "card.md").read_text()
    gap, low, high = (measured.metrics[name] for name in ("gap", "gap_low", "gap_high"))
    assert f"GAP@20: **{gap:.5f}** (95% interval {low:.5f} to {high:.5f}), measured with this SavedModel" in card
    assert "during the export on 2 hold-out videos, the part *report*.\nNothing was decided on these videos" in card
    assert "videos per second" in card
    assert re.search(rf"Measured during the export on {result.details['device']}, ", card)
    assert result.details["device"]
    # Two videos tell little.
    assert re.search(r"## Warnings\n\n(- .*\n)*- \*\*Few hold-out videos\*\* \(`export`\): ", card)
    assert "Trained on 1,234 videos, with 56 others held out." in card
    assert "| 0.71234 | 0.71233 |" in card
    assert "| 0.61234 | unknown |" in card


@pytest.mark.slow
def test_an_export_over_its_budget_is_removed_and_the_suggested_subset_fits(
    exported, toy_models, toy_weights, tmp_path
):
    budget = directory_bytes(exported) - 1000
    with pytest.raises(BudgetError, match=r"Bytes of each member with its graph: .*first [\d,]+") as caught:
        export_ensemble(
            toy_models, toy_weights, tmp_path, mode=ExportDescription.load(exported).mode, budget_bytes=budget
        )
    assert list(tmp_path.iterdir()) == []
    subset = re.search(r"The best subset that fits: (.*) \(at most", str(caught.value))[1].split(", ")
    fitting = write_weights(tmp_path / "weights.json", dict.fromkeys(subset, 1 / len(subset)))
    export_ensemble(toy_models, fitting, tmp_path, mode=ExportDescription.load(exported).mode, budget_bytes=budget)
    assert directory_bytes(tmp_path / "export") <= budget


def test_the_budget_defaults_to_that_of_the_search(toy_models, tmp_path):
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0}, budget_bytes=1000)
    with pytest.raises(BudgetError, match="expected at most 1,000 bytes"):
        export_ensemble({"first": toy_models["first"]}, weights, tmp_path)


def test_the_vocabulary_is_exported_with_the_model(toy_models, tmp_path):
    names = {3: "Game, new", 0: "Car"} | {number: f"name {number}" for number in range(30) if number not in (0, 3)}
    rows = "".join(f'http://x,"{name}",{number}\n' for number, name in names.items())
    (tmp_path / "classes.csv").write_text(f"Url,Name,Index\n{rows}")
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    export_ensemble(toy_models, weights, tmp_path, vocabulary=str(tmp_path / "classes.csv"))
    travelled = str(tmp_path / "export" / "assets.extra" / "vocabulary.csv")
    assert read_vocabulary(travelled, SPEC.num_classes) == names
    assert "0 (Car), 1 (name 1), 2 (name 2), 3 (Game, new), 4 (name 4)" in (tmp_path / "card.md").read_text()


def test_a_vocabulary_of_other_classes_is_refused(toy_models, tmp_path):
    (tmp_path / "classes.csv").write_text("Index,Name\n30,Game\n")
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    with pytest.raises(DataError, match="line 2: class 30, but there are 30 classes"):
        export_ensemble(toy_models, weights, tmp_path, vocabulary=str(tmp_path / "classes.csv"))
    (tmp_path / "classes.csv").write_text("Game\nCar\n")
    with pytest.raises(DataError, match=r"2 names, but there are 30 classes: classes 2, 3, 4 and 25 more missing"):
        export_ensemble(toy_models, weights, tmp_path, vocabulary=str(tmp_path / "classes.csv"))


@pytest.mark.slow
def test_a_member_without_a_model_is_named(toy_models, tmp_path):
    weights = write_weights(tmp_path / "weights.json", {"fist": 1.0})
    with pytest.raises(ConfigError, match=r"model 'fist' is not among the members\. Did you mean 'first'"):
        export_ensemble(toy_models, weights, tmp_path)


def test_members_of_different_data_are_refused(toy_models, tmp_path):
    other = DataSpec(features={"audio": 4, "rgb": 12}, num_classes=30, max_frames=9)
    mixed = {"first": toy_models["first"], "other": write_quantized_model(tmp_path / "other", 5, spec=other)}
    weights = write_weights(tmp_path / "weights.json", {"first": 0.5, "other": 0.5})
    with pytest.raises(ConfigError, match="Members must be trained on the same kind of data"):
        export_ensemble(mixed, weights, tmp_path)


def test_weights_of_another_configuration_are_refused(toy_models, tmp_path):
    shutil.copytree(toy_models["first"], tmp_path / "mixed")
    config = (tmp_path / "mixed" / "config.json").read_text()
    (tmp_path / "mixed" / "config.json").write_text(config.replace('"hidden_units": 24', '"hidden_units": 25'))
    weights = write_weights(tmp_path / "weights.json", {"mixed": 1.0})
    mixed = {"mixed": tmp_path / "mixed"}
    with pytest.raises(DataError, match=r"member 'mixed': weight 'head/.*': expected shape \(25, .*received \(24, "):
        export_ensemble(mixed, weights, tmp_path)


def export_members(folder, members, weights, partition):
    export(
        partition=partition,
        members=members,
        weights=weights,
        config=ExportConfig(latency_batch_sizes=()),
        output=folder / "export",
        card=folder / "card.md",
    )


def test_a_member_without_the_chosen_size_is_refused_with_its_name_and_what_it_lacks(toy_models, tmp_path):
    member = write_member(tmp_path / "member", {"8": toy_models["first"]})
    (member / "8").rename(member / "4")
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    with pytest.raises(DataError, match=r"member: expected a member .* as 'first', .* without 8\."):
        export_members(tmp_path, {"first": member}, weights, write_partition(tmp_path))
    assert not (tmp_path / "export").exists()


def test_a_partition_of_other_videos_is_refused_before_anything_is_written(toy_models, tmp_path):
    partition = write_partition(tmp_path, SPEC.model_copy(update={"num_classes": 31}))
    members = {"first": write_member(tmp_path / "member", {"8": toy_models["first"]})}
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    with pytest.raises(DataError, match=r"member/8: the model was made for other videos \(num_classes 30 and 31: "):
        export_members(tmp_path, members, weights, partition)
    assert not (tmp_path / "export").exists()


def test_damaged_videos_leave_no_export(toy_models, tmp_path):
    partition = write_partition(tmp_path)
    (tmp_path / "validate.tfrecord").write_bytes(b"")
    members = {"first": write_member(tmp_path / "member", {"8": toy_models["first"]})}
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    with pytest.raises(DataError, match=r"validate\.tfrecord|hold-out shards"):
        export_members(tmp_path, members, weights, partition)
    assert not (tmp_path / "export").exists()
    assert not (tmp_path / "card.md").exists()


def test_only_the_model_of_a_member_decides_the_exported_model(toy_models, tmp_path):
    """The identity of an ensemble is that of its models' weights, whatever else a member holds."""
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    export_ensemble({"first": toy_models["first"]}, weights, tmp_path)
    digest = hashlib.sha256(f"first\0{1.0!r}\0{read_description(toy_models['first']).model_dump_json()}\0".encode())
    digest.update(hashlib.sha256((toy_models["first"] / "weights.safetensors").read_bytes()).digest())
    assert digest.hexdigest().startswith(ExportDescription.load(tmp_path / "export").identity)


def test_the_card_warns_of_the_exported_model_and_its_members_but_not_of_others():
    figures = {"gap": 0.2, "baseline_gap": 0.21, "gain_error": 0.01, "videos": 500.0}
    records = [
        NodeRecord(node=f"train-{name}", stage="train", name=name, metrics={"gap": 0.5, "training_gap": 0.9})
        for name in ("member", "other")
    ]
    found = warnings_of(records, StageResult(figures, {"part": "report"}), ["member"])
    assert [text.partition(":")[0] for text in found] == [
        "**Not better than label frequencies** (`export`)",
        "**Training far above the hold-out** (`train-member`)",
    ]
    assert "The exported model is worthless: its GAP 0.200 is not above" in found[0]
