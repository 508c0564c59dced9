"""Kubeflow Pipelines at an address: whether it answers, its version, and whether this account may see runs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.cluster.access import ClusterAccess
from pipelines.cluster.client import Cluster
from pipelines.doctor.finding import Finding
from yt8m.errors import ClusterError

TESTED = "2.17"
"""Version of Kubeflow Pipelines that docs/kubeflow.md describes."""

# The oldest that has the API v2beta1 and executes pipelines of KFP 2.
_OLDEST = 2


def check_cluster(access: ClusterAccess) -> Iterator[Finding]:
    """Check a cluster. Later checks are left out if an earlier one fails.

    Args:
        access: Address and credentials.

    Raises:
        ConfigError: The address is none, or credentials cannot be used.
    """
    try:
        cluster = Cluster(access)
        health = cluster.json("/apis/v2beta1/healthz", {})
    except ClusterError as error:
        yield _problem("Cluster", error)
        return
    yield Finding("Cluster", f"{access.host} answers as the API of Kubeflow Pipelines")
    yield _check_version(health)
    if health.get("multi_user") and not cluster.user_namespace:
        yield Finding("Namespace", "this Kubeflow has several users", "Give your own namespace: --namespace NAME.")
        return
    try:
        with cluster.errors():
            cluster.client.list_runs(page_size=1, namespace=cluster.user_namespace)
    except ClusterError as error:
        yield _problem("Access", error)
        return
    where = f" of namespace {cluster.user_namespace}" if cluster.user_namespace else ""
    yield Finding("Access", f"this account may list the runs{where}")


def _check_version(health: Mapping[str, Any]) -> Finding:
    # The server of the user interface, which passes requests on, gives the version another name.
    name = str(health.get("tag_name") or health.get("apiServerTagName") or "unknown")
    found = re.fullmatch(r"v?(\d+)\.(\d+).*", name)
    if not found:
        return Finding("Version", f"the server does not say its version ({name}); {TESTED} is the tested one")
    if int(found[1]) < _OLDEST:
        return Finding(
            "Version", f"Kubeflow Pipelines {name} cannot execute pipelines of version 2", "Update it to 2.17."
        )
    same = f"{found[1]}.{found[2]}" == TESTED
    return Finding("Version", f"Kubeflow Pipelines {name}" + ("" if same else f"; tested with {TESTED}"))


def _problem(subject: str, error: ClusterError) -> Finding:
    text, _, remedy = str(error).partition(". ")
    return Finding(subject, text, remedy or "`kubectl -n kubeflow get pods` shows whether its pods run.")
