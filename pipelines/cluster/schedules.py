"""Schedules: recurring runs, which Kubeflow starts at certain times until they are disabled or deleted."""

import re
from calendar import monthrange
from collections.abc import Mapping
from typing import Any, NamedTuple

from kfp_server_api import (  # type: ignore[import-untyped]
    RecurringRunMode,
    V2beta1CronSchedule,
    V2beta1RecurringRun,
    V2beta1RuntimeConfig,
    V2beta1Trigger,
)

from pipelines.cluster.argo import seconds_of
from pipelines.cluster.client import Cluster, PipelineVersion, named, pipeline_source
from pipelines.cluster.listing import recipe_name, shrink
from pipelines.kubeflow.spec import Spec
from yt8m.errors import ConfigError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Fields of a cron expression: name, least and greatest value, names of values.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
# A year with a 29 February.
_LEAP_YEAR = 2024
_ITEM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


class Schedule(NamedTuple):
    """A schedule.

    Attributes:
        schedule_id: Id of the schedule.
        name: Name of the schedule.
        recipe: Name of its pipeline.
        cron: Its times, in five fields; a description if it has other times.
        enabled: Whether it starts runs.
        created: Time at which it was made, in seconds since 1970.
    """

    schedule_id: str
    name: str
    recipe: str
    cron: str
    enabled: bool
    created: float


def kubeflow_cron(text: str) -> str:
    """Return a standard cron expression in KFP's format, which has six fields and begins with the seconds.

    Args:
        text: Minute, hour, day of the month, month and day of the week. KFP would take five fields without complaint,
            but as if they began with the seconds.

    Raises:
        ConfigError: The expression is not valid, or names no day that there is.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ConfigError(
            f"--schedule '{text}': expected five fields (minute, hour, day of the month, month, day of the week), for "
            f"instance '30 3 * * 1' for Mondays at 3:30, received {len(fields)}."
        )
    values: dict[str, set[int]] = {}
    for field, (name, least, greatest, names) in zip(fields, _FIELDS, strict=True):
        items = [_values(item, least, greatest, names) for item in field.lower().split(",")]
        values[name] = {number for item in items for number in item}
        if not all(items):
            known = f" or {names[0]} to {names[-1]}" if names else ""
            raise ConfigError(
                f"--schedule '{text}': {name}: expected * or numbers from {least} to {greatest}{known}, such as "
                f"{least}, {least}-{least + 2}, */2 or {least},{least + 2}, received '{field}'."
            )
    _, _, days, months, weekdays = fields
    longest = max(monthrange(_LEAP_YEAR, month)[1] for month in values["month"])
    # Without a star in the days of the week, Kubeflow starts runs on these, too.
    if "*" in weekdays and min(values["day of the month"]) > longest:
        raise ConfigError(
            f"--schedule '{text}': would never start a run: received the day of the month '{days}' and the month "
            f"'{months}', but that has at most {longest} days. Give a day from 1 to {longest}, or another month."
        )
    return " ".join(["0", *fields])


def create_schedule(
    cluster: Cluster,
    pipeline: PipelineVersion | tuple[Spec, Spec],
    *,
    cron: str,
    name: str,
    description: str,
    parameters: Mapping[str, Any],
    experiment: str,
    pipeline_root: str = "",
    service_account: str = "",
) -> str:
    """Let Kubeflow start runs of a pipeline, one at a time, and return the schedule's id.

    Args:
        cluster: The cluster.
        pipeline: A version that was uploaded, or `PipelineSpec` and `PlatformSpec`.
        cron: Times of the runs in KFP's format; see `kubeflow_cron`. Times that were missed are not made up for.
        name: Name of the schedule.
        description: Description of the schedule.
        parameters: Parameters of the pipeline by name.
        experiment: Name of the experiment, which is created if missing.
        pipeline_root: URI of the folder for artifacts. Empty means the cluster's default.
        service_account: Kubernetes service account of the steps. Empty means the cluster's default.
    """
    schedule = V2beta1RecurringRun(
        display_name=name,
        description=description,
        experiment_id=cluster.experiment(experiment),
        runtime_config=V2beta1RuntimeConfig(parameters=dict(parameters), pipeline_root=pipeline_root or None),
        service_account=service_account or None,
        mode=RecurringRunMode.ENABLE,
        trigger=V2beta1Trigger(cron_schedule=V2beta1CronSchedule(cron=cron)),
        max_concurrency=1,
        no_catchup=True,
        **pipeline_source(pipeline),
    )
    with cluster.errors():
        api = cluster.client._recurring_run_api
        return str(api.recurring_run_service_create_recurring_run(recurring_run=schedule).recurring_run_id)


def list_schedules(cluster: Cluster, name: str = "") -> list[Schedule]:
    """Return all schedules, or those with a name, the newest first."""
    query = {"sort_by": "created_at desc", "page_size": "50"}
    query |= {"namespace": cluster.user_namespace} if cluster.user_namespace else {}
    query |= {"filter": named(name)} if name else {}
    names: dict[str, str] = {}
    found: list[Schedule] = []
    while True:
        answer = cluster.json("/apis/v2beta1/recurringruns", query, object_hook=shrink)
        found += [_schedule(each, recipe_name(cluster, each, names)) for each in answer.get("recurringRuns", [])]
        query["page_token"] = str(answer.get("next_page_token") or "")
        if not query["page_token"]:
            return [each for each in found if not name or each.name == name]


def refuse_existing(cluster: Cluster, name: str) -> None:
    """Check that there is no schedule with this name. Kubeflow would let both run.

    Raises:
        ConfigError: There is one.
    """
    if found := list_schedules(cluster, name):
        raise ConfigError(
            f"--name {name}: there is a schedule with this name already ({found[0].schedule_id}). Give another name, "
            f"or delete that one first: yt8m stop {name} --delete"
        )


def find_schedule(cluster: Cluster, text: str) -> Schedule | None:
    """Return the schedule with a name or id, or None.

    Raises:
        ConfigError: Several schedules have the name.
    """
    found = list_schedules(cluster, text) or [each for each in list_schedules(cluster) if each.schedule_id == text]
    if len(found) > 1:
        ids = ", ".join(each.schedule_id for each in found)
        raise ConfigError(f"{text}: several schedules have this name. Give the id of one: {ids}.")
    return found[0] if found else None


def end_schedule(cluster: Cluster, schedule: Schedule, *, delete: bool) -> None:
    """Disable or delete a schedule. Its runs go on."""
    api = cluster.client._recurring_run_api
    with cluster.errors():
        if delete:
            api.recurring_run_service_delete_recurring_run(schedule.schedule_id)
        else:
            api.recurring_run_service_disable_recurring_run(schedule.schedule_id)


def _values(item: str, least: int, greatest: int, names: tuple[str, ...]) -> range:
    """Return the values of an item of a field; none if the item is not valid."""
    found = _ITEM.fullmatch(item)
    if not found or found["step"] == "0":
        return range(0)
    numbers = [least + names.index(part) if part in names else part for part in found.group("first", "last") if part]
    if not all(str(number).isdecimal() for number in numbers):
        return range(0)
    bounds = [int(number) for number in numbers] or [least, greatest]
    if not all(least <= number <= greatest for number in bounds):
        return range(0)
    # A single number with a step begins a range to the greatest value.
    last = greatest if found["step"] and len(bounds) == 1 else bounds[-1]
    return range(bounds[0], last + 1, int(found["step"] or 1))


def _schedule(entry: Mapping[str, Any], recipe: str) -> Schedule:
    trigger = entry.get("trigger") or {}
    cron = str((trigger.get("cron_schedule") or {}).get("cron", ""))
    return Schedule(
        str(entry["recurring_run_id"]),
        str(entry.get("display_name", "")),
        recipe,
        cron.removeprefix("0 ") if cron else "by an interval",
        str(entry.get("status", entry.get("mode", ""))) in {"ENABLED", "ENABLE"},
        seconds_of(entry.get("created_at")),
    )
