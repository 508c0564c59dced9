import re
from functools import cache
from typing import Any

import pytest

from pipelines.recipe.load import read_recipe
from pipelines.recipe.reference import Key, Reference, first_sentence, in_yaml
from tests.support.paths import RECIPES
from yt8m.errors import ConfigError
from yt8m.yaml_files import parse_yaml

# Models of paper.yaml whose sizes the paper does not give; comments in the recipe say so.
OURS = {"rnn1-hard", "rnn4-hard", "fvnet2-hard", "fvnet3-hard", "fvnet4-hard", "dbof4-hard"} | {
    f"netvlad{number}-hard" for number in (3, 4, 5, 6)
}
# Keys that name things, in which there is nothing to compare.
NAMES = {
    "name",
    "description",
    "like",
    "learn_from",
    "training",
    "validation",
    "members",
    "architecture",
    "kind",
    "card",
}


@cache
def reference() -> Reference:
    return Reference()


def key_at(path: str) -> Key:
    ((_, key),) = reference().find(path)
    assert key is not None
    return key


def test_every_key_has_a_meaning_in_sentences() -> None:
    keys = [(section.place, key) for section in reference().sections for key in section.keys]
    assert len(keys) > 200
    silent = [
        f"{place}.{key.name}"
        for place, key in keys
        if not key.meaning.endswith(".") or (len(key.meaning.split()) < 3 and key.name not in ("architecture", "kind"))
    ]
    assert silent == []
    assert [section.place for section in reference().sections if not section.about.endswith(".")] == []


def test_meanings_do_not_name_modules_or_former_words() -> None:
    words = re.compile(r"\bNone\b|`?yt8m\.[a-z]|`?pipelines\.[a-z]|the winners:|\bours\b|`[A-Z]\w+Config`")
    found = [
        f"{section.place}.{key.name}: {key.meaning}"
        for section in reference().sections
        for key in section.keys
        if words.search(key.meaning)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("path", "kind", "default"),
    [
        ("training.learning_rate", "number (above 0) or `auto`", "auto"),
        ("training.decay_examples", "whole number (at least 1) or `auto`", "auto"),
        ("training.learning_rate_decay", "number (above 0, at most 1)", "0.8"),
        ("training.seed", "whole number (at least 0, at most 2_147_483_647)", ""),
        ("training.jit_compile", "`auto` or true or false", "auto"),
        ("training.clip_norm", "number (above 0) or null", "1.0"),
        ("data.spec.features", "mapping from names to whole numbers (at least 1)", "{rgb: 1024, audio: 128}"),
        ("data.spec.ranges", "mapping from names to lists of 2 numbers", "{}"),
        ("data.spec.layout.id", "text", "''"),
        ("data.spec.layout.frames", "`bytes` or `floats`", "bytes"),
        ("data.holdout_shards", "whole number (at least 1)", "required"),
        ("netvlad.num_clusters", "whole number (at least 1)", "required"),
        ("rnn.units", "whole number (at least 1, a multiple of 2)", "required"),
        ("moe.l2_penalty", "number (at least 0)", "1.0e-6"),
        ("dbof.dropout", "number (at least 0, below 1)", "0.0"),
        ("families.average", "`always`, `never` or `if_better`", "never"),
        ("students.label_weight", "number (at least 0, at most 1)", "0.5"),
        ("students.learn_from", "text", "required"),
        ("teacher_groups", "mapping from names to lists of texts", "{}"),
        ("ensemble.members", "list of texts or sections (at most 20) or section", "[]"),
        ("data.report_share", "number (at least 0, below 1)", "0.5"),
        ("cluster.training.gpu.count", "whole number (at least 1)", "1"),
        ("families.candidates.grid.name", "text", "required"),
    ],
)
def test_types_ranges_and_defaults(path: str, kind: str, default: str) -> None:
    key = key_at(path)
    assert (key.type, key.default) == (kind, default)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("training.learning_rate", ["training"]),
        ("families.big.candidates.netvlad-large.training.learning_rate", ["training"]),
        ("data.spec.features.rgb", ["data.spec"]),
        ("families.netvlad", [""]),
        ("students.learn_from", ["students"]),
        ("learn_from", ["students"]),
        ("cluster.training.tolerations[0].key", ["cluster.data.tolerations"]),
        ("training", [""]),
        ("families.x.candidates.grid[1].name", ["families.candidates.grid"]),
        ("families.x.candidates.grid.model.units", ["families.candidates.model.rnn"]),
        ("netvlad", ["families.candidates.model.netvlad"]),
        ("model.netvlad.num_clusters", ["families.candidates.model.netvlad"]),
        ("batch_size", ["training", "soft_targets", "averaging", "evaluation"]),
    ],
)
def test_keys_are_found_with_names_without_names_and_by_their_end(text: str, places: list[str]) -> None:
    assert [section.place for section, _ in reference().find(text)] == places


def test_options_of_models_are_found_for_every_architecture() -> None:
    for text in ("families.*.candidates.*.model.num_clusters", "model.num_clusters", "students.a.model.num_clusters"):
        found = reference().find(text)
        assert [section.variant for section, _ in found] == ["dbof", "netfv", "netvlad", "nextvlad"]


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("training.lerning_rate", "training.learning_rate"),
        ("traning", "training"),
        ("model.num_cluster", "num_clusters"),
        ("students.learnfrom", "students.learn_from"),
        ("...", ""),
    ],
)
def test_an_unknown_key_suggests_the_nearest(text: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reference().find(text)
    assert str(caught.value).startswith(f"{text}: recipes have no such key.")
    assert nearest in str(caught.value)


def test_all_sections_lead_to_each_other() -> None:
    for section in reference().sections[1:]:
        parent = [
            each for each in reference().sections for key in each.keys if section in reference().within(each, key)
        ]
        assert parent, section.place


@pytest.mark.parametrize("value", [0, 9999, 10_000, 2**30, 0.0, 1e-6, 2e-4, 1.5e20, True, None, "", "auto", "{image}",
                                   {"kind": "logistic", "l2_penalty": 1e-5}, [1, 16], {}])  # fmt: skip
def test_defaults_are_written_as_yaml_reads_them(value: Any) -> None:
    assert parse_yaml(in_yaml(value), "default") == value


def test_the_first_sentence_ends_before_the_next() -> None:
    assert first_sentence("Miech et al. 2017, section 3.3. Null means 0.2.") == "Miech et al. 2017, section 3.3."


def leaves(data: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in leaves(value, (*path, key))]
    return [(path, data)]


def paper_text(path: tuple[str, ...], recipe: dict[str, Any]) -> str:
    """Return what the reference says of the paper at a place of its recipe."""
    model = recipe["families"][path[1]]["candidates"][path[3]]["model"] if "model" in path else {}
    kind = {"model": model.get("architecture"), "head": model.get("head", {}).get("kind")}
    found = reference().find(".".join(path))
    keys = [key for section, key in found if key and section.variant in ("", kind.get(path[-2]))]
    assert len(keys) == 1, path
    return keys[0].paper


def test_the_papers_values_are_those_of_the_papers_recipe() -> None:
    recipe = read_recipe(RECIPES / "paper.yaml")
    compared = 0
    for path, value in leaves(recipe):
        if (
            NAMES & set(path[-2:]) - {"training"}
            or path[-1] in NAMES
            or OURS & set(path)
            or path[-1] in ("memory_bytes", "size_margin", "report_share")  # the paper says nothing of these
            or path[0] == "teacher_groups"
        ):
            continue
        words = re.findall(r"[\w.\-]+", paper_text(path, recipe).replace("_", "" if isinstance(value, int) else "_"))
        said = [parse_yaml(word.rstrip("."), "word") for word in words]
        assert value in said, f"{'.'.join(path)}: {value} is not in the reference: {said}"
        compared += 1
    assert compared > 50


@pytest.mark.parametrize(
    ("path", "paper"),
    [
        ("training.epochs", "about 10; 20 for RNN2"),
        ("training.batch_norm_momentum", "0.999"),
        ("averaging.learning_rate_divisor", "5"),
        ("averaging.epochs", "about 2"),
        ("averaging.averaged_steps", "2000 to 3000"),
        ("quantization.method", "uniform"),
        ("quantization.threshold_elements", "17_000"),
        ("students.label_weight", "0.5"),
        ("families.ensemble_size", "3"),
        ("evaluation.gap_top_k", "20"),
        ("data.spec.num_classes", "3862"),
        ("data.spec.ranges", "-2 to 2"),
        ("moe.num_mixtures", "2"),
        ("moe.l2_penalty", "1.0e-6"),
        ("dbof.cluster_divisor", "8"),
        ("dbof.pooling", "gated"),
        ("netvlad.cluster_divisor", "2"),
        ("netvlad.context_gating", "true"),
        ("netvlad.centers", "true"),
        ("netfv.coupled", "false"),
        ("netfv.num_clusters", "96"),
        ("rnn.units", "1024"),
        ("nextvlad.num_clusters", ""),  # later than the paper
    ],
)
def test_the_paper_is_quoted_where_it_gives_a_value(path: str, paper: str) -> None:
    assert {key.paper for _, key in reference().find(path) if key} == {paper}


def test_defaults_that_are_the_papers_say_so() -> None:
    """A default equal to a single value of the paper is stated as such in both columns."""
    for path in ("training.precision", "training.clip_norm", "data.spec.features", "moe.num_mixtures"):
        key = key_at(path)
        assert parse_yaml(key.default, "default") == parse_yaml(key.paper, "paper")
