"""`yt8m rerun`."""

from pathlib import Path

import click
from rich.console import Console

from pipelines.cli.format import list_names, say, table_console
from pipelines.cli.options import (
    cluster_file_option,
    cluster_options,
    local_root,
    offloaded_option,
    settings_option,
)
from pipelines.cli.run import execute_and_show, run_compilation
from pipelines.cli.watch import announce
from pipelines.cluster.access import ClusterAccess
from pipelines.kubeflow.image import pullable_image
from pipelines.local.containers import find_containers
from pipelines.local.folder import PIPELINE_FILE, RECIPE_FILE, lock_root
from pipelines.recipe.cluster import load_cluster
from pipelines.recipe.load import read_recipe
from pipelines.runs.state import RunState
from yt8m.errors import ConfigError
from yt8m.words import count


@click.command()
@click.argument("run")
@click.argument("node", required=False, default="")
@settings_option
@click.option("--from-failed", is_flag=True, help="Instead of a NODE: execute everything that is not done.")
@click.option("--downstream", is_flag=True, help="Execute all nodes that depend on NODE as well.")
@click.option("--wait", is_flag=True, help="For a cluster: show the new run until it ends. Exit code 1 if it fails.")
@cluster_file_option
@click.option("--image", default="", help="For a cluster: new container image of the executed steps.")
@offloaded_option
@cluster_options
def rerun(  # noqa: PLR0917 click passes them by name
    run: str,
    node: str,
    access: ClusterAccess,
    settings: tuple[str, ...],
    from_failed: bool,
    downstream: bool,
    wait: bool,
    cluster_file: Path | None,
    image: str,
    offloaded: bool,
) -> None:
    """Execute NODE of RUN again, with the same inputs, or with --from-failed everything that is not done.

    RUN is the --root of a `yt8m run` or, with --host, the id of a run in a cluster. A finished NODE starts from the
    beginning, any other one continues from its checkpoint. Without --downstream, the nodes that depend on NODE keep
    their results and become stale.

    With --from-failed, failed, stopped, stale and waiting nodes are executed, and trainings continue from their
    checkpoints. A local run continues as with `yt8m run ROOT/recipe.json --root ROOT`.

    In a cluster, this is a new run with the pipeline of RUN. It has the executed nodes and the nodes whose artifacts
    they read; those come from Kubeflow's cache, or from their records under the root. Records of other nodes are read
    under the root.

    Settings change the run's recipe and may affect executed nodes only. For a run in a cluster, --cluster and --image
    give the executed steps other resources, for instance more memory, and another image with the code of this
    checkout. Without --cluster, steps of the GPU build get the GPU build of the new image: its tag and `-gpu`. Which
    build is behind a digest cannot be known, so a run with several images then needs --cluster.
    """
    if bool(node) == from_failed:
        raise ConfigError("yt8m rerun: give either the name of a NODE or --from-failed.")
    if from_failed and downstream:
        raise ConfigError("--downstream: belongs to a NODE. --from-failed executes all nodes that are not done.")
    console = table_console()
    root = local_root(run, access)
    if root:
        if cluster_file or image or offloaded:
            raise ConfigError(
                f"{run}: --cluster, --image and --offloaded are for runs in a cluster, this one is local."
            )
        if from_failed:
            _continue_here(console, root, settings)
        else:
            _rerun_here(console, root, node, settings, downstream)
        return
    from pipelines.cluster.client import Cluster
    from pipelines.cluster.rerun import Changes, continue_in_cluster, rerun_in_cluster
    from pipelines.cluster.run import ClusterRun

    resources = load_cluster(cluster_file) if cluster_file else None
    changes = Changes(settings, resources, pullable_image(image) if image else "", offloaded)
    cluster = Cluster(access)
    existing = ClusterRun(cluster, run)
    if from_failed:
        new = continue_in_cluster(existing, changes)
    else:
        new = rerun_in_cluster(existing, node, changes, downstream=downstream)
    nodes = new.nodes
    executed, reused = (count(len(each), "node") for each in (nodes.executed, nodes.needed))
    executed += f", {list_names(nodes.executed)}" if from_failed else ""
    say(
        console,
        f"To execute again: {executed}. Reused: {reused}, from Kubeflow's cache or their records.",
    )
    if nodes.stale:
        say(console, f"Not in the new run: {list_names(nodes.stale)}, which depend on {node}. --downstream adds them.")
    if new.unknown:
        names = list_names(new.unknown)
        say(console, f"Not known whether they are done: {names}. Kubeflow's cache and the steps' records decide.")
    if new.problem:
        say(console, f"Records cannot be read from here, so the steps will check them: {new.problem}")
    say(console, f"{existing.graph.name}: {new.size}")
    announce(console, cluster, new.run_id, wait=wait)


def _continue_here(console: Console, root: Path, settings: tuple[str, ...]) -> None:
    from pipelines.kubeflow.compile import Compilation
    from pipelines.kubeflow.component import PROCESS_IMAGE
    from pipelines.kubeflow.spec import SpecGraph
    from pipelines.local.rerun import load_spec

    state = RunState.load(root)
    if state.is_finished:
        raise ConfigError(
            f"{root}: all {len(state.nodes)} nodes are done, so there is nothing to continue. Name a NODE to execute "
            "it again."
        )
    graph = SpecGraph(load_spec(root / PIPELINE_FILE))
    image = graph.image(next(iter(graph.nodes)))
    recipe = root / RECIPE_FILE
    compilation = Compilation(read_recipe(recipe, settings), str(recipe), read_data=True)
    containers = None if image == PROCESS_IMAGE else find_containers(compilation.recipe, image)
    run_compilation(console, compilation, root, containers)


def _rerun_here(console: Console, root: Path, node: str, settings: tuple[str, ...], downstream: bool) -> None:
    from pipelines.local.rerun import LocalRerun

    with lock_root(root) as lock:
        chosen = LocalRerun(root, lock, node, settings, downstream=downstream)
        say(console, f"{chosen.state.pipeline}: executing {count(len(chosen.nodes.executed), 'node')} of {root} again")
        execute_and_show(console, chosen.execution, chosen.execute)
    stale = [name for name, state in chosen.state.nodes.items() if state.state == "stale"]
    if stale:
        say(console, f"Stale now: {list_names(stale)}. These nodes, the report and the exported model have old inputs.")
        say(console, f"To update them: yt8m run {root / RECIPE_FILE} --root {root}")
