"""`yt8m run`."""

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.console import Console

from pipelines.cli.format import describe_bytes, say
from pipelines.cli.options import Place, image_option, recipe_argument, settings_option
from pipelines.cli.watch import RunDisplay
from pipelines.cost.settings import check_trainings
from pipelines.local import folder
from pipelines.local.containers import ContainerConfig, find_containers
from pipelines.local.explain import explain, keep_accounts
from pipelines.local.runner import Listener, LocalRun
from pipelines.recipe.load import read_recipe
from pipelines.runs.state import RunState
from pipelines.runs.view import warning_lines
from yt8m.errors import UserError
from yt8m.progress import duration
from yt8m.report.parts import name_videos
from yt8m.storage.patterns import has_wildcards
from yt8m.words import count

if TYPE_CHECKING:
    from pipelines.kubeflow.compile import Compilation

# Number of lines to show from the end of a failed node's log.
LAST_LINES = 25
# Prefix of the last line of a traceback if the error is the user's to fix.
USER_ERRORS = f"{UserError.__module__}."


@click.command()
@recipe_argument
@click.option(
    "--root",
    required=True,
    type=Place(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the run, which is created if missing.",
)
@click.option(
    "--runner",
    type=click.Choice(["subprocess", "docker"]),
    default="subprocess",
    show_default=True,
    help="Execute steps as processes in this environment, or in containers of --image.",
)
@image_option
@settings_option
@click.option(
    "--explain",
    "explained",
    metavar="NODE",
    help="Say whether NODE would be executed again, and name the changes that cause it: inputs, configuration, source "
    "and data files, packages. Nothing is executed.",
)
def run(
    *,
    recipe: Path,
    root: Path,
    runner: Literal["subprocess", "docker"],
    image: str,
    settings: tuple[str, ...],
    explained: str | None,
) -> None:
    """Run a recipe's whole pipeline on this machine.

    The results are report.html, summary.json and export/ in the root. The same command continues a stopped run.
    Nodes that were finished under the same root are not executed again, unless their code, configuration or data
    changed.
    """
    from pipelines.kubeflow.compile import Compilation
    from pipelines.kubeflow.component import PROCESS_IMAGE

    console = Console()
    compilation = Compilation(read_recipe(recipe, settings), str(recipe), read_data=True)
    containers = find_containers(compilation.recipe, image) if runner == "docker" else None
    if explained is not None:
        step_image = containers.image if containers else PROCESS_IMAGE
        for line in explain(explained, compilation.plan, compilation.work, root, step_image):
            say(console, line)
        return
    run_compilation(console, compilation, root, containers)


def run_compilation(
    console: Console, compilation: "Compilation", root: Path, containers: ContainerConfig | None
) -> None:
    """Execute a recipe's pipeline and show it; exit as `execute_and_show` does.

    Args:
        console: Console to print to.
        compilation: The recipe.
        root: Folder of the run.
        containers: Containers of the steps. None: processes.

    Raises:
        ConfigError: A batch is larger than the training set.
    """
    from pipelines.kubeflow.component import PROCESS_IMAGE
    from pipelines.local.attempts import keep_attempts
    from pipelines.local.rerun import save_spec

    check_trainings(compilation.recipe, compilation.source)
    plan, step_image = compilation.plan, containers.image if containers else PROCESS_IMAGE
    with folder.lock_root(root) as lock:
        pipeline = root / folder.PIPELINE_FILE
        save_spec(pipeline, keep_attempts(root, compilation.build(step_image, form="local").specs[0]))
        compilation.save_recipe(root / folder.RECIPE_FILE)
        execution = LocalRun(RunState.of_plan(root, plan), lock, containers)
        say(console, f"{plan.name}: {count(len(plan.nodes), 'node')} in {root}")

        def execute(listener: Listener) -> bool:
            succeeded = execution.execute(pipeline, keep_accounts(listener, compilation.work, step_image))
            if succeeded:
                folder.publish_results(execution.state)
            return succeeded

        execute_and_show(console, execution, execute)


def execute_and_show(console: Console, execution: LocalRun, execute: Callable[[Listener], bool]) -> None:
    """Execute a pipeline and show its progress and results.

    If a node fails with an error that the user can fix, the command exits with code 2. After other failures, and if it
    is stopped, it exits with code 1.

    Args:
        console: Console to print to.
        execution: The execution to show.
        execute: Starts the execution with a listener, and returns whether it succeeded.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    try:
        with RunDisplay(console, execution.state) as display:
            succeeded = execute(display)
    except KeyboardInterrupt:
        say(console, "Stopped. The same command continues the run.")
        sys.exit(1)
    if not succeeded:
        sys.exit(_show_failure(console, execution))
    if execution.state.is_finished:
        _show_results(console, execution.state, time.monotonic() - start)


def _show_failure(console: Console, execution: LocalRun) -> int:
    """Print the failed node, the end of its log and the path of the log, and return the command's exit code."""
    root = execution.state.root
    log = root / folder.LOGS_FOLDER / (f"{execution.failed}.log" if execution.failed else folder.PIPELINE_LOG)
    lines = log.read_text("utf-8", errors="replace").splitlines() if log.exists() else []
    message = _user_error(lines)
    for line in message or lines[-LAST_LINES:]:
        say(console, f"  | {line}")
    reason = f" ({execution.error})" if execution.error else ""
    what = f"Node {execution.failed} failed{reason}" if execution.failed else "The pipeline failed"
    say(console, f"{what}; its log: {log}", "bold red")
    say(console, "Fix the cause. The same command continues with this node.")
    return 2 if message else 1


def _user_error(lines: list[str]) -> list[str]:
    """Return the last message in a log of an error that the user can fix; none if there is no such error."""
    starts = [number for number, line in enumerate(lines) if line.startswith(USER_ERRORS)]
    return [lines[starts[-1]].removeprefix(USER_ERRORS), *lines[starts[-1] + 1 :]] if starts else []


def _show_results(console: Console, state: RunState, seconds: float) -> None:
    """Print the number of executed nodes, the final metrics and the paths of the results."""
    executed = state.count("done")
    summary = json.loads((state.root / folder.SUMMARY_FILE).read_text())
    lines = [
        f"Done: {executed} of {len(state.nodes)} nodes in {duration(seconds)}."
        if executed
        else f"Nothing to do: all {len(state.nodes)} nodes are unchanged since an earlier run ({duration(seconds)}).",
        *_figures(summary["final"]),
        *warning_lines(summary.get("warnings", ())),
        f"Report:   {state.root / folder.REPORT_FILE}",
        f"Summary:  {state.root / folder.SUMMARY_FILE}",
        f"Model:    {state.root / folder.EXPORT_FOLDER}",
    ]
    if has_wildcards(str(state.root)):
        lines.append(
            "TensorFlow takes letters such as * ? [ in the model's path for a pattern. Copy it to a folder without "
            "them before other programs load it."
        )
    for line in lines:
        say(console, line)


def _figures(final: dict[str, Any]) -> list[str]:
    lines = []
    if final.get("gap") is not None:
        low, high = final.get("gap_low"), final.get("gap_high")
        interval = f" (95%: {low:.4f} to {high:.4f})" if low is not None and high is not None else ""
        videos = name_videos(final.get("part") or "hold-out", final.get("videos"))
        line = f"{final.get('gap_name', 'GAP')} {final['gap']:.4f}{interval} of the {final['measured_on']} on {videos}"
        baseline = final.get("baseline_gap")
        lines.append(line + (f"; label frequencies alone: {baseline:.4f}" if baseline is not None else ""))
        if final.get("accuracy") is not None:
            mean = f"{final['balanced_accuracy']:.4f} averaged over the classes"
            lines.append(f"Accuracy {final['accuracy']:.4f}, {mean}, on {videos}")
    if final.get("test_gap") is not None:
        test = name_videos("test", final.get("test_videos"))
        lines.append(f"{final.get('gap_name', 'GAP')} {final['test_gap']:.4f} on {test}")
    if final.get("size_bytes") is not None:
        budget = final.get("budget_bytes")
        share = f", {final['size_bytes'] / budget:.1%} of the budget" if budget else ""
        lines.append(f"Size {describe_bytes(final['size_bytes'])}{share}; {count(final['members'], 'member')}")
    return lines
