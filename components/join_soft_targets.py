"""The component that joins the manifests of soft targets."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def join_soft_targets(
    node: str,
    names: str,
    root: str,
    key: str,
    partition: Input[Dataset],
    manifest: Output[Artifact],
    metrics: Output[Metrics],
    part_1: Input[Artifact],
    part_2: Input[Artifact] = None,
    part_3: Input[Artifact] = None,
    part_4: Input[Artifact] = None,
    part_5: Input[Artifact] = None,
    part_6: Input[Artifact] = None,
    part_7: Input[Artifact] = None,
    part_8: Input[Artifact] = None,
    part_9: Input[Artifact] = None,
    part_10: Input[Artifact] = None,
    part_11: Input[Artifact] = None,
    part_12: Input[Artifact] = None,
    part_13: Input[Artifact] = None,
    part_14: Input[Artifact] = None,
    part_15: Input[Artifact] = None,
    part_16: Input[Artifact] = None,
    part_17: Input[Artifact] = None,
    part_18: Input[Artifact] = None,
    part_19: Input[Artifact] = None,
    part_20: Input[Artifact] = None,
    part_21: Input[Artifact] = None,
    part_22: Input[Artifact] = None,
    part_23: Input[Artifact] = None,
    part_24: Input[Artifact] = None,
    part_25: Input[Artifact] = None,
    part_26: Input[Artifact] = None,
    part_27: Input[Artifact] = None,
    part_28: Input[Artifact] = None,
    part_29: Input[Artifact] = None,
    part_30: Input[Artifact] = None,
    part_31: Input[Artifact] = None,
    part_32: Input[Artifact] = None,
    attempt: str = "",
) -> None:
    """Join the manifests of several workers in one, and check that they agree and that no shard is missing.

    Args:
        node: JSON of the node's identity.
        names: JSON list of the nodes that wrote the parts, in the order of the numbered parts.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        partition: Training and hold-out shards.
        manifest: JSON that maps each training shard to its shard of soft targets.
        metrics: Metrics and the record of the node.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    given = locals()
    from pathlib import Path

    from components.step import Step, fan_in
    from yt8m.stages.join_soft_targets import join_soft_targets as run_stage

    step = Step(given)
    result = run_stage(
        partition=Path(partition.path),
        parts=fan_in(given, "part", names),
        output=Path(manifest.path),
    )
    step.finish(result, metrics)
