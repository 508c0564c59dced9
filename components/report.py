"""Reports what a run achieved."""

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
    """Report what the run achieved: a page for people and the same figures for programs.

    Args:
        node: JSON of the node's identity.
        root: URI under which the run keeps what is too large for artifacts.
        key: Names the exact work.
        html: One self-contained page.
        summary: The figures, as JSON.
        metrics: Figures and the node's record.
        attempt: Tells deliberate repetitions of the same work apart.
    """
    given = locals()
    from pathlib import Path

    from components.step import Step, numbered
    from yt8m.stages.report import report as run_stage

    step = Step(given)
    records = numbered(given, "record")
    result = run_stage(records=records, html=Path(html.path), summary=Path(summary.path))
    step.finish(result, metrics)
