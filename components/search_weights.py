"""The component that searches the ensemble's weights."""

from kfp.dsl import HTML, Artifact, Input, Metrics, Model, Output


def search_weights(
    node: str,
    config: str,
    names: str,
    root: str,
    key: str,
    weights: Output[Artifact],
    metrics: Output[Metrics],
    page: Output[HTML],
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
    """Search members and weights of the ensemble with the best GAP on the hold-out within the byte budget.

    Args:
        node: Name of the node.
        config: Changed entries of a `SearchWeightsConfig`.
        names: Names of the models, in the order of the numbered members, with spaces between them.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        weights: The selected members and their weights as JSON.
        metrics: Metrics to compare with those of other runs.
        page: Page with the result of each method, the members, and GAP against size.
        imported: URIs of further members from other runs, by name, on one line.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.stages.search_weights import SearchWeightsConfig
    from yt8m.stages.search_weights import search_weights as run_stage

    step = Step(locals(), "search_weights")
    result = step.run(
        run_stage,
        members=step.inputs.fan_in("member"),
        config=step.parse(SearchWeightsConfig),
        output=Path(weights.path),
    )
    step.finish(result, compared=["gap", "gap_select", "gap_float", "size_bytes"], sections=["ensemble", "search"])
