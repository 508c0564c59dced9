"""The component that exports the ensemble as one TensorFlow model."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Markdown, Metrics, Model, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def export(
    node: str,
    config: str,
    names: str,
    root: str,
    key: str,
    weights: Input[Artifact],
    exported: Output[Model],
    card: Output[Markdown],
    metrics: Output[Metrics],
    model_1: Input[Model],
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
    model_17: Input[Model] = None,
    model_18: Input[Model] = None,
    model_19: Input[Model] = None,
    model_20: Input[Model] = None,
    record_1: Input[Metrics] = None,
    record_2: Input[Metrics] = None,
    record_3: Input[Metrics] = None,
    record_4: Input[Metrics] = None,
    record_5: Input[Metrics] = None,
    record_6: Input[Metrics] = None,
    record_7: Input[Metrics] = None,
    record_8: Input[Metrics] = None,
    record_9: Input[Metrics] = None,
    record_10: Input[Metrics] = None,
    record_11: Input[Metrics] = None,
    record_12: Input[Metrics] = None,
    record_13: Input[Metrics] = None,
    record_14: Input[Metrics] = None,
    record_15: Input[Metrics] = None,
    record_16: Input[Metrics] = None,
    record_17: Input[Metrics] = None,
    record_18: Input[Metrics] = None,
    record_19: Input[Metrics] = None,
    record_20: Input[Metrics] = None,
    record_21: Input[Metrics] = None,
    record_22: Input[Metrics] = None,
    record_23: Input[Metrics] = None,
    record_24: Input[Metrics] = None,
    record_25: Input[Metrics] = None,
    record_26: Input[Metrics] = None,
    record_27: Input[Metrics] = None,
    record_28: Input[Metrics] = None,
    record_29: Input[Metrics] = None,
    record_30: Input[Metrics] = None,
    record_31: Input[Metrics] = None,
    record_32: Input[Metrics] = None,
    attempt: str = "",
) -> None:
    """Export the ensemble as one TensorFlow model, from the bytes of frames to the top classes.

    Args:
        node: JSON of the node's identity.
        config: JSON of an `ExportConfig`.
        names: JSON list of the members' names, in the order of the numbered models.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        weights: The selected members and their weights.
        exported: The SavedModel.
        card: The model card.
        metrics: Metrics and the record of the node.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    given = locals()
    from pathlib import Path

    from components.step import Step, fan_in, numbered
    from yt8m.stages.export import ExportConfig
    from yt8m.stages.export import export as run_stage

    step = Step(given)
    result = run_stage(
        records=numbered(given, "record"),
        models=fan_in(given, "model", names),
        weights=Path(weights.path),
        config=step.parse(ExportConfig),
        output=Path(exported.path),
        card=Path(card.path),
    )
    step.finish(result, metrics)
