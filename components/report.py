"""The component that writes the report of a run."""

from kfp.dsl import HTML, Artifact, Metrics, Output


def report(
    node: str,
    records: str,
    students: str,
    families: str,
    root: str,
    key: str,
    page: Output[HTML],
    summary: Output[Artifact],
    metrics: Output[Metrics],
    attempt: str = "",
) -> None:
    """Write the report of the run: a page for people, and the same figures for programs.

    Args:
        node: Name of the node.
        records: Nodes whose records the report is made of, each with the name of its work.
        students: Students, each with the family or group that it learned from and with its baseline.
        families: Families of the recipe, each with its candidates.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        page: The report as one self-contained page.
        summary: The same figures as JSON.
        metrics: Figures to compare with those of other runs.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.stages.report import report as run_stage
    from yt8m.yaml_files import parse_line

    step = Step(locals(), "report")
    result = step.run(
        run_stage,
        records=step.inputs.records(addresses=True),
        students=parse_line(students, node),
        families=parse_line(families, node),
        page=Path(page.path),
        summary=Path(summary.path),
    )
    step.finish(result, compared=list(result.metrics))
