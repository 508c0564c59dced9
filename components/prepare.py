"""The component that splits the shards into training and hold-out."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def prepare(
    node: str,
    config: str,
    root: str,
    key: str,
    data_key: str,
    data_version: str,  # only part of the cache key
    partition: Output[Dataset],
    metrics: Output[Metrics],
    page: Output[HTML],
    shards: Input[Artifact] = None,  # only for lineage
    attempt: str = "",
) -> None:
    """Split the shards into training and hold-out, count videos and classes, and find damage.

    Args:
        node: JSON of the node's identity.
        config: JSON of a `PrepareConfig`. `{data}` in its patterns stands for the folder of the generated shards.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        data_key: Key of the node that generated the shards. Empty if the shards existed before.
        data_version: Fingerprint of the shards, so that changed shards are read again.
        partition: The training and hold-out shards as JSON.
        metrics: Metrics and the record of the node.
        page: Page with the statistics of the data.
        shards: The generated shards, if the pipeline generates them.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m import storage
    from yt8m.report.node_page import render_node_page
    from yt8m.stages.prepare import PrepareConfig
    from yt8m.stages.prepare import prepare as run_stage

    step = Step({**locals(), "config": config.replace("{data}", storage.join(root, "data", data_key))})
    result = run_stage(config=step.parse(PrepareConfig), output=Path(partition.path))
    step.finish(result, metrics)
    step.write_page(result, page, lambda record: render_node_page(record, ["data"]))
