"""The component that averages a model's weights over further training."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def average(
    node: str,
    config: str,
    root: str,
    key: str,
    partition: Input[Dataset],
    model: Input[Model],
    averaged: Output[Model],
    metrics: Output[Metrics],
    page: Output[HTML],
    soft_targets: Input[Artifact] = None,
    attempt: str = "",
) -> None:
    """Train a model further at a lower learning rate, average its weights and keep the model that the policy prefers.

    Args:
        node: JSON of the node's identity.
        config: JSON of an `AverageConfig`.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work. Checkpoints are stored under it, so that a repeated step resumes.
        partition: Training and hold-out shards.
        model: The trained model.
        averaged: The model that is kept: the averaged one, or the trained one if the policy prefers it.
        metrics: Metrics and the record of the node.
        page: Page with GAP before and after averaging, and the learning curve.
        soft_targets: Manifest of the teachers' predictions, for a student.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m import storage
    from yt8m.report.node_page import render_node_page
    from yt8m.stages.average import AverageConfig
    from yt8m.stages.average import average as run_stage

    step = Step(locals())
    name = step.identity["node"]
    result = run_stage(
        partition=Path(partition.path),
        model=Path(model.path),
        config=step.parse(AverageConfig),
        output=Path(averaged.path),
        checkpoint_uri=storage.join(root, "checkpoints", name, step.work),
        tensorboard_uri=storage.join(root, "tensorboard", name, step.work),
        soft_targets=Path(soft_targets.path) if soft_targets else None,
    )
    step.finish(result, metrics)
    step.write_page(result, page, lambda record: render_node_page(record, ["averaging", "curves"]))
