"""What `yt8m plan` says of a recipe whatever its data."""

from collections import Counter

from rich.console import Console
from rich.table import Table

from pipelines.cli.format import describe_bytes, make_table, say
from pipelines.cost.models import Estimate
from pipelines.graph.plan import Plan
from pipelines.kubeflow.size import MOST_COMPILED_BYTES, MOST_RUN_BYTES, PipelineSize


def show_nodes(console: Console, planned: Plan, *, listed: bool) -> None:
    """How many nodes there are, or all of them."""
    stages = Counter(node.stage for node in planned.nodes.values())
    counted = ", ".join(f"{count} {stage}" for stage, count in stages.items())
    say(console, f"{planned.name}: {len(planned.nodes)} nodes in {len(planned.groups)} groups: {counted}")
    if listed:
        for node in planned.nodes.values():
            needs = f"  after {', '.join(sorted(node.dependencies))}" if node.dependencies else ""
            say(console, f"  {node.name}{needs}")


def show_models(console: Console, estimated: Estimate) -> None:
    """Sizes of all models, and what they come to."""
    console.print(_models(estimated))
    for line in _totals(estimated):
        say(console, line)


def show_pipeline(console: Console, size: PipelineSize) -> None:
    """The pipeline against the limits of Kubeflow and Kubernetes."""
    compiled = f"{describe_bytes(size.compiled_bytes)} compiled (KFP takes {describe_bytes(MOST_COMPILED_BYTES)})"
    workflow = f"a run about {describe_bytes(size.workflow_bytes)} and {describe_bytes(size.state_bytes)} of state"
    share = f"{size.run_share:.0%} of the {describe_bytes(MOST_RUN_BYTES)} that Argo takes"
    warning = "" if size.run_share < 1 else " TOO MUCH: see docs/scale.md."
    say(console, f"Pipeline: {size.nodes} nodes, {compiled}; {workflow}, {share}.{warning}")


def _models(estimated: Estimate) -> Table:
    names = ("model", "architecture", "learns from", "averaged", "member")
    table = make_table(names, ("parameters", "float", "quantized"))
    for model in estimated.models:
        table.add_row(
            model.name,
            model.architecture,
            model.learn_from or "labels",
            model.average,
            "yes" if model.is_member else "",
            f"{model.parameters:,}",
            describe_bytes(model.float_bytes),
            describe_bytes(model.quantized_bytes),
        )
    return table


def _totals(estimated: Estimate) -> list[str]:
    members = [model for model in estimated.models if model.is_member]
    share = estimated.member_bytes / estimated.limit_bytes
    fits = "all fit" if share <= 1 else "the search keeps the best that fit"
    limit = f"{describe_bytes(estimated.limit_bytes)} that a budget of {describe_bytes(estimated.budget_bytes)} leaves"
    parameters = sum(model.parameters for model in estimated.models)
    possible = f"{len(members)} possible members, {describe_bytes(estimated.member_bytes)} quantized"
    lines = [
        f"Training: {len(estimated.models)} models, {parameters:,} parameters.",
        f"Ensemble: {possible}, {share:.1%} of the {limit} them: {fits}.",
    ]
    if estimated.soft_target_sets:
        total = estimated.soft_target_total_bytes
        storage = (
            f"{describe_bytes(total)} for {estimated.training_videos:,} training videos"
            if total
            else "say --data or --videos for the total"
        )
        lines.append(
            f"Soft targets: {estimated.soft_target_sets} x {estimated.soft_target_bytes} bytes per video: {storage}."
        )
    return lines
