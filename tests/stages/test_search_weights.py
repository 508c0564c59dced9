import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.offers import write_offers
from tests.support.predictions import gap_of_mean, halved, members, with_noise
from tests.support.python import modules_after
from yt8m.ensembling.files import EnsembleWeights
from yt8m.ensembling.scores import EnsembleScores
from yt8m.ensembling.significance import gain_standard_error
from yt8m.errors import BudgetError, ConfigError, DataError
from yt8m.predictions import Predictions
from yt8m.stages.result import StageResult
from yt8m.stages.search_weights import SearchWeightsConfig, search_weights

SIZES = (1000, 2000, 3000, 4000)


def stored(folder: Path, found: list[Predictions], floats: list[Predictions] | None = None) -> dict[str, Path]:
    """Write offers of members of the sizes `SIZES`; return their folders by name."""
    names = [f"m{i}" for i in range(len(found))]
    parts = halved(found), halved(floats or found)
    return {
        name: write_offers(folder / name, {"8": (size, quantized)}, before)
        for name, size, quantized, before in zip(names, SIZES, *parts, strict=False)
    }


def run(
    folder: Path, found: list[Predictions], floats: list[Predictions] | None = None, **changes: float
) -> tuple[StageResult, EnsembleWeights]:
    config = SearchWeightsConfig.parse({"trials": 60, "size_margin": 0.0, "min_gain_errors": 0.0} | changes, "test")
    output = folder / "weights.json"
    result = search_weights(offers=stored(folder, found, floats), config=config, output=output)
    return result, EnsembleWeights.load(output)


def test_the_ensemble_is_at_least_as_good_as_flat_and_random_on_the_search_part(tmp_path: Path):
    result, ensemble = run(tmp_path, members(4, noise=1.5))
    methods = {row["method"]: row for row in result.details["methods"]}
    assert set(methods) == {"flat", "random", "ours"}
    assert ensemble.gap_select == max(row["gap_select"] for row in methods.values())
    assert methods["flat"]["members"] == pytest.approx({f"m{i}": 0.25 for i in range(4)})
    assert methods["random"]["trials"] == 60
    assert methods["ours"]["trials"] <= 60


def test_figures_match_the_weights_on_each_part(tmp_path: Path):
    found = members(4, noise=1.5)
    result, ensemble = run(tmp_path, found)
    weights = np.array([ensemble.members.get(f"m{i}", 0.0) for i in range(4)])
    assert ensemble.gap_select == pytest.approx(gap_of_mean(found, weights, np.arange(0, 400, 2)), abs=1e-6)
    assert ensemble.gap == pytest.approx(gap_of_mean(found, weights, np.arange(1, 400, 2)), abs=1e-6)
    assert result.metrics["gap"] == ensemble.gap
    alone = [gap_of_mean(found, one, np.arange(1, 400, 2)) for one in np.eye(4)]
    assert [row["gap"] for row in result.details["members"]] == pytest.approx(alone, abs=1e-6)
    best = np.eye(4)[np.argmax(np.where(weights > 0, [row["gap_select"] for row in result.details["members"]], -1))]
    reported = EnsembleScores(found, np.arange(1, 400, 2), top_k=20)
    assert 0 < result.metrics["best_member_error"] == pytest.approx(gain_standard_error(reported, weights, best))
    assert result.details["part"] == "report"
    assert (result.metrics["videos"], result.metrics["select_videos"]) == (200, 200)
    assert all(type(value) is float and math.isfinite(value) for value in result.metrics.values())
    json.dumps(result.details, allow_nan=False)


def test_quantization_that_changes_no_prediction_costs_nothing(tmp_path: Path):
    found = members(4, noise=1.5)
    result, ensemble = run(tmp_path, found, budget_bytes=7500)
    assert ensemble.gap_float == ensemble.gap == result.metrics["gap_float"]


def test_the_gap_before_quantization_uses_the_same_weights_and_videos(tmp_path: Path):
    found, before = members(3, noise=1.5), members(3, noise=0.5)
    _, ensemble = run(tmp_path, found, before)
    assert list(ensemble.members) == ["m0", "m1", "m2"]
    (tmp_path / "without").mkdir()
    _, without = run(tmp_path / "without", found)
    assert ensemble == without.model_copy(update={"gap_float": ensemble.gap_float})
    reported = np.arange(1, 400, 2)
    weights = np.array(list(ensemble.members.values()))
    assert ensemble.gap == pytest.approx(gap_of_mean(found, weights, reported), abs=1e-6)
    assert ensemble.gap_float == pytest.approx(gap_of_mean(before, weights, reported), abs=1e-6)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (members(2, seed=1), "the same videos with different labels"),
        (members(2, videos=399), "different number of videos, 400 and 399"),
        (members(2, top_k=30), "different numbers of classes stored per video, 60 and 30"),
    ],
)
def test_other_predictions_before_quantization_are_refused(tmp_path: Path, before: list[Predictions], said: str):
    with pytest.raises(DataError, match=rf"m0/8\.safetensors and .*m0/float\.safetensors: {said}"):
        run(tmp_path, members(2), before)
    assert not (tmp_path / "weights.json").exists()


def test_members_are_dropped_to_stay_within_the_budget(tmp_path: Path):
    result, ensemble = run(tmp_path, members(4), budget_bytes=5500)
    sizes = dict(zip(("m0", "m1", "m2", "m3"), SIZES, strict=True))
    assert ensemble.size_bytes == sum(sizes[name] for name in ensemble.members) <= 5500
    assert len(ensemble.members) < 4
    rows = result.details["members"]
    assert [row["family"] for row in rows] == ["dbof"] * 4
    assert sum(row["weight"] for row in rows) == pytest.approx(1)
    assert sum(row["size_share"] for row in rows) == pytest.approx(1)
    assert all(row["size_bytes"] <= 5500 for row in result.details["methods"])


def test_flat_weights_are_replaced_only_by_significantly_better_ones(tmp_path: Path):
    alike = [members(1, videos=1000, seed=0)[0]] * 3
    (tmp_path / "alike").mkdir()
    result, ensemble = run(tmp_path / "alike", alike, min_gain_errors=2.0)
    assert ensemble.method == result.details["guard"]["taken"] == "flat"
    good, bad = members(1, videos=1000)[0], members(1, videos=1000, noise=9.0)[0]
    (tmp_path / "unlike").mkdir()
    result, ensemble = run(tmp_path / "unlike", [good, bad], min_gain_errors=2.0)
    assert ensemble.method == "ours"
    guard = result.details["guard"]
    assert guard["gain_over_flat"] > 2 * guard["standard_error"] > 0


def test_the_frontier_rises_with_size_and_reaches_beyond_the_budget(tmp_path: Path):
    result, _ = run(tmp_path, members(4), budget_bytes=1500)
    rows = result.details["frontier"]
    for name in ("size_bytes", "gap_select"):
        values = [row[name] for row in rows]
        assert values == sorted(set(values))
    assert rows[0]["size_bytes"] == 1000
    assert rows[-1]["size_bytes"] > 1500


def test_the_same_seed_gives_the_same_weights(tmp_path: Path):
    outcomes = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / name).mkdir()
        outcomes.append(run(tmp_path / name, members(3), seed=seed)[1])
    assert outcomes[0] == outcomes[1]
    assert outcomes[0] != outcomes[2]


def test_one_member_has_all_the_weight(tmp_path: Path):
    _, ensemble = run(tmp_path, members(1))
    assert ensemble.members == {"m0": 1.0}


def test_a_budget_smaller_than_every_member_names_the_smallest(tmp_path: Path):
    with pytest.raises(BudgetError, match=r"'m0' with 1,000 bytes"):
        run(tmp_path, members(2), budget_bytes=999)


@pytest.mark.parametrize("part", ["offers.json", "8.safetensors", "float.safetensors"])
def test_incomplete_offers_are_refused_with_their_name_and_what_they_lack(tmp_path: Path, part: str):
    folders = stored(tmp_path, members(2))
    (folders["m1"] / part).rename(tmp_path / "lost")
    with pytest.raises(DataError, match=rf"m1: expected offers .* as 'm1', .* without {re.escape(part)}\."):
        search_weights(offers=folders, config=SearchWeightsConfig(), output=tmp_path / "out")


def test_a_folder_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "other" / "8").mkdir(parents=True)
    folders = {"m0": stored(tmp_path, members(1))["m0"], "other": tmp_path / "other"}
    with pytest.raises(DataError, match=r"other: expected offers .* as 'other', .* without offers\.json\."):
        search_weights(offers=folders, config=SearchWeightsConfig(), output=tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "offers.json"),
        ('{"family": "dbof", "sizes": {}}', "sizes"),
        ('{"family": "dbof", "sizes": {"8": 0}}', "sizes.8"),
        ('{"family": "dbof", "sizes": {"8": 1e300}}', "sizes.8"),
        ('{"family": "dbof", "sizes": {"../m0/8": 1000}}', "sizes"),
        ('{"family": "dbof", "sizes": {"float": 1000}}', "'float' is not a size"),
        ('{"sizes": {"8": 1000}}', "family"),
    ],
)
def test_offers_of_absurd_content_are_refused(tmp_path: Path, content: str, said: str):
    folders = stored(tmp_path, members(2))
    (folders["m1"] / "offers.json").write_text(content)
    with pytest.raises(DataError, match=rf"m1/offers\.json(.|\n)*{re.escape(said)}(.|\n)*Quantize the model again"):
        search_weights(offers=folders, config=SearchWeightsConfig(), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


BITS = {"8": (1.0, 0.0), "4": (0.5, 0.05), "2": (0.25, 3.0)}


def sized(folder: Path, *sizes: str, number: int = 6) -> dict[str, Path]:
    """Write offers of members in some sizes, the smaller of which are noisier; return their folders by name."""
    return {
        f"m{i}": write_offers(
            folder / f"m{i}",
            {
                size: (int((1000 + 1000 * (i % 3)) * BITS[size][0]), with_noise(each, BITS[size][1], i))
                for size in sizes
            },
        )
        for i, each in enumerate(halved(members(number, videos=1200, noise=1.5)))
    }


def searched(folder: Path, folders: dict[str, Path], **changes: float) -> tuple[StageResult, EnsembleWeights]:
    config = SearchWeightsConfig.parse({"trials": 150, "size_margin": 0.0, "min_gain_errors": 0.0} | changes, "test")
    result = search_weights(offers=folders, config=config, output=folder / "weights.json")
    return result, EnsembleWeights.load(folder / "weights.json")


def test_in_the_bytes_of_the_8_bit_ensemble_smaller_sizes_make_room_for_more(tmp_path: Path):
    _, eight = searched(tmp_path, sized(tmp_path / "one", "8"), budget_bytes=5000)
    result, ensemble = searched(tmp_path, sized(tmp_path / "all", *BITS), budget_bytes=eight.size_bytes)
    assert ensemble.gap_select > eight.gap_select
    assert len(ensemble.members) > len(eight.members)
    assert ensemble.size_bytes <= eight.size_bytes
    assert ensemble.sizes.keys() == ensemble.members.keys()
    sizes = {name: int((1000 + 1000 * (int(name[1:]) % 3)) * BITS[size][0]) for name, size in ensemble.sizes.items()}
    assert ensemble.size_bytes == sum(sizes.values())
    rows = {row["name"]: row for row in result.details["members"]}
    assert list(rows) == [f"m{i}" for i in range(6)]
    assert {name: rows[name]["size"] for name in ensemble.sizes} == ensemble.sizes
    assert {name: rows[name]["size_bytes"] for name in sizes} == sizes
    # What a member has in its size, not in the first one.
    name, size = next((name, size) for name, size in ensemble.sizes.items() if size != "8")
    one = Predictions.load(tmp_path / "all" / name / f"{size}.safetensors")
    alone = gap_of_mean([one], np.ones(1), np.arange(1, 1200, 2))
    assert rows[name]["gap"] == pytest.approx(alone, abs=1e-6)
    methods = {row["method"]: row for row in result.details["methods"]}
    assert all(row["size_bytes"] <= eight.size_bytes for row in methods.values())
    assert methods["ours"]["trials"] <= methods["random"]["trials"] == 300
    assert len(set(methods["flat"]["sizes"].values())) == 1


def test_the_papers_point_is_the_ensemble_that_8_bits_alone_give(tmp_path: Path):
    folders = sized(tmp_path / "all", *BITS)
    result, _ = searched(tmp_path, folders, budget_bytes=5000)
    alone, eight = searched(tmp_path, sized(tmp_path / "one", "8"), budget_bytes=5000)
    point = result.details["paper_point"]
    assert set(point["sizes"].values()) == {"8"}
    assert point["size_bytes"] <= 5000
    assert point["gap_select"] >= eight.gap_select
    assert alone.details["paper_point"]["gap_select"] == max(row["gap_select"] for row in alone.details["methods"])
    for row in result.details["frontier"]:
        assert row["sizes"].keys() == row["members"].keys()
    assert len({size for row in result.details["frontier"] for size in row["sizes"].values()}) > 1
    none, _ = searched(tmp_path, sized(tmp_path / "four", "4"), budget_bytes=5000)
    assert "paper_point" not in none.details


def test_members_that_fit_in_small_sizes_alone_are_searched(tmp_path: Path):
    _, ensemble = searched(tmp_path, sized(tmp_path / "all", *BITS), budget_bytes=900)
    assert ensemble.size_bytes <= 900
    assert "8" not in ensemble.sizes.values()


def test_sizes_with_predictions_of_different_videos_are_refused(tmp_path: Path):
    folders = sized(tmp_path, "8", "4", number=2)
    halved(members(1, videos=1199))[0].save(folders["m1"] / "4.safetensors")
    with pytest.raises(DataError, match=r"m0/8\.safetensors and .*m1/4\.safetensors: different number of videos"):
        search_weights(offers=folders, config=SearchWeightsConfig(), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_the_bytes_of_the_model_count(tmp_path: Path):
    result, ensemble = run(tmp_path, members(1))
    assert ensemble.size_bytes == result.metrics["size_bytes"] == SIZES[0]
    assert ensemble.sizes == {"m0": "8"}
    assert (tmp_path / "m0" / "8.safetensors").stat().st_size > SIZES[0]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (members(1, seed=1), "the same videos with different labels"),
        (members(1, videos=399), "different number of videos, 400 and 399"),
        (members(1, top_k=30), "different numbers of classes stored per video, 60 and 30"),
    ],
)
def test_members_with_predictions_of_another_run_are_refused(tmp_path: Path, other: list[Predictions], said: str):
    with pytest.raises(DataError, match=rf"m0/8\.safetensors and .*m1/8\.safetensors: {said}"):
        run(tmp_path, [*members(1), *other])


def test_no_members_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="at least one member, received none"):
        search_weights(offers={}, config=SearchWeightsConfig(), output=tmp_path / "out")


def test_a_hold_out_that_is_not_divided_is_searched_and_reported_as_a_whole(tmp_path: Path):
    found = members(3, noise=1.5)
    folders = stored(tmp_path, found)
    for member, folder in zip(found, folders.values(), strict=True):
        member.save(folder / "8.safetensors")
        member.save(folder / "float.safetensors")
    result = search_weights(offers=folders, config=SearchWeightsConfig(trials=20), output=tmp_path / "weights.json")
    ensemble = EnsembleWeights.load(tmp_path / "weights.json")
    weights = np.array([ensemble.members.get(f"m{i}", 0.0) for i in range(3)])
    assert ensemble.gap_select == ensemble.gap == ensemble.gap_float
    assert ensemble.gap == pytest.approx(gap_of_mean(found, weights), abs=1e-6)
    assert result.details["part"] == "hold-out"
    assert (result.metrics["videos"], result.metrics["select_videos"]) == (400, 400)


def test_what_is_reported_decides_nothing(tmp_path: Path):
    found = members(4, noise=1.5)
    outcomes = []
    for name, spoiled in (("a", False), ("b", True)):
        (tmp_path / name).mkdir()
        changed = [replace(member, scores=member.scores.copy()) for member in found]
        if spoiled:
            changed[0].scores[1::2] = 0
        outcomes.append(run(tmp_path / name, changed, min_gain_errors=2.0)[1])
    assert outcomes[0].gap != outcomes[1].gap
    changes = {"gap": 0.0, "gap_float": 0.0}
    assert outcomes[0].model_copy(update=changes) == outcomes[1].model_copy(update=changes)


def test_members_of_runs_that_divided_the_hold_out_differently_are_refused(tmp_path: Path):
    folders = stored(tmp_path, members(2))
    members(2)[1].save(folders["m1"] / "8.safetensors")
    with pytest.raises(DataError, match=r"m1/8\.safetensors: the hold-out is divided differently, 200 and 0 videos"):
        search_weights(offers=folders, config=SearchWeightsConfig(), output=tmp_path / "out")


def test_the_share_of_the_search_is_now_that_of_the_data():
    with pytest.raises(ConfigError, match=r"search_share: .*data\.report_share"):
        SearchWeightsConfig.parse({"search_share": 0.5}, "test")


def test_importing_the_stages_is_light():
    heavy = {"tensorflow", "keras", "cma", "scipy", "matplotlib"}
    assert not heavy & modules_after("import yt8m.stages.search_weights, yt8m.stages.select_teachers")
