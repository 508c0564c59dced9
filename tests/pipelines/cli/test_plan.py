from itertools import takewhile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from tests.support.paths import RECIPES
from yt8m.data.description import DatasetDescription
from yt8m.data.partition import Partition, Shard
from yt8m.data.synthetic.presets import PRESETS
from yt8m.stages.generate import GenerateConfig, generate
from yt8m.stages.prepare import PrepareConfig, prepare

SMOKE = str(RECIPES / "smoke.yaml")


def plan(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan", *arguments])


def test_a_recipe_that_generates_its_videos_needs_no_options() -> None:
    result = plan(SMOKE)
    assert result.exit_code == 0
    for text in ("nodes in", "Ensemble: ", "Pipeline: ", "compiled", "Data: ", "Stored: ", "Network: "):
        assert text in result.output
    assert "GPU hours" not in result.output


def test_a_gpu_adds_hours_and_their_assumptions() -> None:
    result = plan(SMOKE, "--gpu", "t4", "--gpus", "1", "--gpus", "3")
    assert result.exit_code == 0
    for text in (
        "GPU hours",
        "Critical path: ",
        "COMPUTED, not measured",
        "40% of 8.1 TFLOP/s",
        "Reading: at most 15,200",
    ):
        assert text in result.output
    assert [line.split()[0] for line in result.output.splitlines() if line.endswith("% ")] == ["1", "3"]


def test_no_run_is_faster_than_the_shared_cache_is_read() -> None:
    def hours(*options: str) -> list[str]:
        result = plan(SMOKE, "--gpu", "t4", "--gpus", "1", "--gpus", "3", *options)
        assert result.exit_code == 0, result.output
        assert ("GPUs WAIT" in result.output) == ("--shared-read-rate=1kB/s" in options)
        return [line.split()[1] for line in result.output.splitlines() if line.endswith("% ")]

    assert hours("--shared-read-rate=1TB/s") == hours()
    slow = hours("--shared-read-rate=1kB/s")
    assert slow[0] == slow[1] != hours()[0]


def test_given_rates_need_no_gpu() -> None:
    architectures = ("logistic", "rnn", "netfv", "dbof", "netvlad", "nextvlad")
    shown = plan(SMOKE).output
    given = [f"--videos-per-second={name}=100" for name in architectures if f" {name} " in shown]
    result = plan(SMOKE, *given)
    assert result.exit_code == 0, result.output
    assert "given" in result.output
    assert "COMPUTED" not in result.output


def test_a_partition_gives_videos_and_bytes(tmp_path: Path) -> None:
    shard = Shard(uri="gs://bucket/a", videos=1_000_000, size_bytes=300_000_000_000, checksum="c")
    held_out = shard.model_copy(update={"uri": "gs://bucket/b", "videos": 1000, "size_bytes": 300_000_000})
    path = tmp_path / "partition.json"
    spec = PRESETS["smoke"].spec
    Partition(spec=spec, seed=0, training=(shard,), holdout=(held_out,), class_counts=()).save(path)
    result = plan(SMOKE, "--data", str(path))
    assert result.exit_code == 0
    assert "Data: 1,000,000 training and 1,000 hold-out videos in 2 shards, 300.3 GB" in result.output
    assert "for 1,000,000 training videos" in result.output


def test_generated_videos_are_counted_exactly() -> None:
    assert "Data: 9,720 training and 1,680 hold-out videos" in plan(str(RECIPES / "demo.yaml")).output


def test_videos_of_described_shards_are_counted(tmp_path: Path) -> None:
    generate(config=GenerateConfig(preset="smoke", videos=117), output_uri=str(tmp_path))
    description = DatasetDescription.in_folder(str(tmp_path))
    patterns = [f"{tmp_path}/{name}*.tfrecord" for name in ("train", "validate")]
    recipe, held_out = tmp_path / "recipe.yaml", description.shards["validate"] - 1
    recipe.write_text(
        f"name: own\ndata: {{training: ['{patterns[0]}'], validation: ['{patterns[1]}'], holdout_shards: {held_out}}}\n"
        "families: {one: {candidates: {one: {model: {architecture: logistic}}}}}\n"
    )
    output = plan(str(recipe)).output
    partition = tmp_path / "partition.json"
    config = PrepareConfig(
        training=(patterns[0],),
        validation=(patterns[1],),
        holdout_shards=held_out,
        report_share=0.0,
        spec=description.data,
    )
    prepare(config=config, output=partition)
    found = Partition.load(partition)
    assert f"Data: {found.num_training_videos} training and {found.num_holdout_videos} hold-out videos" in output
    stated = plan(str(recipe), "--set", "training.batch_size=118")
    assert stated.exit_code == 2
    assert (
        f"one: training.batch_size: 118, but there are only {found.num_training_videos} training videos"
        in stated.output
    )


def test_settings_of_an_unknown_number_of_videos_are_named() -> None:
    unknown = "data.generate=null", "data.training=['none/*']", "data.validation=['none/*']"
    options = [part for setting in unknown for part in ("--set", setting)]
    output = " ".join(plan(SMOKE, *options).output.split())
    assert "follow from the number of training videos: training.warmup_steps, training.decay_examples" in output
    assert "training.batch_size" not in output
    known = " ".join(plan(SMOKE, *options, "--videos", "1024").output.split())
    assert "training.decay_examples 171 auto: 11 decays" in known  # 2 x 32 x 32 videos in 12 stairs


def test_holding_out_more_shards_than_exist_is_refused() -> None:
    result = plan(SMOKE, "--set", "data.holdout_shards=400")
    assert result.exit_code == 2
    assert "holdout_shards: 400 shards to hold out" in result.output


def lines_of_ensemble(recipe: str, *settings: str) -> list[str]:
    """Return what the plan says of the ensemble: a line, and one for each size."""
    lines = plan(recipe, *(part for setting in settings for part in ("--set", setting))).output.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Ensemble: "))
    return [lines[first].strip(), *takewhile(lambda line: line.startswith("  In "), lines[first + 1 :])]


@pytest.mark.parametrize(("margin", "told"), [("auto", "the search keeps the best that fit"), ("0.01", "all fit")])
def test_members_fit_the_limit_of_the_search(margin: str, told: str) -> None:
    settings = f"ensemble.search.size_margin={margin}", "quantization.bits=8"
    _, eight, _ = lines_of_ensemble(str(RECIPES / "demo.yaml"), *settings)
    assert eight.startswith("  In 8 bits they come to ")
    assert f": {told}; the budget holds " in eight


def test_the_papers_members_have_half_the_bytes_in_4_bits_and_the_budget_holds_twice_as_many() -> None:
    _, eight, four = lines_of_ensemble(str(RECIPES / "paper.yaml"))
    assert eight == "  In 8 bits they come to 1.0 GB: all fit; the budget holds 9 of their mean size."
    assert "In 4 bits they come to 525.0 MB, which the recipe does not offer" in four
    # 2^30 bytes without the recipe's margin of 1%, in members of 524,972,354 / 9 bytes.
    assert four.endswith(f"the budget holds {2**30 / 1.01 // (524_972_354 / 9):.0f} of their mean size.")


def test_every_size_in_which_members_are_offered_has_a_line() -> None:
    sizes = [line.split(" they")[0] for line in lines_of_ensemble(SMOKE, "quantization.bits=[8, auto, 2]")[1:]]
    assert sizes == ["  In 8 bits", "  In about 4 bits (auto)", "  In 2 bits"]


def test_bits_that_are_chosen_are_compared_with_the_papers() -> None:
    _, chosen, eight = lines_of_ensemble(str(RECIPES / "demo.yaml"))
    assert chosen.startswith("  In about 4 bits (auto) they come to ")
    assert eight.startswith("  In 8 bits they come to ")
    assert "which the recipe does not offer; the budget holds " in eight


def test_a_budget_that_holds_no_member_in_any_size_is_told() -> None:
    first, *_ = lines_of_ensemble(SMOKE, "ensemble.search.budget_bytes=1000")
    assert first.endswith("None fits, so that the search will fail; raise ensemble.search.budget_bytes.")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--gpu", "h10", "--videos", "9"], "unknown GPU 'h10'. Did you mean 'h100'?"),
        (["--gpu", "l4"], "the number of videos is unknown"),
        (["--holdout", "9"], "--videos: missing"),
        (["--videos", "9", "--bytes", "much"], "expected a size such as 1.5TB, received 'much'"),
        (["--videos", "9", "--shared-read-rate", "0"], "--shared-read-rate: expected a size such as 1.2GB/s"),
        (["--videos", "9", "--videos-per-second", "rnn"], "expected MODEL=N"),
        (["--videos", "9", "--videos-per-second", "rnn=-1"], "expected MODEL=N"),
        (
            ["--videos", "9", "--videos-per-second", "netvald=1"],
            "no model or architecture 'netvald'. Did you mean 'netvlad",
        ),
        (["--videos", "9", "--videos-per-second", "rnn=1"], "no rate for fvnet1-hard"),
        (["--data", "p.json", "--videos", "9"], "leave out --videos"),
        (["--data", "no-such-partition.json"], "no-such-partition.json"),
        (["--videos", "0"], "--videos"),
        (["--videos", "9", "--gpus", "0"], "--gpus"),
        (["--cluster", "no-such-cluster.yaml"], "no-such-cluster.yaml: cannot be read"),
    ],
)
def test_unusable_options_end_with_code_2_and_the_remedy(options: list[str], told: str) -> None:
    result = plan(str(RECIPES / "paper.yaml"), *options)
    assert result.exit_code == 2
    assert told in result.output


def test_how_often_steps_are_tried_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("training: {retries: {count: 5}}\ndata: {retries: {count: 2}}")
    told = "Retries: a step is tried up to 6 times. On an installation without manifests/components/retries"
    result = plan(SMOKE, "--cluster", str(path))
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert told in text
    assert "up to 6 x 81 attempts" in text
    # Without `retries`, all installations try a pod three times, a stock one after deletions only.
    assert "Retries: a step is tried up to 3 times." in " ".join(plan(SMOKE).output.split())
    path.write_text("training: {retries: {count: 1}}")
    assert "up to 3 x 81 attempts" in " ".join(plan(SMOKE, "--cluster", str(path)).output.split())


@pytest.mark.parametrize(
    ("memory", "options", "told"),
    [("100K", [], True), ("16Gi", [], False), ("100K", ["--set", "training.memory_bytes=0"], False)],
)
def test_videos_that_take_more_than_the_memory_of_a_step_are_told_with_the_remedy(
    tmp_path: Path, memory: str, options: list[str], told: bool
) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(f"training: {{memory: {memory}}}")
    text = " ".join(plan(SMOKE, "--cluster", str(path), *options).output.split())
    assert "Retries: " in text
    # The students also keep soft targets.
    assert ("Memory: TOO LITTLE for 6 trainings. train-dbof-student keeps 646.0 kB of videos" in text) is told
    assert ("the cluster gives it 100K. Raise `memory` of the class `training`" in text) is told


def test_shards_that_are_not_there_yet_are_told_and_those_that_cannot_be_divided_refused(tmp_path: Path) -> None:
    given = ["--set", "data.generate=null", "--set", f"data.training=['{tmp_path}/t*.tfrecord']"]
    given += ["--set", f"data.validation=['{tmp_path}/v*.tfrecord']", "--set", "data.holdout_shards=1"]
    (tmp_path / "v0.tfrecord").write_text("a shard")
    result = plan(SMOKE, *given)
    assert result.exit_code == 0, result.output
    assert f"Missing for a run on this machine: {SMOKE}: data.training: no file matches" in result.output.replace(
        "\n", " "
    )

    (tmp_path / "t0.tfrecord").hardlink_to(tmp_path / "v0.tfrecord")
    result = plan(SMOKE, *given)
    assert result.exit_code == 2
    assert (
        f"{tmp_path}/v0.tfrecord: both a training and a validation shard (as {tmp_path}/t0.tfrecord)" in result.stderr
    )

    result = plan(SMOKE, *given, "--set", "data.training=[]")
    assert result.exit_code == 2
    assert f"`yt8m data split {tmp_path}/v0.tfrecord --out {tmp_path}/shards`" in result.stderr
