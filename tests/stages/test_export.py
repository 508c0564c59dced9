import json
import re
import shutil
from collections import Counter

import pytest
from safetensors.numpy import load_file

from tests.support.toy_ensemble import SHARES, SPEC, export_ensemble, write_quantized_model, write_weights
from yt8m.data.format import DataSpec
from yt8m.errors import BudgetError, ConfigError, DataError
from yt8m.export.budget import directory_bytes
from yt8m.export.description import ExportDescription
from yt8m.export.vocabulary import read_vocabulary
from yt8m.stages.export import ExportConfig, export


def test_the_export_describes_itself(exported, toy_models):
    described = ExportDescription.load(exported)
    assert described.data == SPEC
    assert {name: member.weight for name, member in described.members.items()} == SHARES
    sizes = {name: (folder / "weights.safetensors").stat().st_size for name, folder in toy_models.items()}
    assert {name: member.size_bytes for name, member in described.members.items()} == sizes


def test_the_card_names_members_and_loads_the_model_as_it_says(exported):
    card = (exported / "README.md").read_text()
    assert card == (exported.parent / "card.md").read_text()
    assert "| second | dbof | 0.3500 |" in card
    assert "GAP@20: **0.79000** on the hold-out videos that were not used to choose the ensemble weights" in card
    assert "It is 0.81000 on the hold-out videos that were used to choose them, and 0.80000 on all of them." in card
    assert (
        "the same ensemble has 0.79004 on the videos of the first figure: quantization changes GAP by -0.00004." in card
    )
    code = card.split("```python\n")[1].split("```")[0].replace("PATH/OF/THIS/FOLDER", str(exported))
    assert len(code.strip().splitlines()) == 5
    exec(code, {})


def test_the_card_lists_the_bits_of_stored_weights(toy_models, tmp_path):
    folders = {"bytes": toy_models["first"], "floats": toy_models["second"].parent / "float"}
    counts: Counter[int] = Counter()
    for folder in folders.values():
        for name, array in load_file(folder / "weights.safetensors").items():
            if not name.endswith("#centroids"):
                counts[array.itemsize * 8] += array.size
    assert set(counts) == {8, 32}
    weights = write_weights(tmp_path / "weights.json", dict.fromkeys(folders, 0.5), gap_report_float=None)
    export_ensemble(folders, weights, tmp_path)
    shares = ", ".join(f"{bits} bits ({100 * counts[bits] / counts.total():.1f}%)" for bits in (8, 32))
    card = (tmp_path / "card.md").read_text()
    assert f"Its {counts.total():,} weights are stored in {shares}.\n" in card
    assert "Before quantization" not in card


def test_figures_and_latency_are_reported(toy_models, toy_weights, tmp_path):
    output = tmp_path / "export"
    config = ExportConfig(latency_batch_sizes=(1, 2))
    records = [
        {"node": "prepare", "stage": "prepare", "metrics": {"training_videos": 1234.0, "holdout_videos": 56.0}},
        {"node": "evaluate-first", "stage": "evaluate", "name": "first", "metrics": {"gap": 0.71234}},
        {"node": "evaluate-8-bit", "stage": "evaluate_quantized", "name": "first", "metrics": {"gap": 0.71233}},
    ]
    (tmp_path / "records.json").write_text(json.dumps(records))
    result = export(
        models=toy_models, weights=toy_weights, config=config, output=output, card=tmp_path / "card.md",
        records=[tmp_path / "records.json"],
    )  # fmt: skip
    assert result.metrics["bytes"] == directory_bytes(output)
    assert result.metrics["budget_bytes"] == 2**30
    assert result.metrics["members"] == 3
    assert result.metrics["seconds_batch_2"] > 0
    assert all(type(value) is float for value in result.metrics.values())
    card = (tmp_path / "card.md").read_text()
    assert "videos per second" in card
    assert "Trained on 1,234 videos, evaluated on 56 others." in card
    assert "| 0.71234 | 0.71233 |" in card


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
    weights = write_weights(tmp_path / "weights.json", SHARES, budget_bytes=1000)
    with pytest.raises(BudgetError, match="expected at most 1,000 bytes"):
        export_ensemble(toy_models, weights, tmp_path)


def test_the_vocabulary_is_exported_with_the_model(toy_models, tmp_path):
    (tmp_path / "classes.csv").write_text('Url,Name,Index\nhttp://x,"Game, new",3\n,Car,0\n')
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    export_ensemble(toy_models, weights, tmp_path, vocabulary=str(tmp_path / "classes.csv"))
    travelled = str(tmp_path / "export" / "assets.extra" / "vocabulary.csv")
    assert read_vocabulary(travelled, SPEC.num_classes) == {3: "Game, new", 0: "Car"}


def test_a_vocabulary_of_other_classes_is_refused(toy_models, tmp_path):
    (tmp_path / "classes.csv").write_text("Index,Name\n30,Game\n")
    weights = write_weights(tmp_path / "weights.json", {"first": 1.0})
    with pytest.raises(DataError, match="line 2: Index: expected one of 30 classes from 0"):
        export_ensemble(toy_models, weights, tmp_path, vocabulary=str(tmp_path / "classes.csv"))


def test_a_member_without_a_model_is_named(toy_models, tmp_path):
    weights = write_weights(tmp_path / "weights.json", {"fist": 1.0})
    with pytest.raises(ConfigError, match=r"model 'fist' is not among the models\. Did you mean 'first'"):
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
