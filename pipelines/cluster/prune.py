"""What the runs of a cluster need under the root that they have in common."""

from collections.abc import Iterable
from typing import Any

from pipelines.cluster.client import Cluster
from pipelines.cluster.run import ENDED, ClusterRun
from pipelines.kubeflow.pipeline import ROOT_PARAMETER
from pipelines.runs.prune import Needs, normal_uri
from yt8m.errors import ClusterError, ConfigError, DataError


def runs_of_root(cluster: Cluster, root: str) -> dict[str, str]:
    """Return the names of all runs with this root by id, archived runs included.

    Raises:
        ClusterError: The cluster does not answer.
        DataError: The pipeline of a run cannot be read, so its root is unknown.
    """
    return {run.run_id: run.display_name for run in cluster.all_runs() if _has_root(cluster, run, root)}


def needs_of_runs(cluster: Cluster, run_ids: Iterable[str]) -> Needs:
    """Return what runs need under their root.

    Raises:
        DataError: The pipeline or the state of a run cannot be read, so its needs are unknown.
    """
    needs = Needs()
    for run_id in run_ids:
        try:
            run = ClusterRun(cluster, run_id)
            needs |= Needs.of_run(run.graph, run.nodes(), ended=str(run.run.state) in ENDED)
        except (ClusterError, ConfigError) as error:
            raise _unknown(run_id, error) from None
    return needs


def _has_root(cluster: Cluster, run: Any, root: str) -> bool:
    """Return whether a run has this root, as a parameter or as its pipeline's default."""
    given = (run.runtime_config and run.runtime_config.parameters) or {}
    if ROOT_PARAMETER not in given:
        try:
            spec = cluster.pipeline(run) or {}
        except ClusterError as error:
            raise _unknown(run.run_id, error) from None
        inputs = spec.get("pipeline_spec", spec).get("root", {}).get("inputDefinitions", {})
        given = {name: each.get("defaultValue") for name, each in inputs.get("parameters", {}).items()}
    return normal_uri(str(given.get(ROOT_PARAMETER) or "")) == normal_uri(root)


def _unknown(run_id: str, error: Exception) -> DataError:
    return DataError(
        f"{error}\nWhat run {run_id} needs is unknown, so nothing was removed. Try again later; if nobody needs this "
        "run any more, delete it in the user interface."
    )
