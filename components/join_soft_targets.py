"""Joins the parts of soft targets."""

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
    """Join the manifests of the soft targets' parts in one; makes sure that they fit and that nothing is missing.

    Args:
        node: JSON of the node's identity.
        names: JSON list of the nodes that wrote the parts, in the order of the numbered parts.
        root: URI under which the run keeps what is too large for artifacts.
        key: Names the exact work.
        partition: The shards.
        manifest: Which shard of soft targets belongs to which training shard, as JSON.
        metrics: Figures and the node's record.
        attempt: Tells deliberate repetitions of the same work apart.
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
