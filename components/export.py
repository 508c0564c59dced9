"""The component that exports the ensemble as one TensorFlow model."""

from kfp.dsl import Artifact, Dataset, Input, Markdown, Metrics, Model, Output


def export(
    node: str,
    config: str,
    names: str,
    records: str,
    root: str,
    key: str,
    partition: Input[Dataset],
    weights: Input[Artifact],
    exported: Output[Model],
    card: Output[Markdown],
    metrics: Output[Metrics],
    member_1: Input[Model] = None,
    member_2: Input[Model] = None,
    member_3: Input[Model] = None,
    member_4: Input[Model] = None,
    member_5: Input[Model] = None,
    member_6: Input[Model] = None,
    member_7: Input[Model] = None,
    member_8: Input[Model] = None,
    member_9: Input[Model] = None,
    member_10: Input[Model] = None,
    member_11: Input[Model] = None,
    member_12: Input[Model] = None,
    member_13: Input[Model] = None,
    member_14: Input[Model] = None,
    member_15: Input[Model] = None,
    member_16: Input[Model] = None,
    member_17: Input[Model] = None,
    member_18: Input[Model] = None,
    member_19: Input[Model] = None,
    member_20: Input[Model] = None,
    imported: str = "",
    attempt: str = "",
) -> None:
    """Export the ensemble as one TensorFlow model, from the bytes of frames to the top classes, and measure it.

    Args:
        node: Name of the node.
        config: Changed entries of an `ExportConfig`.
        names: Names of the members, in the order of the numbered members, with spaces between them.
        records: Nodes whose records the model card is made of, each with the name of its work.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        partition: Training and hold-out shards.
        weights: The selected members and their weights.
        exported: The SavedModel.
        card: The model card.
        metrics: Metrics to compare with those of other runs.
        imported: URIs of further members from other runs, by name, on one line.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.keras_settings import use_tensorflow
    from yt8m.stages.export import ExportConfig
    from yt8m.stages.export import export as run_stage

    step = Step(locals(), "export")
    use_tensorflow()  # models that were trained with another backend are exported as well
    settings = step.parse(ExportConfig)
    step.inputs.add_content("vocabulary", settings.vocabulary)
    step.inputs.add_data(settings.test)
    result = step.run(
        run_stage,
        partition=Path(partition.path),
        records=step.inputs.records(),
        members=step.inputs.fan_in("member"),
        weights=Path(weights.path),
        config=settings,
        output=Path(exported.path),
        card=Path(card.path),
    )
    step.finish(result, model=exported, compared=["gap", "hit_at_1", "bytes", "members"])
