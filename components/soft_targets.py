"""The component that predicts soft targets with teachers."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output


def soft_targets(
    node: str,
    config: str,
    names: str,
    root: str,
    key: str,
    worker: int,
    workers: int,
    partition: Input[Dataset],
    manifest: Output[Artifact],
    selection: Input[Artifact] = None,
    model_1: Input[Model] = None,
    model_2: Input[Model] = None,
    model_3: Input[Model] = None,
    model_4: Input[Model] = None,
    model_5: Input[Model] = None,
    model_6: Input[Model] = None,
    model_7: Input[Model] = None,
    model_8: Input[Model] = None,
    model_9: Input[Model] = None,
    model_10: Input[Model] = None,
    model_11: Input[Model] = None,
    model_12: Input[Model] = None,
    model_13: Input[Model] = None,
    model_14: Input[Model] = None,
    model_15: Input[Model] = None,
    model_16: Input[Model] = None,
    imported: str = "",
    attempt: str = "",
) -> None:
    """Write the mean prediction of the teachers for each training video, in one small shard per training shard.

    Args:
        node: Name of the node.
        config: Changed entries of a `SoftTargetsConfig`.
        names: Names of the models, in the order of the numbered models, with spaces between them.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        worker: Number of this worker, from 0.
        workers: Number of workers that divide the shards among themselves.
        partition: Training and hold-out shards.
        manifest: JSON that maps each training shard of this worker to its shard of soft targets.
        selection: The models that were selected as teachers. Without it, all models are teachers.
        imported: URIs of further models from other runs, by name, on one line.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.data.soft_target_manifest import SoftTargetManifest
    from yt8m.stages.soft_targets import SoftTargetsConfig
    from yt8m.stages.soft_targets import soft_targets as run_stage

    step = Step(locals(), "soft_targets")
    result = step.run(
        run_stage,
        partition=Path(partition.path),
        models=step.inputs.fan_in("model"),
        selection=Path(selection.path) if selection else None,
        config=step.parse(SoftTargetsConfig),
        output_uri=step.folder("soft-targets"),
        output=Path(manifest.path),
        worker=worker,
        workers=workers,
    )
    family = node.removeprefix("soft-targets-")
    step.finish(
        result,
        family=family.removesuffix(f"-part-{worker + 1}") if workers > 1 else family,
        kept=SoftTargetManifest.load(manifest.path).sidecars.values(),
    )
