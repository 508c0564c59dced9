"""Measures a model on the hold-out videos."""

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
    """Measure a model on the hold-out videos and keeps its predictions.

    Args:
        node: JSON of the node's identity.
        config: JSON of an `EvaluateConfig`.
        root: URI under which the run keeps what is too large for artifacts.
        key: Names the exact work.
        partition: The shards.
        model: A model as trained, in 8 bits, or exported.
        predictions: The top classes of every hold-out video.
        metrics: Figures and the node's record.
        attempt: Tells deliberate repetitions of the same work apart.
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
