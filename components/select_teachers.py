"""Selects a family's teachers."""

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
    """Scores every combination of a family's candidates; the best becomes its teachers.

    Args:
        node: JSON of the node's identity.
        config: JSON of a `SelectConfig`.
        names: JSON list of the candidates, in the order of the numbered predictions.
        root: URI under which the run keeps what is too large for artifacts.
        key: Names the exact work.
        selection: The chosen candidates and the table of all combinations, as JSON.
        metrics: Figures and the node's record.
        page: All combinations with their GAP.
        attempt: Tells deliberate repetitions of the same work apart.
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
    step.show(result, page, lambda record: render_node_page(record, ["selection"]))
