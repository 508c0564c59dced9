"""Rules about the data, which `prepare` has looked at."""

from collections.abc import Iterator

from yt8m.records.record import NodeRecord
from yt8m.report.run import Run
from yt8m.report.warnings.rule import Finding
from yt8m.words import count


def find_untrained_classes(run: Run) -> Iterator[Finding]:
    """Find classes without training examples."""
    for prepare in run.of("prepare"):
        missing = prepare.metrics.get("classes_without_training_video", 0.0)
        if not missing:
            continue
        classes = prepare.config.get("spec", {}).get("num_classes")
        of_all = f" of {classes:,}" if classes else ""
        without = f"{missing:,.0f}{of_all} classes {'has' if missing == 1 else 'have'}"
        listed, labels = (
            prepare.details.get(key, "") for key in ("classes_without_training_video", "untrained_labels")
        )
        holdout = prepare.metrics.get("holdout_classes_without_training_video", 0.0)
        has = f" {holdout:,.0f} of them {'has' if holdout == 1 else 'have'} hold-out videos." if holdout else ""
        has = f" {labels}" if labels else has
        yield Finding(
            node=prepare.node,
            text=f"{without} no training video{f': {listed}' if listed else ''}.{has}",
            cause="No model can learn these classes: videos are missing, or the number of classes is too high.",
            setting="`data.training`: shards with videos of these classes; or `data.spec.num_classes`",
        )


def find_shared_videos(run: Run) -> Iterator[Finding]:
    """Find hold-out videos that are also in training, and test videos that are also in either."""
    yield from _find_used_test_videos(run)
    for prepare in run.of("prepare"):
        shared, videos = (prepare.metrics.get(key, 0.0) for key in ("holdout_videos_in_training", "holdout_videos"))
        if shared:
            example = prepare.details.get("shared_videos", "")
            yield Finding(
                node=prepare.node,
                text=example or f"{shared:,.0f} of {videos:,.0f} hold-out videos are training videos, too.",
                cause="Figures on the hold-out are too high: the models have trained on these videos.",
                setting="`data.validation`: shards without these videos, as `yt8m data split` makes them",
            )


def _find_used_test_videos(run: Run) -> Iterator[Finding]:
    """Find test videos that are also in training or in the hold-out."""
    for export in run.of("export"):
        used, videos = (export.metrics.get(key, 0.0) for key in ("test_videos_in_training", "test_videos"))
        if used:
            yield Finding(
                node=export.node,
                text=f"{used:,.0f} of {videos:,.0f} test videos have the id of a training or hold-out video.",
                cause="Figures on the test are too high: these videos were trained on, or decided about models.",
                setting="`data.test`: shards without these videos, as `yt8m data split` makes them",
            )


def find_doubts(run: Run) -> Iterator[Finding]:
    """Find what else `prepare` doubted, and damaged shards."""
    for prepare in run.of("prepare"):
        damaged = prepare.details.get("damaged_shards", ())
        if damaged:
            yield _of_data(
                prepare,
                f"{count(len(damaged), 'damaged shard')}, of which only the videos before the damage are used, such as "
                f"{damaged[0]}.",
                "The files are not complete, or were changed after they were written.",
                "`data.training` and `data.validation`: copy these shards again",
            )
        for doubt in prepare.details.get("doubts", ()):
            yield _of_data(
                prepare,
                str(doubt),
                "The shards hold something else than the recipe expects.",
                "`data`: look at the shards with `yt8m data check`",
            )


def _of_data(prepare: NodeRecord, text: str, cause: str, setting: str) -> Finding:
    return Finding(node=prepare.node, text=text, cause=cause, setting=setting)
