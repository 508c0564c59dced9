"""Speed of metrics, selection of teachers and search for weights at the scale of the paper's hold-out.

    python benchmarks/search_weights.py [--videos 232072] [--members 9] [--trials 500]

Predictions are synthetic: labels are drawn from probabilities that fall with the rank of a class, and each member
predicts these probabilities with independent noise. Sizes of the members are those of the paper's table 4.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from support.measuring import peak_bytes, say

from yt8m.ensembling.files import OffersFile
from yt8m.ensembling.members import Offers
from yt8m.ensembling.scores import EnsembleScores
from yt8m.metrics import StreamingMetrics
from yt8m.predictions import DEFAULT_TOP_K, Predictions
from yt8m.stages.search_weights import SearchWeightsConfig, search_weights
from yt8m.stages.select_teachers import SelectConfig, select_teachers

CLASSES = 3862
# Classes per video with a positive score.
PLAUSIBLE = 300
# Sizes of the paper's nine members in MB, from table 4.
SIZES_MB = (54, 19, 19, 369, 59, 37, 33, 242, 220)


def main() -> None:
    """Print time and memory of each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=232_072)
    parser.add_argument("--members", type=int, default=9)
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--trials", type=int, default=500)
    arguments = parser.parse_args()
    measure_metrics()
    measure_truncation(min(arguments.videos, 50_000), arguments.members)
    with tempfile.TemporaryDirectory() as folder:
        measure_selection(Path(folder), arguments.videos, arguments.candidates)
    with tempfile.TemporaryDirectory() as folder:
        measure_search(Path(folder), arguments.videos, arguments.members, arguments.trials)
    say(f"peak memory of the benchmark: {peak_bytes() / 1e9:.2f} GB")


def measure_metrics() -> None:
    """Measure the computation of all metrics on 20,000 videos in batches of 500."""
    rng = np.random.default_rng(0)
    probabilities = rng.random((20_000, CLASSES), np.float32) ** 8
    labels = rng.random((20_000, CLASSES), np.float32) < 0.0008
    with timed("GAP, mAP, Hit@1 and PERR of 20,000 x 3,862"):
        metrics = StreamingMetrics(CLASSES)
        for start in range(0, 20_000, 500):
            metrics.update(probabilities[start : start + 500], labels[start : start + 500])
        metrics.result()


def measure_truncation(videos: int, members: int) -> None:
    """Measure the error of GAP when members store only their top K classes."""
    full = make_members(videos, members, PLAUSIBLE)
    weights = np.random.default_rng(1).dirichlet(np.ones(members), 16)
    exact = EnsembleScores(full).gaps(weights)
    for top_k in (20, 50, DEFAULT_TOP_K, 200):
        truncated = [truncate(member, top_k) for member in full]
        error = float(np.abs(EnsembleScores(truncated).gaps(weights) - exact).max())
        say(f"top {top_k:3} stored: error of GAP at most {error:.1e} (16 weightings, {videos:,} videos)")


def measure_selection(folder: Path, videos: int, candidates: int) -> None:
    """Measure the selection of three teachers."""
    paths = save(folder, make_members(videos, candidates, DEFAULT_TOP_K))
    with timed(f"select_teachers, 3 of {candidates}, {videos:,} videos, with reading"):
        select_teachers(predictions=paths, config=SelectConfig(), output=folder / "selection.json")


def measure_search(folder: Path, videos: int, members: int, trials: int) -> None:
    """Measure trials per second on all videos, then the stage as a whole."""
    found = make_members(videos, members, DEFAULT_TOP_K)
    with timed(f"collecting the candidates of {members} members, {videos:,} videos"):
        scores = EnsembleScores(found)
    say(f"scores in memory: {scores.size_bytes / 1e9:.2f} GB")
    weights = np.random.default_rng(2).dirichlet(np.ones(members), 96)
    start, cpu = time.perf_counter(), time.process_time()
    scores.gaps(weights)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    say(
        f"exact GAP on all {videos:,} videos: {len(weights) / seconds:.1f} trials/s, "
        f"{cpu / len(weights):.3f} CPU seconds per trial ({cpu / seconds:.1f} cores used)"
    )
    del scores
    folders = {f"member{index}": folder / f"member{index}" for index in range(len(found))}
    for index, path in enumerate(folders.values()):
        offers = Offers(path)
        path.mkdir(parents=True)
        sizes = {"8": SIZES_MB[index % len(SIZES_MB)] * 1_000_000}
        OffersFile(family="", sizes=sizes).save(offers.description)
        found[index].save(offers.predictions("8"))
        offers.float_predictions.hardlink_to(offers.predictions("8"))
    del found
    for budget in (2**40, 2**30, 600_000_000):
        config = SearchWeightsConfig(budget_bytes=budget, trials=trials)
        with timed(f"search_weights, {trials} trials per method, with reading, budget {budget:,} bytes"):
            result = search_weights(offers=folders, config=config, output=folder / "weights.json")
        for row in result.details["methods"]:
            say(
                f"  {row['method']:6} GAP on select {row['gap_select']:.5f} on report {row['gap']:.5f} "
                f"members {len(row['members'])} {row['size_bytes'] / 1e6:,.0f} MB, {row['trials']} trials"
            )
        say(f"  {result.metrics['trials_per_second']:.1f} trials/s, random trials {result.details['random_trials']}")


def make_members(videos: int, members: int, top_k: int) -> list[Predictions]:
    """Make predictions of members of similar quality with independent noise."""
    rng = np.random.default_rng(0)
    classes = [np.empty((videos, top_k), np.uint16) for _ in range(members)]
    scores = [np.empty((videos, top_k), np.float32) for _ in range(members)]
    counts, labels = [np.zeros(1, np.int64)], []
    rank = np.log1p(np.arange(PLAUSIBLE, dtype=np.float32))
    for start in range(0, videos, 4096):
        size = min(4096, videos - start)
        # Odd and below 1,931, so that no class repeats: 3,862 = 2 * 1,931.
        step = 2 * rng.integers(0, 900, (size, 1)) + 1
        candidates = (rng.integers(0, CLASSES, (size, 1)) + np.arange(PLAUSIBLE) * step) % CLASSES
        confidence = rng.normal(3.0, 1.2, (size, 1)).astype(np.float32)
        logits = confidence - 2.2 * rank + 0.7 * rng.standard_normal((size, PLAUSIBLE), np.float32)
        chance = np.where(np.arange(PLAUSIBLE) < 6, 1.0, 0.3) / (1 + np.exp(-logits))
        positive = np.zeros((size, CLASSES), np.bool_)
        np.put_along_axis(positive, candidates, rng.random(logits.shape, np.float32) < chance, axis=1)
        labels.append(np.nonzero(positive)[1].astype(np.uint16))
        counts.append(positive.sum(axis=1))
        for member in range(members):
            noise = (0.5 + 0.03 * member) * rng.standard_normal(logits.shape, np.float32)
            seen = 1 / (1 + np.exp(-(logits + noise)))
            top = np.argsort(-seen, axis=1)[:, :top_k]
            classes[member][start : start + size] = np.take_along_axis(candidates, top, axis=1)
            scores[member][start : start + size] = np.take_along_axis(seen, top, axis=1)
    ids, ptr, flat = np.arange(videos).astype(np.bytes_), np.cumsum(np.concatenate(counts)), np.concatenate(labels)
    report = np.arange(videos) % 2 == 1
    return [Predictions(ids, c, s, ptr, flat, CLASSES, report) for c, s in zip(classes, scores, strict=True)]


def truncate(member: Predictions, top_k: int) -> Predictions:
    """Keep only the top K classes of each video."""
    return replace(member, classes=member.classes[:, :top_k], scores=member.scores[:, :top_k])


def save(folder: Path, members: list[Predictions]) -> dict[str, Path]:
    """Write the predictions files; return their paths by name."""
    paths = {f"member{i}": folder / f"member{i}.predictions" for i in range(len(members))}
    for path, member in zip(paths.values(), members, strict=True):
        member.save(path)
    return paths


@contextmanager
def timed(title: str) -> Iterator[None]:
    """Print the duration of the block and the peak memory so far."""
    start = time.perf_counter()
    yield
    say(f"{title}: {time.perf_counter() - start:.2f} s (peak memory so far {peak_bytes() / 1e9:.2f} GB)")


if __name__ == "__main__":
    main()
