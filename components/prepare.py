"""The component that splits the shards into training and hold-out."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Output


def prepare(
    node: str,
    config: str,
    root: str,
    key: str,
    data_key: str,
    data_version: str,  # only part of the cache key
    partition: Output[Dataset],
    page: Output[HTML],
    shards: Input[Artifact] = None,  # only for lineage
    attempt: str = "",
    named_files: str = "",
) -> None:
    """Split the shards into training and hold-out, count videos and classes, and find damage.

    Args:
        node: Name of the node.
        config: Changed entries of a `PrepareConfig`. `{data}` in patterns is the folder of the generated shards.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        data_key: Key of the node that generated the shards. Empty if the shards existed before.
        data_version: Fingerprint of the shards, so that changed shards are read again.
        partition: The training and hold-out shards as JSON.
        page: Page with the statistics of the data.
        shards: The generated shards, if the pipeline generates them.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
        named_files: Files that only later steps read, by key of the recipe, on one line: those that were not looked at
            before, and models of other runs, which must not know the hold-out videos. May be empty.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m import storage
    from yt8m.stages.named_files import check_named_files, check_other_models
    from yt8m.stages.prepare import PrepareConfig
    from yt8m.stages.prepare import prepare as run_stage

    step = Step(locals(), "prepare")
    generated = storage.join(root, "data", data_key)
    settings = step.parse(PrepareConfig, {"{data}": generated})
    check_named_files(named_files, settings.spec)
    step.inputs.add_data([*settings.training, *settings.validation])
    result = step.run(run_stage, config=settings, output=Path(partition.path))
    check_other_models(named_files, Path(partition.path))
    step.finish(result, sections=["data"])
