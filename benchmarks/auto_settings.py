"""What the settings `auto` lose to the best of several random trials.

    python benchmarks/auto_settings.py [DATA ...] [--means FILE.npz] [--model dbof] [--trials 20] [--root runs/auto]

For every set of data, writes shards and the recipe of `yt8m init`. Trains a model of this recipe as it stands there,
then in trials with random learning rates, batch sizes, epochs and momenta. Everything else is equal, so that trials
keep their best epoch, too. Each model is measured on 4,000 videos that neither a training nor the choice of an epoch
has seen: the best of many trials is better there, not luckier. Prints a line per set: GAP with the recipe's settings,
of the best trial, and the difference; then the same on the recipe's own hold-out.

DATA is `VIDEOS:CLASSES:FEATURES:FRAMES:SEED` for generated videos, and `VIDEOS:SEED` for a part of the real means in
`--means` (3,862 classes, 1,152 features, a frame per video). VIDEOS counts those to train on and to hold out. Without
DATA, all sets of `UNSEEN` are measured, from whose seeds and sizes no rule was derived.

Results are lines of JSON in `results.jsonl` in the root. A benchmark that is started again continues; after a change of
the rules only trainings with other settings run again. A set of 1,000 videos takes about 3 minutes of a core.
"""

import argparse
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import keras
import numpy as np
from support.measuring import Stopwatch, say

from pipelines.graph.planner import make_plan
from pipelines.init.shards import find_shards
from pipelines.init.survey import survey
from pipelines.init.write import write_recipes
from yt8m.data.description import DatasetDescription
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.data.scan import hold_out_all
from yt8m.data.synthetic.dataset import ShardPlan, plan_shards, start_dataset, write_shards
from yt8m.data.synthetic.presets import Preset
from yt8m.data.synthetic.procedural import ProceduralVideos
from yt8m.data.synthetic.real_means import RealMeanVideos
from yt8m.stages.evaluate import evaluate
from yt8m.stages.prepare import PrepareConfig, prepare
from yt8m.stages.train import TrainConfig, train
from yt8m.training.auto.counts import DataCounts
from yt8m.training.auto.rules import resolve_training
from yt8m.training.config import TrainingConfig

# Sets of data from whose seeds and sizes no rule was derived.
UNSEEN = (
    "1000:12:96:6:121",
    "1000:60:48:3:122",
    "1000:250:160:2:123",
    "1000:124",
    "10000:12:96:6:115",
    "10000:250:160:2:116",
    "10000:117",
    "100000:60:48:3:118",
)
VALIDATION_SHARE = 0.2
# Labels that are withheld from generated videos, and the share of a scene that shows what it is about.
MISSING_SHARE, WORD_SHARE = 0.2, 0.5
# Ranges of the trials: from the first number to the second, all orders of magnitude alike.
LEARNING_RATES = (1e-4, 3e-2)
BATCH_SIZES = (8, 256)
FORGETTING = (1e-3, 0.1)  # 1 minus momentum
# Passes of a trial: at least the first number, at most the second, and all videos together at most the third.
LEAST_EPOCHS, MOST_EPOCHS, MOST_EXAMPLES = 3, 40, 1_000_000


class DataSet(NamedTuple):
    """A set of data, as the command line names it.

    Attributes:
        name: Its name.
        videos: Number of videos to train on and to hold out.
        seed: Seed of the videos.
        spec: Features, classes and frames.
        real: Whether the videos are real means.
    """

    name: str
    videos: int
    seed: int
    spec: DataSpec
    real: bool

    @classmethod
    def parse(cls, name: str) -> Self:
        """Parse a name; see the description of the script."""
        videos, *sizes, seed = map(int, name.split(":"))
        if not sizes:
            return cls(name, videos, seed, DataSpec(max_frames=1), real=True)
        classes, features, frames = sizes
        audio = features // 5
        spec = DataSpec(features={"rgb": features - audio, "audio": audio}, num_classes=classes, max_frames=frames)
        return cls(name, videos, seed, spec, real=False)


def main() -> None:
    """Measure all sets of data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", type=DataSet.parse, metavar="DATA")
    parser.add_argument("--means", help="Path of an .npz with the means of real videos.")
    parser.add_argument("--model", default="dbof", help="The first model of the recipe with this architecture is used.")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--measured", type=int, default=4000, help="Number of videos on which models are compared.")
    parser.add_argument("--root", type=Path, default=Path("runs/auto"))
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    watch = Stopwatch()
    say("data, model, trials: GAP of the recipe, of the best trial, difference; the same on the recipe's own hold-out")
    for data in arguments.data or map(DataSet.parse, UNSEEN):
        if data.real and not arguments.means:
            say(f"{data.name}: left out, because it needs --means")
            continue
        benchmark = Benchmark(data, arguments.root, arguments.means, arguments.measured)
        say(benchmark.compare(arguments.model, arguments.trials))
    say(f"{watch.seconds / 60:.1f} minutes, {watch.processor_seconds / 60:.1f} of processors")


class Benchmark:
    """Trainings on a set of data, with their results in a file.

    Args:
        data: The set of data.
        root: Folder of shards, recipes and results of all sets.
        means: Path of the means of real videos.
        measured: Number of videos on which models are compared.
    """

    def __init__(self, data: DataSet, root: Path, means: str | None, measured: int) -> None:
        self._data = data
        self._folder = (root / data.name.replace(":", "-")).absolute()
        self._results = root / "results.jsonl"
        write_data(data, means, measured, self._folder)
        places = [str(self._folder / f"{side}*.tfrecord") for side in ("train", "validate")]
        self._recipe = write_recipes(survey(find_shards(places)), self._folder / "recipe").full.recipe
        self._nodes = make_plan(self._recipe).nodes
        self._partition, self._measured = (self._folder / f"{name}.json" for name in ("partition", "measured"))
        prepare(config=PrepareConfig.parse(self._nodes["prepare"].config, "prepare"), output=self._partition)
        hold_out_all(sorted(map(str, self._folder.glob("measure*.tfrecord"))), data.spec, "fail").save(self._measured)
        self._counts = DataCounts.of(Partition.load(self._partition))

    def compare(self, architecture: str, trials: int) -> str:
        """Train a model with the recipe's settings and in trials, and tell which was how good.

        Args:
            architecture: The first model of the recipe with this architecture is trained.
            trials: Number of trials.
        """
        found = [name for name, model in self._recipe.candidates().items() if model.model.architecture == architecture]
        if not found:
            return f"{self._data.name}: the recipe has no {architecture}"
        config = TrainConfig.parse(self._nodes[f"train-{found[0]}"].config, found[0])
        recipe = self._result(found[0], "recipe", config)
        tried = [
            self._result(found[0], f"trial {number}", config.model_copy(update={"training": training}))
            for number, training in zip(range(trials), self._trials(config.training), strict=False)
        ]
        best = max(tried, key=lambda result: result["gap"])
        best_holdout = max(result["holdout_gap"] for result in tried)
        return (
            f"{self._data.name}, {found[0]}, {trials}: {recipe['gap']:.4f}, {best['gap']:.4f}, "
            f"{recipe['gap'] - best['gap']:+.4f}; {recipe['holdout_gap']:.4f}, {best_holdout:.4f}, "
            f"{recipe['holdout_gap'] - best_holdout:+.4f}; recipe {describe(recipe)}, best {describe(best)}"
        )

    def _trials(self, training: TrainingConfig) -> Iterator[TrainingConfig]:
        """Draw trainings. The first ones are the same for any number of trials."""
        random = np.random.default_rng([self._data.seed, 2])
        videos = self._counts.training_videos
        most_epochs = max(min(MOST_EPOCHS, MOST_EXAMPLES // videos), LEAST_EPOCHS + 1)
        while True:
            rate, batch, epochs, forgetting = (
                float(np.exp(random.uniform(*np.log(bounds))))
                for bounds in (LEARNING_RATES, BATCH_SIZES, (LEAST_EPOCHS, most_epochs), FORGETTING)
            )
            yield training.model_copy(
                update={
                    "learning_rate": float(f"{rate:.3g}"),
                    "batch_size": min(round(batch), videos // 4),
                    "epochs": round(epochs),
                    "batch_norm_momentum": round(1 - forgetting, 4),
                    "decay_examples": "auto",
                }
            )

    def _result(self, model: str, what: str, config: TrainConfig) -> dict[str, Any]:
        """Return the result of a training, which runs unless the file has its result."""
        resolved = resolve_training(config.training, self._counts)[0].model_dump(mode="json")
        question = {"data": self._data.name, "model": model, "config": config.model.model_dump(mode="json")}
        question |= {"what": what, "training": resolved}
        for line in self._results.read_text("utf-8").splitlines() if self._results.exists() else []:
            answer: dict[str, Any] = json.loads(line)
            if question.items() <= answer.items():
                return answer
        answer = question | self._train(config)
        with self._results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(answer) + "\n")
        return answer

    def _train(self, config: TrainConfig) -> dict[str, float]:
        """Train and measure a model."""
        folder = self._folder / "training"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        keras.backend.clear_session()
        watch = Stopwatch()
        model, predictions = folder / "model", folder / "predictions.npz"
        result = train(
            partition=self._partition,
            config=config,
            output=model,
            predictions=predictions,
            checkpoint_uri=str(folder / "checkpoint"),
        )
        seconds = watch.seconds
        measured = evaluate(partition=self._measured, model=model, config=config.evaluation, predictions=predictions)
        kept = result.metrics.get("kept_epoch", 0.0)
        figures = {"gap": measured.metrics["gap"], "holdout_gap": result.metrics["gap"], "kept_epoch": kept}
        return figures | {"seconds": seconds}


def write_data(data: DataSet, means: str | None, measured: int, folder: Path) -> None:
    """Write the shards of a set: to train on, to hold out, and a further one to compare models on."""
    preset = Preset(
        spec=data.spec,
        videos=data.videos,
        videos_per_shard=1000,
        videos_per_validation_shard=250,
        word_share=WORD_SHARE,
    )
    everything = preset.model_copy(update={"videos": data.videos + measured})
    source: RealMeanVideos | ProceduralVideos
    if data.real:
        assert means is not None
        source = RealMeanVideos(means, data.seed, everything)
    else:
        source = ProceduralVideos(data.seed, everything, MISSING_SHARE)
    shards = plan_shards(preset, VALIDATION_SHARE, 0.0)
    further = ShardPlan("measure0000.tfrecord", len(shards), data.videos, measured, labeled=True)
    start_dataset(str(folder), DatasetDescription(data=data.spec, seed=data.seed, videos={}, shards={}))
    write_shards(str(folder), [*shards, further], source=source, spec=data.spec, seed=data.seed, threads=1)


def describe(result: dict[str, Any]) -> str:
    """Describe the settings of a training."""
    training = result["training"]
    momentum = training["batch_norm_momentum"]
    return (
        f"rate {training['learning_rate']:g}, batch {training['batch_size']}, epoch {result['kept_epoch']:.0f} of "
        f"{training['epochs']}, momentum {'re-estimated' if momentum is None else f'{momentum:g}'}"
    )


if __name__ == "__main__":
    main()
