"""Client of Kubeflow Pipelines: the requests that our commands make, with errors that name a remedy."""

import json
import logging
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import urllib3
import yaml
from google.auth.exceptions import GoogleAuthError
from kfp_server_api import (  # type: ignore[import-untyped]
    ApiException,
    V2beta1Pipeline,
    V2beta1PipelineVersionReference,
    V2beta1Run,
    V2beta1RuntimeConfig,
)

from pipelines.cluster.access import ClusterAccess
from pipelines.cluster.connection import ONLY_NAMESPACE, Connection, PageError, is_page, page_title
from pipelines.cluster.problems import explain
from pipelines.kubeflow.spec import Spec
from yt8m.errors import ClusterError
from yt8m.yaml_files import FASTEST_DUMPER

# Answers of servers that do not have a path, or not what it asks for.
_ABSENT = frozenset({404, 405, 500, 501})
# Number of runs in an answer. Each has its pipeline, which may have a megabyte.
RUNS_AT_ONCE = 10


class MissingError(ClusterError):
    """What was asked for does not exist."""


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
        access.check()
        self.access = access
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        with self.errors(), warnings.catch_warnings():
            # kfp always warns that it needs KFP 2.
            warnings.simplefilter("ignore")
            self.client = Connection(access)

    @property
    def user_namespace(self) -> str | None:
        """Namespace to work in, of the access or of kfp's own configuration; None if Kubeflow has only one user."""
        return self.access.namespace or self.client.get_user_namespace() or None

    def upload(self, specs: tuple[Spec, Spec], version: str, description: str) -> PipelineVersion:
        """Return a pipeline's version of this name, which is uploaded if it does not exist.

        Args:
            specs: `PipelineSpec` and `PlatformSpec`. Their pipeline is created if it is missing.
            version: Name of the version. It must be derived from the content, since Kubeflow does not change a version.
            description: Description of a new pipeline.
        """
        name, namespace = specs[0]["pipelineInfo"]["name"], self.user_namespace
        with self.errors(), redirect_stdout(StringIO()):
            found = self.client.list_pipelines(filter=named(name), namespace=namespace).pipelines
            if not found:
                new = V2beta1Pipeline(name=name, display_name=name, description=description, namespace=namespace)
                found = [self.client._pipelines_api.pipeline_service_create_pipeline(new)]
            pipeline = found[0].pipeline_id
            versions = self.client.list_pipeline_versions(pipeline, filter=named(version)).pipeline_versions
            if versions:
                return PipelineVersion(pipeline, versions[0].pipeline_version_id)
            with NamedTemporaryFile("w", suffix=".yaml") as file:
                yaml.dump_all([spec for spec in specs if spec], file, Dumper=FASTEST_DUMPER)
                file.flush()
                uploaded = self.client.upload_pipeline_version(file.name, version, pipeline_id=pipeline)
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
            **pipeline_source(pipeline),
        )
        # kfp prints links to its own pages.
        with self.errors(), redirect_stdout(StringIO()):
            run.experiment_id = experiment_id or self.experiment(experiment)
            result = self.client._run_api.run_service_create_run(run=run)
        return str(result.run_id)

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, which is created if missing."""
        with self.errors(), redirect_stdout(StringIO()):
            name = os.environ.get("KF_PIPELINES_OVERRIDE_EXPERIMENT_NAME", name)  # as in kfp
            found = self.client.create_experiment(name, namespace=self.user_namespace)
        return str(found.experiment_id)

    def run(self, run_id: str) -> Any:
        """Return a run as the API describes it (`V2beta1Run`)."""
        with self.errors(f"There is no run '{run_id}'. `yt8m runs` lists them."):
            return self.client.get_run(run_id)

    def json(
        self,
        path: str,
        query: Mapping[str, str],
        object_hook: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Request a path of the API without kfp's models, which take long for long lists.

        Args:
            path: Path below the host.
            query: Parameters of the request.
            object_hook: Function that receives each JSON object of the answer and returns what to keep of it.
        """
        with self.errors():
            response = self.client.request(path, list(query.items()))
            if is_page(response):
                raise PageError(page_title(response.data))
            answer: dict[str, Any] = json.loads(response.data, object_hook=object_hook)
        return answer

    def terminate(self, run_id: str) -> None:
        """Ask Kubeflow to stop a run, which then becomes CANCELING and ends as FAILED."""
        with self.errors(f"There is no run '{run_id}'. `yt8m runs` lists them."):
            self.client.terminate_run(run_id)

    def all_runs(self) -> Iterator[Any]:
        """Iterate over all runs of the namespace with their pipelines, also archived ones (`V2beta1Run`)."""
        token = ""
        while True:
            with self.errors():
                page = self.client.list_runs(token, RUNS_AT_ONCE, namespace=self.user_namespace)
            yield from page.runs or []
            token = page.next_page_token
            if not token:
                return

    def pipeline(self, run: Any) -> Any:
        """Return the pipeline of a run as it was submitted, from the run or from the pipeline version it refers to."""
        if run.pipeline_spec:
            return run.pipeline_spec
        version = run.pipeline_version_reference
        with self.errors(f"The pipeline of run '{run.run_id}' was deleted."):
            return self.client.get_pipeline_version(version.pipeline_id, version.pipeline_version_id).pipeline_spec

    def namespace(self, run: Any) -> str:
        """Return the namespace of a run's pods."""
        with self.errors(f"The experiment of run '{run.run_id}' was deleted."):
            experiment = self.client.get_experiment(experiment_id=run.experiment_id)
        return experiment.namespace or self.user_namespace or ONLY_NAMESPACE

    def manifest(self, run_id: str) -> dict[str, Any] | None:
        """Return the Workflow in which Argo executes a run; None if the server does not have it.

        Only the API v1beta1 has it. kfp has no client for that.
        """
        response = self.get(f"/apis/v1beta1/runs/{run_id}", absent={404, 405, 501})
        if response is None or is_page(response):
            return None
        try:
            text = json.loads(response.data).get("pipeline_runtime", {}).get("workflow_manifest")
            manifest: dict[str, Any] | None = json.loads(text) if text else None
        except ValueError as error:
            raise ClusterError(f"{self.access.host}: the Workflow of run {run_id} is damaged: {error}") from None
        return manifest

    def get(
        self, path: str, query: Mapping[str, str] | None = None, absent: Collection[int] = _ABSENT
    ) -> urllib3.BaseHTTPResponse | None:
        """Request a path of the server at the host, which is that of the user interface or only that of the API.

        Args:
            path: Path below the host, such as `/k8s/pod/logs`.
            query: Parameters of the request.
            absent: Status codes that mean that there is nothing.

        Returns:
            The answer, of which nothing is read yet, or None if there is nothing. The user interface answers requests
            for unknown paths with its page; see `is_page`.
        """
        try:
            with self.errors():
                response: urllib3.BaseHTTPResponse = self.client.request(path, list((query or {}).items()))
        except ClusterError as error:
            if isinstance(error.__cause__, ApiException) and error.__cause__.status in absent:
                return None
            raise
        return response

    def address(self, run_id: str) -> str:
        """Return the URL of a run in the user interface."""
        return f"{self.client._get_url_prefix().rstrip('/')}/#/runs/details/{run_id}"

    @contextmanager
    def errors(self, missing: str = "") -> Iterator[None]:
        """Turn errors of kfp's client and of the network into a `ClusterError`.

        Args:
            missing: Message for the answer that something does not exist.
        """
        try:
            yield
        except (ApiException, PageError, urllib3.exceptions.HTTPError, GoogleAuthError, OSError, ValueError) as error:
            text = explain(error, self.access, missing)
            raise (MissingError if missing and text.endswith(missing) else ClusterError)(text) from error


def pipeline_source(pipeline: PipelineVersion | tuple[Spec, Spec]) -> dict[str, Any]:
    """Return the field of a run or schedule that says what to execute."""
    if isinstance(pipeline, PipelineVersion):
        reference = V2beta1PipelineVersionReference(
            pipeline_id=pipeline.pipeline_id, pipeline_version_id=pipeline.version_id
        )
        return {"pipeline_version_reference": reference}
    spec, platforms = pipeline
    return {"pipeline_spec": {"pipeline_spec": spec, "platform_spec": platforms} if platforms else spec}


def named(name: str) -> str:
    """Return the filter of KFP's API for what has a name."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})
