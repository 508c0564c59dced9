"""The component that quantizes a model."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output


def quantize(
    node: str,
    config: str,
    root: str,
    key: str,
    partition: Input[Dataset],
    model: Input[Model],
    predictions: Input[Artifact],
    member: Output[Model],
    offers: Output[Artifact],
    metrics: Output[Metrics],
    page: Output[HTML],
    attempt: str = "",
) -> None:
    """Store a model's large weights in few bits, and predict the hold-out videos with it.

    Args:
        node: Name of the node.
        config: Changed entries of a `QuantizeConfig`.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        partition: Training and hold-out shards.
        model: The trained model.
        predictions: Predictions of the trained model.
        member: The quantized model in each size.
        offers: What the search reads: bytes and predictions in each size, and predictions of the trained model.
        metrics: Metrics to compare with those of other models.
        page: Page with the size and the error of each variable.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.models.files import read_description
    from yt8m.stages.quantize import QuantizeConfig
    from yt8m.stages.quantize import quantize as run_stage

    step = Step(locals(), "quantize")
    result = step.run(
        run_stage,
        partition=Path(partition.path),
        model=Path(model.path),
        predictions=Path(predictions.path),
        config=step.parse(QuantizeConfig),
        output=Path(member.path),
        offers=Path(offers.path),
    )
    step.finish(
        result,
        name=node.removeprefix("quantize-"),
        family=read_description(Path(model.path)).model.architecture,
        model=member,
        compared=["gap", "hit_at_1", "bytes", "largest_error"],
        sections=["quantization"],
    )
