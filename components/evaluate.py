"""The component that measures a model on the hold-out videos."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def evaluate(
    node: str,
    config: str,
    root: str,
    key: str,
    partition: Input[Dataset],
    model: Input[Model],
    predictions: Output[Artifact],
    metrics: Output[Metrics],
    attempt: str = "",
) -> None:
    """Measure a model on the hold-out videos and keep its predictions.

    Args:
        node: JSON of the node's identity.
        config: JSON of an `EvaluateConfig`.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        partition: Training and hold-out shards.
        model: A trained, quantized or exported model.
        predictions: The top classes of each hold-out video, with their scores.
        metrics: Metrics and the record of the node.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.stages.evaluate import EvaluateConfig
    from yt8m.stages.evaluate import evaluate as run_stage

    step = Step(locals())
    result = run_stage(
        partition=Path(partition.path),
        model=Path(model.path),
        config=step.parse(EvaluateConfig),
        predictions=Path(predictions.path),
    )
    step.finish(result, metrics)
