"""How Kubeflow Pipelines is reached."""

from typing import NamedTuple


class ClusterAccess(NamedTuple):
    """Address and credentials.

    Attributes:
        host: URL of Kubeflow Pipelines.
        namespace: Of the runs, where Kubeflow has several users.
        token: A bearer token; empty: none, or what the variables `KF_PIPELINES_*` say.
        cookies: Cookies of a browser that is logged in; empty: none.
    """

    host: str
    namespace: str = ""
    token: str = ""
    cookies: str = ""
