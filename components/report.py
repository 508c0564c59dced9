"""The component that writes the report of a run."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Input, Metrics, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def report(
    node: str,
    root: str,
    key: str,
    html: Output[HTML],
    summary: Output[Artifact],
    metrics: Output[Metrics],
    record_1: Input[Metrics],
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
    """Write the report of the run: a page for people, and the same figures for programs.

    Args:
        node: JSON of the node's identity.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        html: The report as one self-contained page.
        summary: The same figures as JSON.
        metrics: Metrics and the record of the node.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    given = locals()
    from pathlib import Path

    from components.step import Step, numbered
    from yt8m.stages.report import report as run_stage

    step = Step(given)
    records = numbered(given, "record")
    result = run_stage(records=records, html=Path(html.path), summary=Path(summary.path))
    step.finish(result, metrics)
