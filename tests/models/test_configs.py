import re
from typing import Any

import pytest
from pydantic import Field

from benchmarks.support.published import PUBLISHED
from tests.support.python import modules_after
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.errors import ConfigError
from yt8m.models import ARCHITECTURES, ModelConfig, build
from yt8m.models.head import LogisticConfig, MixtureOfExpertsConfig
from yt8m.models.netvlad import NetVLADConfig
from yt8m.models.rnn import RNNConfig


class Recipe(Config):
    students: tuple[ModelConfig, ...] = ()
    by_name: dict[str, ModelConfig] = Field(default={})


def problems(data):
    with pytest.raises(ConfigError) as caught:
        Recipe.parse(data, "recipe.yaml")
    return str(caught.value).splitlines()


NETVLAD = {"architecture": "netvlad", "num_clusters": 8, "hidden_units": 4}


def test_an_unknown_architecture_names_the_nearest():
    (line,) = problems({"students": [NETVLAD, {**NETVLAD, "architecture": "netvald"}]})
    assert line == (
        "recipe.yaml: students[1].architecture: unknown model architecture 'netvald'. Did you mean 'netvlad'? "
        f"Known: {', '.join(sorted(ARCHITECTURES))}."
    )


@pytest.mark.parametrize(
    ("published", "meant"),
    [
        ("NetVLAD", "'netvlad'"),
        ("NeXtVLAD", "'nextvlad'"),
        ("LightVLAD", "'netvlad' with centers: false"),
        ("DBoF", "'dbof'"),
        ("DBoF1", "'dbof'"),
        ("FVNet", "'netfv'"),
        ("lstm", "'rnn' with cell: lstm"),
        ("BiGRU", "'rnn' with cell: gru"),
    ],
)
def test_an_architecture_in_its_published_spelling_names_the_one_meant(published, meant):
    (line,) = problems({"students": [{**NETVLAD, "architecture": published}]})
    assert f"unknown model architecture '{published}'. Did you mean {meant}? Known: dbof, " in line


@pytest.mark.parametrize("architecture", [["dbof"], {"name": "dbof"}, 3, True])
def test_an_architecture_that_is_no_name_is_unknown(architecture):
    (line,) = problems({"by_name": {"dbof": {**NETVLAD, "architecture": architecture}}})
    assert line.startswith(f"recipe.yaml: by_name.dbof.architecture: unknown model architecture '{architecture}'. ")
    assert line.endswith(f"Known: {', '.join(sorted(ARCHITECTURES))}.")


def test_a_missing_architecture_is_named():
    (line,) = problems({"students": [{"num_clusters": 8}]})
    assert line == "recipe.yaml: students[0].architecture: required, but missing."


def test_an_unknown_field_names_the_nearest_of_its_own_architecture():
    (line,) = problems({"by_name": {"netvlad": {**NETVLAD, "num_cluster": 3}}})
    assert line.startswith(
        "recipe.yaml: by_name.netvlad.num_cluster: unknown key 'num_cluster'. Did you mean 'num_clusters'?"
    )
    assert "centers" in line
    assert "coupled" not in line, "a field of another architecture"


def test_errors_inside_the_head_have_their_place():
    lines = problems(
        {"students": [{**NETVLAD, "head": {"kind": "mow"}}, {**NETVLAD, "head": {"kind": "moe", "num": 2}}]}
    )
    assert lines[0].startswith("recipe.yaml: students[0].head.kind: unknown head 'mow'. Did you mean 'moe'?")
    assert lines[1].startswith("recipe.yaml: students[1].head.num: unknown key 'num'. ")


def test_a_configuration_made_in_python_has_the_errors_of_a_file():
    with pytest.raises(ConfigError) as caught:
        NetVLADConfig(num_cluster=3, hidden_units=4)  # type: ignore[call-arg]
    missing, unknown = str(caught.value).splitlines()
    assert missing == "NetVLADConfig: num_clusters: required, but missing."
    assert unknown.startswith(
        "NetVLADConfig: num_cluster: unknown key 'num_cluster'. Did you mean 'num_clusters'? "
        "Known: architecture, centers, "
    )


def test_a_required_size_has_no_default():
    lines = problems({"students": [{"architecture": "netfv"}]})
    assert lines == [
        "recipe.yaml: students[0].num_clusters: required, but missing.",
        "recipe.yaml: students[0].hidden_units: required, but missing.",
    ]


def test_an_odd_number_of_recurrent_units_is_refused():
    (line,) = problems({"students": [{"architecture": "rnn", "units": 5}]})
    assert line.startswith("recipe.yaml: students[0].units: ")
    assert "5" in line


@pytest.mark.parametrize(
    ("fields", "place", "needed"),
    [
        ({"gating_remove_diagonal": True}, "gating_remove_diagonal", "context_gating: true"),
        ({"gating_reduction": 4}, "gating_reduction", "context_gating: true"),
        (
            {"context_gating": True, "gating_remove_diagonal": True, "gating_reduction": 4},
            "gating_reduction",
            "gating_remove_diagonal: false",
        ),
        (
            {"head": {"kind": "moe", "label_gating_remove_diagonal": True}},
            "head.label_gating_remove_diagonal",
            "label_gating: probabilities",
        ),
        (
            {"head": {"kind": "moe", "label_gating": "input", "label_gating_remove_diagonal": True}},
            "head.label_gating_remove_diagonal",
            "label_gating: probabilities",
        ),
    ],
)
def test_a_field_without_effect_is_refused_with_the_one_it_needs(fields, place, needed):
    (line,) = problems({"students": [{**NETVLAD, **fields}]})
    assert line.startswith(f"recipe.yaml: students[0].{place}: ")
    assert needed in line


def test_a_bottleneck_that_is_the_architectures_default_is_refused_without_gates():
    (line,) = problems({"students": [{**NETVLAD, "architecture": "nextvlad", "context_gating": False}]})
    assert line.startswith("recipe.yaml: students[0].gating_reduction: there are no gates. ")
    assert line.endswith("or gating_reduction: null. Received: 8.")


def test_a_coupling_factor_is_refused_without_coupling():
    (line,) = problems({"students": [{**NETVLAD, "architecture": "netfv", "coupling_factor": 0.1}]})
    assert line.startswith("recipe.yaml: students[0].coupling_factor: ")
    assert "coupled: true" in line


def test_a_divisor_of_clusters_is_refused_where_all_features_are_together():
    fields = {**NETVLAD, "architecture": "dbof", "branches": "joint", "cluster_divisor": 4}
    (line,) = problems({"students": [fields]})
    assert line.startswith("recipe.yaml: students[0].branches: ")
    assert "Leave out cluster_divisor" in line


def test_a_divisor_of_units_is_refused_without_branches():
    (line,) = problems({"students": [{"architecture": "rnn", "units": 8, "unit_divisor": 4}]})
    assert line.startswith("recipe.yaml: students[0].unit_divisor: ")
    assert "branches: per_feature" in line


@pytest.mark.parametrize(
    ("fields", "place", "reason"),
    [
        ({"pooling": "max"}, "add_maximum", "codes of frames have no soft assignments. Set pooling: soft"),
        ({"pooling": "average"}, "add_maximum", "codes of frames have no soft assignments. Set pooling: soft"),
        ({"branches": "joint"}, "branches", "the only branch is gated"),
    ],
)
def test_a_maximum_is_refused_where_no_branch_would_have_it(fields, place, reason):
    (line,) = problems({"students": [{**NETVLAD, "architecture": "dbof", "add_maximum": True, **fields}]})
    assert line.startswith(f"recipe.yaml: students[0].{place}: {reason}")
    assert "or add_maximum: false" in line


def test_a_maximum_is_refused_for_data_whose_only_feature_is_gated(small):
    config = small.parse({**NETVLAD, "architecture": "dbof", "add_maximum": True})
    with pytest.raises(ConfigError, match=r"the only feature, rgb, is gated, .* Set pooling: soft"):
        build(config, DataSpec(features={"rgb": 12}, num_classes=3, max_frames=2))
    soft = small.parse({**NETVLAD, "architecture": "dbof", "add_maximum": True, "pooling": "soft"})
    assert build(soft, DataSpec(features={"rgb": 12}, num_classes=3, max_frames=2))


def test_groups_that_do_not_divide_the_features_are_refused(small):
    config = small.parse({"architecture": "nextvlad", "num_clusters": 4, "hidden_units": 4, "num_groups": 7})
    with pytest.raises(ConfigError, match="7 groups do not divide rgb's 12 features times 2"):
        build(config, small.spec)


def test_configurations_survive_json(config):
    assert Recipe.parse_json(Recipe(students=(config,)).model_dump_json(), "x").students == (config,)


def test_every_field_is_explained_and_its_source_named_where_the_architecture_stands():
    configs: list[Any] = [architecture.config for architecture in ARCHITECTURES.values()]
    for config in [*configs, MixtureOfExpertsConfig, LogisticConfig]:
        explained = dict(re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", config.__doc__, flags=re.MULTILINE))
        assert set(explained) == set(config.model_fields), config.__name__
        for field in explained.keys() - {"architecture", "kind"}:
            assert re.search(r"winners|authors|et\s+al\.|the\s+paper", explained[field]), f"{config.__name__}.{field}"


def test_features_after_the_first_have_their_share_of_the_clusters():
    spec = DataSpec(features={"rgb": 1024, "audio": 128, "text": 64})
    published: dict[str, Any] = dict(PUBLISHED)
    assert published["DBoF1"].clusters(spec) == {"rgb": 6144, "audio": 768, "text": 768}
    assert published["NetVLAD1"].clusters(spec) == {"rgb": 192, "audio": 96, "text": 96}


def test_branches_after_the_first_have_their_share_of_the_units_rounded_down_to_even():
    spec = DataSpec(features={"rgb": 1024, "audio": 128, "text": 64})
    for units, rest in ((1024, 128), (24, 2), (56, 6), (8, 2)):
        config = RNNConfig(units=units, branches="per_feature")
        assert config.branch_units(spec) == {"rgb": units, "audio": rest, "text": rest}


def test_configurations_load_without_keras():
    assert not {"keras", "tensorflow"} & modules_after("import benchmarks.support.published, yt8m.models.sizes")


def test_family_in_place_of_architecture_keeps_working():
    former = {**NETVLAD, "family": NETVLAD["architecture"]}
    del former["architecture"]
    recipe = Recipe.parse({"students": [former], "by_name": {"netvlad": NETVLAD}}, "recipe.yaml")
    assert recipe.students[0] == recipe.by_name["netvlad"]
    assert recipe.students[0].architecture == "netvlad"


def test_an_unknown_architecture_called_family_names_the_nearest_where_it_stands():
    (line,) = problems({"students": [{"family": "netvald", "num_clusters": 8, "hidden_units": 4}]})
    assert line.startswith(
        "recipe.yaml: students[0].family: unknown model architecture 'netvald'. Did you mean 'netvlad'?"
    )


def test_family_beside_architecture_is_refused():
    (line,) = problems({"students": [{**NETVLAD, "family": "rnn"}]})
    assert line == (
        "recipe.yaml: students[0]: architecture and family are two names for the same setting. Received: "
        "architecture 'netvlad', family 'rnn'. Remove family."
    )
