"""Rules about the training of a model: its learning curve, and its GAP in training and on the hold-out."""

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

from yt8m.records.record import NodeRecord
from yt8m.report.run import ModelRun, Run
from yt8m.report.warnings.rule import Finding, lower_rate, sample_of, training_setting, videos_of

# Rule 1: difference of GAP between training and hold-out, beyond two standard errors. In the demo it is at most 0.125.
MOST_OVERFIT = 0.15
# Rule 1: share of the moving statistics of batch normalization that may be initial values.
MOST_INITIAL = 0.05
# Rule 3: factor by which the training loss of an epoch may exceed the lowest one before.
MOST_LOSS_RISE = 1.2
# Rule 3: the same rise as a share of the loss with which the training began. Less is what the order of the videos
# decides once a model has memorized them: a few that it gets wrong multiply a loss close to 0.
LEAST_LOSS_RISE = 0.1
# Rule 3: videos from which a mean loss says something: of 200, its standard error is at most a tenth of it.
LEAST_VIDEOS = 200
# Rule 3: fall of the hold-out's GAP between epochs, beyond two standard errors.
MOST_FALL = 0.1
# Standard error of GAP on one video, from that on 100. A bootstrap over a handful of videos may find none.
_ERROR_OF_ONE = 0.4
# Rule 8: gain of the last epoch in GAP from which a longer training is worth a try.
MOST_LAST_GAIN = 0.02
# Rule 9: number of epochs from which it means something that the first was the best.
LEAST_EPOCHS = 3
# Rule 9: fall of GAP from the first epoch to the best later one, at least and in standard errors.
MOST_FIRST_FALL = 0.02
MOST_FIRST_ERRORS = 2.0
# Mean loss of videos of a training, after the words for its time.
Loss = tuple[str, float]
# Sizes of models, one of which a smaller model has halved.
_SIZES = ("num_clusters", "hidden_units", "units")


def find_overfitting(run: Run) -> Iterator[Finding]:
    """Find models with a GAP in training far above that on the hold-out."""
    for model in run.models.values():
        learned = _training_gap(model)
        if learned is None or model.gap is None or "train" not in model.records:
            continue
        error = model.metric(model.final, "gap_error") or 0.0
        if learned - model.gap - 2 * error > MOST_OVERFIT:
            cause, setting = _why_overfit(model)
            yield Finding(
                node=model.records["train"].node,
                text=(
                    f"GAP {learned:.3f} on the training videos, during the training, but {model.gap:.3f} on "
                    f"{videos_of(model.records[model.final])}."
                ),
                cause=cause,
                setting=setting,
            )


def find_divergence(run: Run) -> Iterator[Finding]:
    """Find trainings with an epoch in which the loss rose or the hold-out's GAP fell."""
    for model in run.models.values():
        trained, further = (model.details(stage, "curve") or () for stage in ("train", "average"))
        start = _start_loss(trained)
        # The further training begins with the loss to which the training has led.
        references = {"train": start, "average": _kept_loss(model) or _start_loss(further)}
        began = min((loss for _, loss in (*start, *_epoch_losses(trained)[:1])), default=0.0)
        for stage, points in (("train", trained), ("average", further)):
            fell = _risen_loss([*references[stage], *_epoch_losses(points)], LEAST_LOSS_RISE * began)
            fell = fell or _fallen_gap(points, _error_of_select(model), model)
            if fell:
                yield Finding(
                    node=model.records[stage].node,
                    text=fell,
                    cause="The learning rate is too high, so that steps undo what was learned before.",
                    setting=lower_rate(model) if stage == "train" else _larger_divisor(model.records[stage]),
                )


def find_short_trainings(run: Run) -> Iterator[Finding]:
    """Find trainings that still gained in their last epoch."""
    for model in run.models.values():
        gaps = _holdout_gaps(model.details("train", "curve") or ())
        if len(gaps) < 2:
            continue
        (_, before), (last, after) = gaps[-2:]
        if after == max(gap for _, gap in gaps) and after - before > MOST_LAST_GAIN:
            yield Finding(
                node=model.records["train"].node,
                text=(
                    f"The last epoch is the best: GAP {before:.3f} after epoch {last - 1} and {after:.3f} after epoch "
                    f"{last}, on {sample_of(model)}."
                ),
                cause="The training ended before the model had learned what it can.",
                setting=f"`training.epochs: {2 * last}`",
            )


def find_best_first_epochs(run: Run) -> Iterator[Finding]:
    """Find trainings whose first epoch was the best of several."""
    for model in run.models.values():
        kept, done = model.metric("train", "kept_epoch"), model.metric("train", "epochs_done")
        gaps = [gap for _, gap in _holdout_gaps(model.details("train", "curve") or ())]
        if kept != 1 or done is None or done < LEAST_EPOCHS or len(gaps) < 2:
            continue
        first, later = gaps[0], max(gaps[1:])
        if first - later > max(MOST_FIRST_FALL, MOST_FIRST_ERRORS * _error_of_select(model)):
            yield Finding(
                node=model.records["train"].node,
                text=(
                    f"The first of {done:.0f} epochs is the best: GAP {first:.3f} on {sample_of(model)}, then at most "
                    f"{later:.3f}."
                ),
                cause="The learning rate is too high, or the model overfits its training videos at once.",
                setting=lower_rate(model),
            )


def _training_gap(model: ModelRun) -> float | None:
    """Return the GAP in training of the epoch whose weights were kept.

    If its moving statistics had not settled, the epoch was kept by chance, and the highest GAP of all epochs counts.
    """
    kept = model.metric("train", "kept_epoch")
    ends = _epoch_ends(model.details("train", "curve") or ())
    gaps = [float(point["gap"]) for point in ends.values() if "gap" in point]
    if gaps and _initial_share(model) > MOST_INITIAL:
        return max(gaps)
    if kept is not None and "gap" in ends.get(int(kept), {}):
        return float(ends[int(kept)]["gap"])
    return model.metric("train", "training_gap")


def _why_overfit(model: ModelRun) -> tuple[str, str]:
    """Return the likely cause and the setting to change."""
    if (initial := _initial_share(model)) > MOST_INITIAL:
        momentum = training_setting(model, "batch_norm_momentum")
        cause = (
            f"The moving statistics of batch normalization have not settled: after {_kept_steps(model):,.0f} steps "
            f"with momentum {momentum:g}, {initial:.0%} of them are initial values."
        )
        return cause, ("`training.batch_norm_momentum: auto`, which measures the statistics before every prediction")
    cause = "The model overfits its training videos."
    gaps = _holdout_gaps(model.details("train", "curve") or ())
    if training_setting(model, "keep") == "last" and gaps and max(gaps, key=lambda each: each[1]) != gaps[-1]:
        return cause, "`training.keep: best`"
    sizes = model.records["train"].config.get("model", {})
    size = next((key for key in _SIZES if isinstance(sizes.get(key), int)), None)
    half = f", such as `{size}: {max(sizes[size] // 2, 1)}` in the entry `model` of `{model.name}`" if size else ""
    return cause, f"a smaller model{half}; or more training videos"


def _initial_share(model: ModelRun) -> float:
    """Return the share of initial values in the moving statistics of the kept epoch; 0 if there are none."""
    momentum, steps = training_setting(model, "batch_norm_momentum"), _kept_steps(model)
    if not isinstance(momentum, float) or not steps or model.details("train", "batch_normalizations") == 0:
        return 0.0
    return float(momentum**steps)


def _kept_steps(model: ModelRun) -> float | None:
    """Return the number of training steps until the epoch that was kept."""
    steps, kept, done = (model.metric("train", key) for key in ("steps", "kept_epoch", "epochs_done"))
    return steps * kept / done if steps and kept and done else steps


def _start_loss(points: Sequence[Mapping[str, Any]]) -> list[Loss]:
    """Return the loss with which a training began, over enough videos of its first epoch; empty if there is none."""
    enough = [
        (f"step {point['step']:.0f}", point["loss"])
        for point in points
        if point.get("epoch") == 1 and point.get("examples", 0) >= LEAST_VIDEOS
    ]
    # The last point is the epoch itself.
    return enough[:1] if len(enough) > 1 else []


def _kept_loss(model: ModelRun) -> list[Loss]:
    """Return the loss of the epoch of the training that an average continues; empty if the record has none."""
    losses = dict(_epoch_losses(model.details("train", "curve") or ()))
    kept = model.metric("train", "kept_epoch")
    epoch = f"epoch {kept:.0f}" if kept else next(reversed(losses), "")
    return [(f"{epoch} of the training", losses[epoch])] if epoch in losses else []


def _epoch_losses(points: Sequence[Mapping[str, Any]]) -> list[Loss]:
    """Return the mean loss of every epoch, if an epoch has enough videos."""
    return [
        (f"epoch {epoch}", point["loss"])
        for epoch, point in _epoch_ends(points).items()
        if point.get("examples", 0) >= LEAST_VIDEOS * epoch
    ]


def _risen_loss(losses: Sequence[Loss], least: float) -> str:
    """Say in which epoch the training loss rose, by at least so much; empty if it did not."""
    for number, (when, loss) in enumerate(losses[1:], 1):
        lowest = min(losses[:number], key=lambda each: each[1])
        if loss > max(MOST_LOSS_RISE * lowest[1], lowest[1] + least):
            return f"The training loss rose from {lowest[1]:.4g} ({lowest[0]}) to {loss:.4g} ({when})."
    return ""


def _fallen_gap(points: Sequence[Mapping[str, Any]], error: float, model: ModelRun) -> str:
    """Say after which epoch the hold-out's GAP fell; empty if it did not."""
    gaps = _holdout_gaps(points)
    for number, (epoch, gap) in enumerate(gaps[1:], 1):
        best, highest = max(gaps[:number], key=lambda each: each[1])
        if highest - gap > MOST_FALL + 2 * error:
            return (
                f"GAP fell from {highest:.3f} after epoch {best} to {gap:.3f} after epoch {epoch}, on "
                f"{sample_of(model)}."
            )
    return ""


def _error_of_select(model: ModelRun) -> float:
    """Estimate the standard error of GAP on the select videos from that on the report videos, and from their number."""
    error, report, select = (model.metric(model.final, key) for key in ("gap_error", "videos", "select_videos"))
    error, select = error or 0.0, select or report
    if not report or not select:
        return error
    return max(error * sqrt(report / select), _ERROR_OF_ONE / sqrt(select))


def _holdout_gaps(points: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """Return epochs with the hold-out's GAP at their ends."""
    return [
        (epoch, point["holdout_gap"])
        for epoch, point in _epoch_ends(points).items()
        if point.get("holdout_gap") is not None
    ]


def _epoch_ends(points: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """Return the last point of each epoch."""
    return {int(point["epoch"]): point for point in points if "epoch" in point}


def _larger_divisor(average: NodeRecord) -> str:
    divisor = average.config.get("learning_rate_divisor")
    return f"`averaging.learning_rate_divisor: {2 * divisor:g}`" if divisor else "`averaging.learning_rate_divisor`"
