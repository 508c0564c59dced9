"""Client of Kubeflow Pipelines: `kfp.Client` with timeouts, logs of pods, and errors that name a remedy."""

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple, NoReturn

import kfp
import urllib3
import yaml
from kfp.client import KF_PIPELINES_SA_TOKEN_ENV, ServiceAccountTokenVolumeCredentials
from kfp_server_api import (  # type: ignore[import-untyped]
    ApiException,
    V2beta1Pipeline,
    V2beta1PipelineVersionReference,
    V2beta1Run,
    V2beta1RuntimeConfig,
)

from pipelines.cluster.access import ClusterAccess
from pipelines.kubeflow.spec import Spec
from yt8m.errors import ClusterError
from yt8m.yaml_files import FASTEST_DUMPER

# Seconds to wait for a connection and for an answer.
TIMEOUT = (10, 60)
# Namespace of the runs if Kubeflow has only one user.
ONLY_NAMESPACE = "kubeflow"


class PipelineVersion(NamedTuple):
    """A version of a pipeline that Kubeflow keeps."""

    pipeline_id: str
    version_id: str


class Cluster:
    """A Kubeflow Pipelines installation.

    Args:
        access: Address and credentials.

    Raises:
        ClusterError: The cluster cannot be reached, denies access or refuses a request. This holds for all methods.
    """

    def __init__(self, access: ClusterAccess) -> None:
        self.access = access
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        with self._errors(), warnings.catch_warnings():
            # kfp always warns that it needs KFP 2, and that it assumes https for addresses without a scheme.
            warnings.simplefilter("ignore")
            self._client = _Client(
                host=access.host,
                namespace=access.namespace or ONLY_NAMESPACE,
                existing_token=access.token or None,
                cookies=access.cookies or None,
                # Notebooks of Kubeflow have the credentials of their pod's service account.
                credentials=(
                    ServiceAccountTokenVolumeCredentials() if KF_PIPELINES_SA_TOKEN_ENV in os.environ else None
                ),
            )

    def upload(self, specs: tuple[Spec, Spec], version: str, description: str) -> PipelineVersion:
        """Return a pipeline's version of this name, which is uploaded if it does not exist.

        Args:
            specs: `PipelineSpec` and `PlatformSpec`. Their pipeline is created if it is missing.
            version: Name of the version. It must be derived from the content, since Kubeflow does not change a version.
            description: Description of a new pipeline.
        """
        name, namespace = specs[0]["pipelineInfo"]["name"], self.access.namespace or None
        with self._errors(), redirect_stdout(StringIO()):
            found = self._client.list_pipelines(filter=_named(name), namespace=namespace).pipelines
            if not found:
                new = V2beta1Pipeline(name=name, display_name=name, description=description, namespace=namespace)
                found = [self._client._pipelines_api.pipeline_service_create_pipeline(new)]
            pipeline = found[0].pipeline_id
            versions = self._client.list_pipeline_versions(pipeline, filter=_named(version)).pipeline_versions
            if versions:
                return PipelineVersion(pipeline, versions[0].pipeline_version_id)
            with NamedTemporaryFile("w", suffix=".yaml") as file:
                yaml.dump_all([spec for spec in specs if spec], file, Dumper=FASTEST_DUMPER)
                file.flush()
                uploaded = self._client.upload_pipeline_version(file.name, version, pipeline_id=pipeline)
        return PipelineVersion(pipeline, uploaded.pipeline_version_id)

    def submit(
        self,
        pipeline: PipelineVersion | tuple[Spec, Spec],
        *,
        name: str,
        description: str,
        parameters: Mapping[str, Any],
        experiment: str = "",
        experiment_id: str = "",
        pipeline_root: str = "",
        service_account: str = "",
    ) -> str:
        """Start a run.

        Args:
            pipeline: A version that was uploaded, or `PipelineSpec` and `PlatformSpec`.
            name: Name of the run in the user interface.
            description: Description of the run in the user interface.
            parameters: Parameters of the pipeline by name.
            experiment: Name of the experiment, which is created if missing.
            experiment_id: Id of an existing experiment, which replaces `experiment`.
            pipeline_root: URI of the folder for artifacts. Empty means the cluster's default.
            service_account: Kubernetes service account of the steps. Empty means the cluster's default.

        Returns:
            Id of the run.
        """
        run = V2beta1Run(
            display_name=name,
            description=description,
            runtime_config=V2beta1RuntimeConfig(parameters=dict(parameters), pipeline_root=pipeline_root or None),
            service_account=service_account or None,
        )
        if isinstance(pipeline, PipelineVersion):
            run.pipeline_version_reference = V2beta1PipelineVersionReference(
                pipeline_id=pipeline.pipeline_id, pipeline_version_id=pipeline.version_id
            )
        else:
            spec, platforms = pipeline
            run.pipeline_spec = {"pipeline_spec": spec, "platform_spec": platforms} if platforms else spec
        # kfp prints links to its own pages.
        with self._errors(), redirect_stdout(StringIO()):
            if not experiment_id:
                experiment = os.environ.get("KF_PIPELINES_OVERRIDE_EXPERIMENT_NAME", experiment)  # as in kfp
                found = self._client.create_experiment(experiment, namespace=self.access.namespace or None)
                experiment_id = found.experiment_id
            run.experiment_id = experiment_id
            result = self._client._run_api.run_service_create_run(run=run)
        if not result.run_id:
            self._refuse_answer()
        return str(result.run_id)

    def run(self, run_id: str) -> Any:
        """Return a run as the API describes it (`V2beta1Run`)."""
        with self._errors(f"There is no run '{run_id}'. Copy the id of a run from the user interface."):
            run = self._client.get_run(run_id)
        if not run.run_id:
            self._refuse_answer()
        return run

    def pipeline(self, run: Any) -> Any:
        """Return the pipeline of a run as it was submitted, from the run or from the pipeline version it refers to."""
        if run.pipeline_spec:
            return run.pipeline_spec
        version = run.pipeline_version_reference
        with self._errors(f"The pipeline of run '{run.run_id}' was deleted."):
            return self._client.get_pipeline_version(version.pipeline_id, version.pipeline_version_id).pipeline_spec

    def manifest(self, run_id: str) -> dict[str, Any] | None:
        """Return the Workflow in which Argo executes a run; None if the server does not have it.

        Only the API v1beta1 has it. kfp has no client for that.
        """
        try:
            with self._errors():
                response = self._client._run_api.api_client.call_api(
                    "/apis/v1beta1/runs/{run_id}",
                    "GET",
                    path_params={"run_id": run_id},
                    auth_settings=["Bearer"],
                    _preload_content=False,
                    _return_http_data_only=True,
                )
        except ClusterError as error:
            if isinstance(error.__cause__, ApiException) and error.__cause__.status in {404, 405, 501}:
                return None
            raise
        if not response.headers.get("content-type", "").startswith("application/json"):
            return None
        text = json.loads(response.data).get("pipeline_runtime", {}).get("workflow_manifest", "")
        manifest: dict[str, Any] = json.loads(text or "{}")
        return manifest or None

    def namespace(self, run: Any) -> str:
        """Return the namespace of a run's pods."""
        with self._errors(f"The experiment of run '{run.run_id}' was deleted."):
            experiment = self._client.get_experiment(experiment_id=run.experiment_id)
        return experiment.namespace or self.access.namespace or ONLY_NAMESPACE

    def log(self, pod: str, namespace: str, run_id: str) -> str | None:
        """Return the log of a pod from the server of the user interface.

        Args:
            pod: Name of the pod.
            namespace: Namespace of the pod.
            run_id: Id of the pod's run.

        Returns:
            The log, or None if the address is not that of the user interface or the server does not have the log.
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
        # The server answers requests for unknown paths with the page of the user interface.
        is_log = not response.headers.get("content-type", "").startswith("text/html")
        return response.data.decode(errors="replace") if is_log else None

    def address(self, run_id: str) -> str:
        """Return the URL of a run in the user interface."""
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
                f"{host}: cannot be reached ({reason}). Check --host and the network. `kubectl -n kubeflow "
                "port-forward svc/ml-pipeline-ui 8080:80` makes a cluster available as http://localhost:8080."
            ) from error
        except ValueError as error:
            raise ClusterError(f"{host}: {' '.join(str(error).split())}") from error

    def _refuse_answer(self) -> NoReturn:
        raise ClusterError(
            f"{self.access.host}: the answer is not from Kubeflow Pipelines, but perhaps a page to log in. Give the "
            "address of its user interface or API, and --token or --cookies if it requires a login."
        )


class _Client(kfp.Client):  # type: ignore[misc]
    """A `kfp.Client` with timeouts, which asks for the cluster's health only once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        rest = self._run_api.api_client.rest_client
        request = rest.request

        def request_with_timeout(*arguments: Any, _request_timeout: Any = None, **more: Any) -> Any:
            return request(*arguments, _request_timeout=_request_timeout or TIMEOUT, **more)

        rest.request = request_with_timeout

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:  # noqa: ARG002 as in kfp
        """Ask once. kfp asks five times, which takes half a minute if the cluster denies access."""
        return self._healthz_api.healthz_service_get_healthz(_request_timeout=TIMEOUT)


def _named(name: str) -> str:
    """Return the filter of KFP's API for what has a name."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _describe(error: ApiException, missing: str) -> str:
    """Return a message for an error of the API, with the remedy; `missing` is the message for status 404."""
    if error.status in {401, 403}:
        return (
            f"denies access ({error.status} {error.reason}: {_message(error)}). Give --token or --cookies, or set "
            "kfp's environment variables KF_PIPELINES_*. If Kubeflow has several users, give --namespace, too."
        )
    if error.status == 404 and missing:
        return missing
    return f"refused the request ({error.status} {error.reason}): {_message(error)}"


def _message(error: ApiException) -> str:
    """Return the first line of the message in the body of an API error."""
    text = str(error.body or "").strip()
    try:
        body = json.loads(text)
        text = str(body.get("message") or body.get("error") or text) if isinstance(body, dict) else text
    except ValueError:
        pass
    line = text.splitlines()[0] if text else "no further text"
    return line if len(line) <= 300 else f"{line[:300]}..."
