"""Kubeflow Pipelines as `kfp.Client` reaches it, with errors that a user can mend."""

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

import kfp
import urllib3
from kfp.client import KF_PIPELINES_SA_TOKEN_ENV, ServiceAccountTokenVolumeCredentials
from kfp_server_api import ApiException  # type: ignore[import-untyped]

from pipelines.cluster.access import ClusterAccess
from yt8m.errors import ClusterError

# Seconds that a request waits for the connection, and for the answer.
TIMEOUT = (10, 60)
# Where runs are if Kubeflow has only one user.
ONLY_NAMESPACE = "kubeflow"


class Cluster:
    """Kubeflow Pipelines behind an address.

    Args:
        access: Address and credentials.

    Raises:
        ClusterError: It cannot be reached, or lets nobody in.
    """

    def __init__(self, access: ClusterAccess) -> None:
        self.access = access
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        with self._errors(), warnings.catch_warnings():
            # kfp tells everyone that it needs KFP 2, and that it takes https where the address does not say.
            warnings.simplefilter("ignore")
            self._client = _Client(
                host=access.host,
                namespace=access.namespace or ONLY_NAMESPACE,
                existing_token=access.token or None,
                cookies=access.cookies or None,
                credentials=_credentials(),
            )

    def submit(
        self,
        package: Path,
        *,
        name: str,
        parameters: Mapping[str, Any],
        experiment: str = "",
        experiment_id: str = "",
        pipeline_root: str = "",
        service_account: str = "",
    ) -> str:
        """Start a run.

        Args:
            package: The compiled pipeline.
            name: The run's name in the user interface.
            parameters: Of the pipeline.
            experiment: Name of the experiment, which is made if there is none; or `experiment_id` of one that is there.
            experiment_id: See `experiment`.
            pipeline_root: URI of the artifacts; empty: as the cluster has it.
            service_account: Account of the steps; empty: the cluster's default.

        Returns:
            The run's id.

        Raises:
            ClusterError: The cluster did not take it.
        """
        # kfp prints addresses.
        with self._errors(), redirect_stdout(StringIO()):
            result = self._client.create_run_from_pipeline_package(
                str(package),
                arguments=dict(parameters),
                run_name=name,
                experiment_name=None if experiment_id else experiment,
                experiment_id=experiment_id or None,
                namespace=self.access.namespace or None,
                pipeline_root=pipeline_root or None,
                service_account=service_account or None,
            )
        if not result.run_id:
            self._refuse_answer()
        return str(result.run_id)

    def run(self, run_id: str) -> Any:
        """A run as the API describes it (`V2beta1Run`).

        Raises:
            ClusterError: There is none, or the cluster does not tell.
        """
        with self._errors(f"There is no run '{run_id}'; look for its id in the user interface."):
            run = self._client.get_run(run_id)
        if not run.run_id:
            self._refuse_answer()
        return run

    def pipeline(self, run: Any) -> Any:
        """The pipeline of a run, as it was submitted: it comes with the run, or with the version the run names.

        Raises:
            ClusterError: The cluster does not tell.
        """
        if run.pipeline_spec:
            return run.pipeline_spec
        version = run.pipeline_version_reference
        with self._errors(f"The pipeline of run '{run.run_id}' is not there any more."):
            return self._client.get_pipeline_version(version.pipeline_id, version.pipeline_version_id).pipeline_spec

    def namespace(self, run: Any) -> str:
        """The namespace of a run's pods.

        Raises:
            ClusterError: The cluster does not tell.
        """
        with self._errors(f"The experiment of run '{run.run_id}' is not there any more."):
            experiment = self._client.get_experiment(experiment_id=run.experiment_id)
        return experiment.namespace or self.access.namespace or ONLY_NAMESPACE

    def log(self, pod: str, namespace: str, run_id: str) -> str | None:
        """What a pod printed, by way of the user interface's server, which also knows archived logs.

        Returns:
            The text; None where that server is not behind the address, or does not have the log.

        Raises:
            ClusterError: The cluster cannot be reached, or lets nobody in.
        """
        query = [("podname", pod), ("podnamespace", namespace), ("runid", run_id)]
        try:
            with self._errors():
                response = self._client._run_api.api_client.call_api(
                    "/k8s/pod/logs",
                    "GET",
                    query_params=query,
                    auth_settings=["Bearer"],
                    _preload_content=False,
                    _return_http_data_only=True,
                )
        except ClusterError as error:
            if isinstance(error.__cause__, ApiException) and error.__cause__.status in {404, 405, 500}:
                return None
            raise
        # For addresses it does not know, the server sends the user interface.
        is_log = not response.headers.get("content-type", "").startswith("text/html")
        return response.data.decode(errors="replace") if is_log else None

    def address(self, run_id: str) -> str:
        """The run's page in the user interface."""
        return f"{self._client._get_url_prefix().rstrip('/')}/#/runs/details/{run_id}"

    @contextmanager
    def _errors(self, missing: str = "") -> Iterator[None]:
        host = self.access.host
        try:
            yield
        except ApiException as error:
            raise ClusterError(f"{host}: {_describe(error, missing)}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            reason = " ".join(str(getattr(error, "reason", error)).split())
            raise ClusterError(
                f"{host}: cannot be reached ({reason}). Check --host and the network; `kubectl -n kubeflow "
                "port-forward svc/ml-pipeline-ui 8080:80` makes it http://localhost:8080."
            ) from error
        except ValueError as error:
            raise ClusterError(f"{host}: {' '.join(str(error).split())}") from error

    def _refuse_answer(self) -> NoReturn:
        raise ClusterError(
            f"{self.access.host}: the answer is none of Kubeflow Pipelines', but perhaps a page to log in. Give the "
            "address of its user interface or API, and --token or --cookies where it asks who you are."
        )


class _Client(kfp.Client):  # type: ignore[misc]
    """kfp's client, which waits neither for ever nor half a minute for one that does not let it in."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        rest = self._run_api.api_client.rest_client
        request = rest.request

        def patient(*arguments: Any, _request_timeout: Any = None, **more: Any) -> Any:
            return request(*arguments, _request_timeout=_request_timeout or TIMEOUT, **more)

        rest.request = patient

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:  # noqa: ARG002 as in kfp
        """Ask once, where kfp asks five times."""
        return self._healthz_api.healthz_service_get_healthz(_request_timeout=TIMEOUT)


def _credentials() -> Any:
    """In notebooks of Kubeflow, a variable names a file with the token of the pod's account."""
    return ServiceAccountTokenVolumeCredentials() if KF_PIPELINES_SA_TOKEN_ENV in os.environ else None


def _describe(error: ApiException, missing: str) -> str:
    """What the API's error means for its user."""
    if error.status in {401, 403}:
        return (
            f"does not let you in ({error.status} {error.reason}: {_message(error)}). Give --token or --cookies, or "
            "set the variables KF_PIPELINES_* that kfp reads; with several users, --namespace of your profile."
        )
    if error.status == 404 and missing:
        return missing
    return f"refused ({error.status} {error.reason}): {_message(error)}"


def _message(error: ApiException) -> str:
    """The first line of what the API's body says."""
    text = str(error.body or "").strip()
    try:
        body = json.loads(text)
        text = str(body.get("message") or body.get("error") or text) if isinstance(body, dict) else text
    except ValueError:
        pass
    line = text.splitlines()[0] if text else "no further text"
    return line if len(line) <= 300 else f"{line[:300]}..."
