"""The component that trains one model."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def train(
    node: str,
    config: str,
    root: str,
    key: str,
    partition: Input[Dataset],
    model: Output[Model],
    metrics: Output[Metrics],
    page: Output[HTML],
    soft_targets: Input[Artifact] = None,
    attempt: str = "",
) -> None:
    """Train one model on labels, or on labels and soft targets.

    Args:
        node: JSON of the node's identity.
        config: JSON of a `TrainConfig`.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work. Checkpoints are stored under it, so that a repeated step resumes.
        partition: Training and hold-out shards.
        model: The trained model.
        metrics: Metrics and the record of the node.
        page: Page with the learning curve.
        soft_targets: Manifest of the teachers' predictions, for a student.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m import storage
    from yt8m.report.node_page import render_node_page
    from yt8m.stages.train import TrainConfig
    from yt8m.stages.train import train as run_stage

    step = Step(locals())
    name = step.identity["node"]
    result = run_stage(
        partition=Path(partition.path),
        config=step.parse(TrainConfig),
        output=Path(model.path),
        checkpoint_uri=storage.join(root, "checkpoints", name, step.work),
        tensorboard_uri=storage.join(root, "tensorboard", name, step.work),
        soft_targets=Path(soft_targets.path) if soft_targets else None,
    )
    step.finish(result, metrics)
    step.write_page(result, page, lambda record: render_node_page(record, ["curves"]))
