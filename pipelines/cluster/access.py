"""Access to Kubeflow Pipelines, in a module that the command line can import without waiting for kfp."""

from typing import NamedTuple


class ClusterAccess(NamedTuple):
    """Address and credentials.

    Attributes:
        host: URL of Kubeflow Pipelines.
        namespace: Kubernetes namespace of the runs, for Kubeflow with several users.
        token: Bearer token. If empty, kfp uses its own environment variables `KF_PIPELINES_*`, if any are set.
        cookies: Cookies of a logged-in browser, or an empty string.
    """

    host: str
    namespace: str = ""
    token: str = ""
    cookies: str = ""
