"""The component that searches the ensemble's weights."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Input, Metrics, Model, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def search_weights(
    node: str,
    config: str,
    names: str,
    root: str,
    key: str,
    weights: Output[Artifact],
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
    prediction_17: Input[Artifact] = None,
    prediction_18: Input[Artifact] = None,
    prediction_19: Input[Artifact] = None,
    prediction_20: Input[Artifact] = None,
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
    model_17: Input[Model] = None,
    model_18: Input[Model] = None,
    model_19: Input[Model] = None,
    model_20: Input[Model] = None,
    float_prediction_1: Input[Artifact] = None,
    float_prediction_2: Input[Artifact] = None,
    float_prediction_3: Input[Artifact] = None,
    float_prediction_4: Input[Artifact] = None,
    float_prediction_5: Input[Artifact] = None,
    float_prediction_6: Input[Artifact] = None,
    float_prediction_7: Input[Artifact] = None,
    float_prediction_8: Input[Artifact] = None,
    float_prediction_9: Input[Artifact] = None,
    float_prediction_10: Input[Artifact] = None,
    float_prediction_11: Input[Artifact] = None,
    float_prediction_12: Input[Artifact] = None,
    float_prediction_13: Input[Artifact] = None,
    float_prediction_14: Input[Artifact] = None,
    float_prediction_15: Input[Artifact] = None,
    float_prediction_16: Input[Artifact] = None,
    float_prediction_17: Input[Artifact] = None,
    float_prediction_18: Input[Artifact] = None,
    float_prediction_19: Input[Artifact] = None,
    float_prediction_20: Input[Artifact] = None,
    attempt: str = "",
) -> None:
    """Search members and weights of the ensemble with the best GAP on the hold-out within the byte budget.

    Args:
        node: JSON of the node's identity.
        config: JSON of a `SearchConfig`.
        names: JSON list of the models' names, in the order of the numbered inputs: the quantized models, their
            predictions, and the predictions of the float models for comparison.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        weights: The selected members and their weights as JSON.
        metrics: Metrics and the record of the node.
        page: Page with the result of each method, the members, and GAP against size.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    given = locals()
    from pathlib import Path

    from components.step import Step, fan_in
    from yt8m.report.node_page import render_node_page
    from yt8m.stages.search_weights import SearchConfig
    from yt8m.stages.search_weights import search_weights as run_stage

    step = Step(given)
    result = run_stage(
        predictions=fan_in(given, "prediction", names),
        models=fan_in(given, "model", names),
        float_predictions=fan_in(given, "float_prediction", names),
        config=step.parse(SearchConfig),
        output=Path(weights.path),
    )
    step.finish(result, metrics)
    step.write_page(result, page, lambda record: render_node_page(record, ["ensemble", "search"]))
