"""The component that selects a family's teachers."""

from kfp.dsl import HTML, Artifact, Input, Output


def select_teachers(
    node: str,
    config: str,
    names: str,
    root: str,
    key: str,
    selection: Output[Artifact],
    page: Output[HTML],
    prediction_1: Input[Artifact] = None,
    prediction_2: Input[Artifact] = None,
    prediction_3: Input[Artifact] = None,
    prediction_4: Input[Artifact] = None,
    prediction_5: Input[Artifact] = None,
    prediction_6: Input[Artifact] = None,
    prediction_7: Input[Artifact] = None,
    prediction_8: Input[Artifact] = None,
    prediction_9: Input[Artifact] = None,
    prediction_10: Input[Artifact] = None,
    prediction_11: Input[Artifact] = None,
    prediction_12: Input[Artifact] = None,
    prediction_13: Input[Artifact] = None,
    prediction_14: Input[Artifact] = None,
    prediction_15: Input[Artifact] = None,
    prediction_16: Input[Artifact] = None,
    imported: str = "",
    attempt: str = "",
) -> None:
    """Score every combination of a family's candidates and select the best one as teachers.

    Args:
        node: Name of the node.
        config: Changed entries of a `SelectConfig`.
        names: Names of the candidates, in the order of the numbered predictions, with spaces between them.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        selection: The selected candidates and the table of all combinations as JSON.
        page: Page with the GAP of all combinations.
        imported: URIs of further predictions from other runs, by name, on one line.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.stages.select_teachers import SelectConfig
    from yt8m.stages.select_teachers import select_teachers as run_stage

    step = Step(locals(), "select_teachers")
    result = step.run(
        run_stage,
        predictions=step.inputs.fan_in("prediction"),
        config=step.parse(SelectConfig),
        output=Path(selection.path),
    )
    step.finish(result, family=node.removeprefix("select-"), sections=["selection"])
