"""The component that trains one model."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output


def train(
    node: str,
    config: str,
    root: str,
    key: str,
    partition: Input[Dataset],
    model: Output[Model],
    predictions: Output[Artifact],
    metrics: Output[Metrics],
    page: Output[HTML],
    soft_targets_1: Input[Artifact] = None,
    soft_targets_2: Input[Artifact] = None,
    soft_targets_3: Input[Artifact] = None,
    soft_targets_4: Input[Artifact] = None,
    soft_targets_5: Input[Artifact] = None,
    soft_targets_6: Input[Artifact] = None,
    soft_targets_7: Input[Artifact] = None,
    soft_targets_8: Input[Artifact] = None,
    soft_targets_9: Input[Artifact] = None,
    soft_targets_10: Input[Artifact] = None,
    soft_targets_11: Input[Artifact] = None,
    soft_targets_12: Input[Artifact] = None,
    soft_targets_13: Input[Artifact] = None,
    soft_targets_14: Input[Artifact] = None,
    soft_targets_15: Input[Artifact] = None,
    soft_targets_16: Input[Artifact] = None,
    soft_targets_17: Input[Artifact] = None,
    soft_targets_18: Input[Artifact] = None,
    soft_targets_19: Input[Artifact] = None,
    soft_targets_20: Input[Artifact] = None,
    soft_targets_21: Input[Artifact] = None,
    soft_targets_22: Input[Artifact] = None,
    soft_targets_23: Input[Artifact] = None,
    soft_targets_24: Input[Artifact] = None,
    soft_targets_25: Input[Artifact] = None,
    soft_targets_26: Input[Artifact] = None,
    soft_targets_27: Input[Artifact] = None,
    soft_targets_28: Input[Artifact] = None,
    soft_targets_29: Input[Artifact] = None,
    soft_targets_30: Input[Artifact] = None,
    soft_targets_31: Input[Artifact] = None,
    soft_targets_32: Input[Artifact] = None,
    start: str = "",
    attempt: str = "",
) -> None:
    """Train one model on labels, or on labels and soft targets, and predict the hold-out videos with it.

    Args:
        node: Name of the node.
        config: Changed entries of a `TrainConfig`.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        partition: Training and hold-out shards.
        model: The trained model.
        predictions: The top classes of each hold-out video, with their scores.
        metrics: Metrics to compare with those of other models.
        page: Page with the learning curve.
        start: URI of a model of another run with whose weights the training starts. Empty for random weights.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.stages.train import TrainConfig
    from yt8m.stages.train import train as run_stage

    step = Step(locals(), "train")
    settings = step.parse(TrainConfig)
    result = step.run(
        run_stage,
        partition=Path(partition.path),
        start=step.inputs.imported("start", start) if start else None,
        config=settings,
        output=Path(model.path),
        predictions=Path(predictions.path),
        checkpoint_uri=step.training_folder("checkpoints"),
        tensorboard_uri=step.training_folder("tensorboard"),
        soft_targets=step.inputs.numbered("soft_targets"),
    )
    step.finish(
        result,
        name=node.removeprefix("train-"),
        family=settings.model.architecture,
        model=model,
        compared=["gap", "hit_at_1", "training_gap", "videos_per_second"],
        sections=["curves"],
    )
