"""Divides the shards into training and hold-out."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def prepare(
    node: str,
    config: str,
    root: str,
    key: str,
    data_key: str,
    data_version: str,  # part of the cache key only
    partition: Output[Dataset],
    metrics: Output[Metrics],
    page: Output[HTML],
    shards: Input[Artifact] = None,  # lineage only
    attempt: str = "",
) -> None:
    """Divide the shards into training and hold-out, counts videos and classes, finds damage.

    Args:
        node: JSON of the node's identity.
        config: JSON of a `PrepareConfig`; `{data}` in its globs stands for the folder of the generated shards.
        root: URI under which the run keeps what is too large for artifacts.
        key: Names the exact work.
        data_key: Key of the node that generated the shards; empty if none did.
        data_version: Fingerprint of the shards; other shards under the same names are read again.
        partition: The division, as JSON.
        metrics: Figures and the node's record.
        page: What is in the data.
        shards: The generated shards, if they are generated.
        attempt: Tells deliberate repetitions of the same work apart.
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
    step.show(result, page, lambda record: render_node_page(record, ["data"]))
