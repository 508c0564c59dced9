"""The component that searches the ensemble's weights."""

from kfp.dsl import HTML, Artifact, Input, Metrics, Output


def search_weights(
    node: str,
    config: str,
    names: str,
    root: str,
    key: str,
    weights: Output[Artifact],
    metrics: Output[Metrics],
    page: Output[HTML],
    offers_1: Input[Artifact] = None,
    offers_2: Input[Artifact] = None,
    offers_3: Input[Artifact] = None,
    offers_4: Input[Artifact] = None,
    offers_5: Input[Artifact] = None,
    offers_6: Input[Artifact] = None,
    offers_7: Input[Artifact] = None,
    offers_8: Input[Artifact] = None,
    offers_9: Input[Artifact] = None,
    offers_10: Input[Artifact] = None,
    offers_11: Input[Artifact] = None,
    offers_12: Input[Artifact] = None,
    offers_13: Input[Artifact] = None,
    offers_14: Input[Artifact] = None,
    offers_15: Input[Artifact] = None,
    offers_16: Input[Artifact] = None,
    offers_17: Input[Artifact] = None,
    offers_18: Input[Artifact] = None,
    offers_19: Input[Artifact] = None,
    offers_20: Input[Artifact] = None,
    imported: str = "",
    attempt: str = "",
) -> None:
    """Search members and weights of the ensemble with the best GAP on the hold-out within the byte budget.

    Args:
        node: Name of the node.
        config: Changed entries of a `SearchWeightsConfig`.
        names: Names of the models, in the order of the numbered offers, with spaces between them.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        weights: The selected members and their weights as JSON.
        metrics: Metrics to compare with those of other runs.
        page: Page with the result of each method, the members, and GAP against size.
        imported: URIs of the offers of further members from other runs, by name, on one line.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.stages.search_weights import SearchWeightsConfig
    from yt8m.stages.search_weights import search_weights as run_stage

    step = Step(locals(), "search_weights")
    result = step.run(
        run_stage,
        offers=step.inputs.fan_in("offers"),
        config=step.parse(SearchWeightsConfig),
        output=Path(weights.path),
    )
    step.finish(result, compared=["gap", "gap_select", "gap_float", "size_bytes"], sections=["ensemble", "search"])
