"""Lists of runs and experiments, which keep only a line of each run.

KFP's lists have whole runs, and their API cannot leave out parts (measured on 2.17.0: six runs of paper.yaml and
smoke.yaml take 6.4 MB). Only a run that refers to a named version of a pipeline has no specification in its line. So
lists are requested in small pages, and of each page almost nothing is kept.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipelines.cluster.argo import seconds_of
from pipelines.cluster.client import Cluster, MissingError, named
from pipelines.cluster.run import ClusterRun, state_name
from yt8m import storage
from yt8m.errors import ClusterError, ConfigError, suggest
from yt8m.records.record import NodeRecord, record_uri

# Runs per request. One run takes up to 1.4 MB.
PAGE_SIZE = 10
# Fields that make runs large, which no line needs.
_LARGE = frozenset({"components", "deploymentSpec", "deployment_spec", "platform_spec", "task_details"})
# Archived runs are not shown in the user interface either.
_FILTER = '{"predicates": [{"key": "storage_state", "operation": "NOT_EQUALS", "string_value": "ARCHIVED"}]}'
# The node whose record has the GAP of a whole run.
_REPORT = "report"


class RunLine(NamedTuple):
    """A run in a list.

    Attributes:
        run_id: Id of the run.
        name: Name of the run.
        recipe: Name of the run's pipeline; empty if it was deleted.
        state: State of the run, as `ClusterRun.state` names it.
        created: Time at which the run was submitted, in seconds since 1970.
        ended: Time at which the run ended; 0 if it has not ended.
    """

    run_id: str
    name: str
    recipe: str
    state: str
    created: float
    ended: float


class RunPage(NamedTuple):
    """A part of a list of runs, and the token with which the next part begins; empty at the end."""

    runs: tuple[RunLine, ...]
    next: str


def list_runs(cluster: Cluster, experiment: str = "", limit: int = PAGE_SIZE, token: str = "") -> RunPage:
    """Return runs, the newest first.

    Args:
        cluster: The cluster.
        experiment: Name of an experiment, whose runs are returned. Empty means all.
        limit: Number of runs to return.
        token: Token of an earlier page, which this one follows.

    Raises:
        ConfigError: There is no such experiment.
    """
    query = {"sort_by": "created_at desc", "filter": _FILTER}
    if experiment:
        query["experiment_id"] = find_experiment(cluster, experiment)
    elif cluster.user_namespace:
        query["namespace"] = cluster.user_namespace
    lines: list[RunLine] = []
    names: dict[str, str] = {}
    while len(lines) < limit:
        page = {"page_size": str(min(limit - len(lines), PAGE_SIZE)), "page_token": token}
        answer = cluster.json("/apis/v2beta1/runs", {**query, **page}, object_hook=shrink)
        found = answer.get("runs", [])
        lines += [_line(run, recipe_name(cluster, run, names)) for run in found]
        token = str(answer.get("next_page_token") or "")
        if not token or not found:
            break
    return RunPage(tuple(lines), token)


def find_experiment(cluster: Cluster, name: str) -> str:
    """Return the id of an experiment.

    Raises:
        ConfigError: There is no such experiment.
    """
    query = {"namespace": cluster.user_namespace or "", "page_size": "100"}
    for options in ({"filter": named(name)}, {}):
        answer = cluster.json("/apis/v2beta1/experiments", {**query, **options})
        known = {each["display_name"]: str(each["experiment_id"]) for each in answer.get("experiments", [])}
        if name in known:
            return known[name]
    raise ConfigError(f"--experiment {name}: there is no such experiment. {suggest(name, known)}")


def recipe_name(cluster: Cluster, entry: Mapping[str, Any], names: dict[str, str]) -> str:
    """Return the name of the pipeline of a run or schedule.

    Args:
        cluster: The cluster.
        entry: The run or schedule as the API describes it.
        names: Names of pipelines by id, which are added to.
    """
    spec = entry.get("pipeline_spec") or {}
    if info := spec.get("pipeline_spec", spec).get("pipelineInfo"):
        return str(info["name"])
    pipeline_id = (entry.get("pipeline_version_reference") or {}).get("pipeline_id", "")
    if pipeline_id and pipeline_id not in names:
        try:
            names[pipeline_id] = cluster.json(f"/apis/v2beta1/pipelines/{pipeline_id}", {})["display_name"]
        except ClusterError:  # the pipeline was deleted
            names[pipeline_id] = ""
    return names.get(pipeline_id, "")


def read_gap(cluster: Cluster, run_id: str) -> str:
    """Return the GAP of a run and the part of the hold-out it is of, from the record of its report; empty if none.

    Raises:
        StorageError: The object store of the run's root cannot be reached.
    """
    try:
        run = ClusterRun(cluster, run_id)
        if not run.root or _REPORT not in run.graph.nodes:
            return ""
        uri = record_uri(run.root, _REPORT, run.graph.work(_REPORT))
        record = NodeRecord.parse_json(storage.read_text(uri), uri) if storage.exists(uri) else None
    except (ConfigError, MissingError):  # not a pipeline of KFP 2, one that was deleted, or a damaged record
        return ""
    if record is None or "gap" not in record.metrics:
        return ""
    part = record.details.get("part")
    return f"{record.metrics['gap']:.4f}" + (f" ({part})" if part else "")


def shrink(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object of an answer without what makes runs large."""
    return {key: value for key, value in entry.items() if key not in _LARGE}


def _line(run: Mapping[str, Any], recipe: str) -> RunLine:
    history = [str(each.get("state")) for each in run.get("state_history") or []]
    state = state_name(str(run.get("state") or "PENDING"), history)
    created, ended = seconds_of(run.get("created_at")), seconds_of(run.get("finished_at"))
    return RunLine(str(run["run_id"]), str(run.get("display_name", "")), recipe, state, created, ended)
