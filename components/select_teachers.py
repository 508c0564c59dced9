"""The component that selects a family's teachers."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Input, Metrics, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def select_teachers(
    node: str,
    config: str,
    names: str,
    root: str,
    key: str,
    selection: Output[Artifact],
    metrics: Output[Metrics],
    page: Output[HTML],
    prediction_1: Input[Artifact],
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
    attempt: str = "",
) -> None:
    """Score every combination of a family's candidates and select the best one as teachers.

    Args:
        node: JSON of the node's identity.
        config: JSON of a `SelectConfig`.
        names: JSON list of the candidates' names, in the order of the numbered predictions.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        selection: The selected candidates and the table of all combinations as JSON.
        metrics: Metrics and the record of the node.
        page: Page with the GAP of all combinations.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    given = locals()
    from pathlib import Path

    from components.step import Step, fan_in
    from yt8m.report.node_page import render_node_page
    from yt8m.stages.select_teachers import SelectConfig
    from yt8m.stages.select_teachers import select_teachers as run_stage

    step = Step(given)
    result = run_stage(
        predictions=fan_in(given, "prediction", names),
        config=step.parse(SelectConfig),
        output=Path(selection.path),
    )
    step.finish(result, metrics)
    step.write_page(result, page, lambda record: render_node_page(record, ["selection"]))
