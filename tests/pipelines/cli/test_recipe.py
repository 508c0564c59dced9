import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.recipe.reference import Reference
from tests.support.paths import RECIPES, REPOSITORY


def explain(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["recipe", "explain", *arguments], env={"COLUMNS": "100"})
    assert result.exit_code == code, result.output
    return result.output


def test_a_key_is_explained_with_type_range_default_and_the_papers_value() -> None:
    assert explain("training.learning_rate").splitlines()[:1] == ["training.learning_rate"]
    text = " ".join(explain("training.learning_rate").split())
    assert "Learning rate of Adam at the beginning." in text
    assert "Type: number (above 0) or `auto` Default: auto The paper: 2.0e-4" in text
    assert "families.*.candidates.*.training.learning_rate" in text


def test_a_section_lists_its_keys_with_one_line_each() -> None:
    lines = explain("data.spec.layout").splitlines()
    listed = [line.split()[0] for line in lines[lines.index("  Its keys:") + 1 :]]
    assert listed == ["id", "group", "weight", "labels", "label_form", "frames"]
    assert all(len(line) <= 100 for line in lines)


def test_a_section_without_keys_says_so() -> None:
    assert "Its keys:" not in explain("stages")
    assert "There are none" in explain("stages")


def test_without_a_key_the_sections_are_listed_in_the_order_of_a_recipe() -> None:
    names = [line.split()[0] for line in explain().splitlines()[1:] if line.startswith("    ")]
    assert names[:6] == ["name", "description", "seed", "data", "training", "families"]
    written = yaml.safe_load((RECIPES / "smoke.yaml").read_text())
    assert set(written) <= set(names)


def test_options_of_models_are_explained_for_each_architecture() -> None:
    text = explain("model.num_clusters")
    assert [line for line in text.splitlines() if line.startswith("families")] == [
        f"families.*.candidates.*.model.num_clusters ({name})" for name in ("dbof", "netfv", "netvlad", "nextvlad")
    ]
    assert "hidden_units" in explain("netvlad")
    assert "yt8m recipe explain families.candidates.model.netvlad" in explain("model")


def test_commands_lead_to_the_keys_of_families_candidates_and_grids() -> None:
    lines = [line.split() for line in explain("families").splitlines()]
    assert {"average", "ensemble_size", "candidates"} < {line[0] for line in lines if line}
    assert ["yt8m", "recipe", "explain", "families.KEY"] in lines
    assert "yt8m recipe explain families.candidates.grid" in explain("families.candidates")
    assert "Type:      whole number" in explain("families.ensemble_size")
    assert "Name of the candidates." in explain("families.candidates.grid.name")


def test_every_key_is_reached_by_a_printed_path() -> None:
    reference = Reference()
    for section in reference.sections:
        for key in section.keys:
            assert (section, key) in reference.find(".".join(filter(None, [section.place, key.name])))


def test_an_unknown_key_suggests_the_nearest_with_exit_code_2() -> None:
    assert "Did you mean 'training.epochs'?" in explain("training.epoch", code=2)
    assert "Did you mean 'num_clusters'?" in explain("num_cluster", code=2)
    assert "Did you mean" not in explain("foo", code=2)


def test_the_schema_is_printed_or_written(tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["recipe", "schema"])
    assert printed.exit_code == 0
    file = tmp_path / "recipe.schema.json"
    assert CliRunner().invoke(main, ["recipe", "schema", "-o", str(file)]).output == ""
    assert file.read_text() == printed.stdout == (RECIPES / "recipe.schema.json").read_text()
    jsonschema.validate(yaml.safe_load((RECIPES / "smoke.yaml").read_text()), json.loads(file.read_text()))


@pytest.mark.parametrize("command", [("explain", "training.epochs"), ("schema",)])
def test_explaining_needs_neither_tensorflow_nor_kubeflow(command: tuple[str, ...]) -> None:
    code = (
        "import sys; from pipelines.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "sys.exit(bool({'tensorflow', 'keras', 'kfp'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code, "recipe", *command], cwd=REPOSITORY, check=True, capture_output=True)
