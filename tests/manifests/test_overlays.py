"""What the overlays render: schemas, references between objects, least rights."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.build.cluster import load_cluster
from pipelines.build.cluster_tasks import PART_OF

MANIFESTS = Path(__file__).parents[2] / "manifests"
OVERLAYS = ("gke", "plain")
# Kubernetes' oldest release that its makers still support when this was written.
KUBERNETES = "1.33"
# Kinds that others define.
CUSTOM = ("InferenceService", "Profile")
# Made by Kubeflow Pipelines, and as docs/kubeflow.md says.
SECRETS = {"mlpipeline-minio-artifact", "yt8m-serving-store"}

pytestmark = pytest.mark.skipif(not (shutil.which("kubectl") or "CI" in os.environ), reason="kubectl is not installed")


def render(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def objects(overlay: str) -> list[dict[str, Any]]:
    return render(MANIFESTS / "overlays" / overlay)


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The overlay for a plain cluster, changed as its comments say for Pipelines alone and no model."""
    folder = tmp_path_factory.mktemp("standalone") / "manifests"
    shutil.copytree(MANIFESTS, folder)
    path = folder / "overlays" / "plain" / "kustomization.yaml"
    changed = yaml.safe_load(path.read_text())
    changed["namespace"] = "kubeflow"
    changed["components"] = ["../../components/standalone"]
    changed["images"] = [{"name": "yt8m", "newName": "registry.example/yt8m", "newTag": "2"}]
    path.write_text(yaml.safe_dump(changed))
    return render(path.parent)


def named(objects: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and name in ("", each["metadata"]["name"])]
    return found


def names(objects: list[dict[str, Any]], kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in objects if each["kind"] == kind}


def pods(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from (each["spec"]["template"]["spec"] for each in objects if each["kind"] in ("Deployment", "Job"))


def containers(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for pod in pods(objects):
        yield from pod["containers"]


def values(data: Any, key: str) -> Iterator[Any]:
    """All values of a key, however deep."""
    if isinstance(data, dict):
        yield from (value for name, value in data.items() if name == key)
        data = list(data.values())
    if isinstance(data, list):
        for each in data:
            yield from values(each, key)


def test_kubernetes_would_take_every_object(objects: list[dict[str, Any]]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for each in objects:
        if each["kind"] not in CUSTOM:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_the_served_model_has_what_kserve_requires(objects: list[dict[str, Any]]) -> None:
    service = named(objects, "InferenceService")
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    predictor = service["spec"]["predictor"]
    assert set(predictor) == {"minReplicas", "model", "priorityClassName", "serviceAccountName"}
    assert predictor["model"]["modelFormat"]["name"] == "tensorflow"
    assert predictor["model"]["storageUri"].startswith(("gs://", "s3://"))
    assert set(predictor["model"]["resources"]["requests"]) == {"cpu", "memory"}


def test_kubeflow_takes_over_the_namespace(objects: list[dict[str, Any]]) -> None:
    profile, namespace = named(objects, "Profile"), named(objects, "Namespace")
    assert profile["apiVersion"] == "kubeflow.org/v1"
    assert profile["spec"]["owner"]["kind"] == "User"
    assert namespace["metadata"]["name"] == profile["metadata"]["name"]
    assert namespace["metadata"]["annotations"]["owner"] == profile["spec"]["owner"]["name"]
    assert namespace["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kubeflow-profile"


def test_everything_is_in_one_namespace(objects: list[dict[str, Any]]) -> None:
    cluster_wide = ("Namespace", "PriorityClass", "Profile")
    assert {each["metadata"].get("namespace") for each in objects if each["kind"] not in cluster_wide} == {"yt8m"}


def test_pipelines_alone_keeps_its_namespace_and_has_no_quota(standalone: list[dict[str, Any]]) -> None:
    assert not {"Namespace", "Profile", "ResourceQuota"} & {each["kind"] for each in standalone}
    assert {each["metadata"].get("namespace") for each in standalone if each["kind"] != "PriorityClass"} == {"kubeflow"}
    (subject,) = named(standalone, "RoleBinding")["subjects"]
    assert subject["namespace"] == "kubeflow"


def test_what_objects_name_exists(objects: list[dict[str, Any]]) -> None:
    accounts = {
        *values(objects, "serviceAccountName"),
        *(each["name"] for each in named(objects, "RoleBinding")["subjects"]),
    }
    assert accounts <= names(objects, "ServiceAccount")
    assert set(values(objects, "priorityClassName")) <= names(objects, "PriorityClass")
    assert set(values(objects, "claimName")) <= names(objects, "PersistentVolumeClaim")
    configured = {each["name"] for key in ("configMapRef", "configMap") for each in values(objects, key)}
    assert configured <= names(objects, "ConfigMap")
    labels = named(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert named(objects, "Service")["spec"]["selector"].items() <= labels.items()
    assert (
        named(objects, "NetworkPolicy", "yt8m-tensorboard")["spec"]["podSelector"]["matchLabels"].items()
        <= labels.items()
    )


def test_secrets_are_named_only(objects: list[dict[str, Any]]) -> None:
    assert "Secret" not in {each["kind"] for each in objects}
    referenced = {each["name"] for key in ("secretKeyRef", "secretRef") for each in values(objects, key)}
    attached = {
        each["name"]
        for entry in values(objects, "secrets")
        if isinstance(entry, list)
        for each in entry
        if isinstance(each, dict)
    }
    assert referenced | attached <= SECRETS


def test_the_runs_account_may_do_nothing_to_all_objects_of_a_kind(objects: list[dict[str, Any]]) -> None:
    rules = named(objects, "Role")["rules"]
    assert not [rule for rule in rules if "*" in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])]
    assert all(rule.get("resourceNames") for rule in rules if {"secrets", "configmaps"} & set(rule["resources"]))
    assert "ClusterRole" not in {each["kind"] for each in objects}


def test_containers_are_confined(objects: list[dict[str, Any]]) -> None:
    for each in containers(objects):
        context = each["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"]["drop"] == ["ALL"]
        assert each["resources"]["requests"]
        assert each["resources"]["limits"]["memory"]
    for pod in pods(objects):
        assert pod["automountServiceAccountToken"] is False


def test_all_containers_have_the_pipelines_image(
    objects: list[dict[str, Any]], standalone: list[dict[str, Any]]
) -> None:
    assert {each["image"] for each in containers(objects)} == {"REGISTRY/yt8m:TAG"}
    assert {each["image"] for each in containers(standalone)} == {"registry.example/yt8m:2"}


def test_the_network_policy_is_that_of_the_steps(objects: list[dict[str, Any]]) -> None:
    policy = named(objects, "NetworkPolicy", "yt8m-steps")["spec"]
    assert policy["podSelector"] == {"matchLabels": dict([PART_OF])}
    assert "ingress" not in policy
    assert policy["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize("file", ["cluster.yaml", "cluster-cpu.yaml"])
def test_the_clusters_files_name_what_the_overlay_makes(overlay: str, file: str, objects: list[dict[str, Any]]) -> None:
    cluster = load_cluster(MANIFESTS / "overlays" / overlay / file)
    assert cluster.service_account in names(objects, "ServiceAccount")
    claim = cluster.shard_cache.claim if cluster.shard_cache else ""
    assert {claim} <= names(objects, "PersistentVolumeClaim") | {""}
    assert {secret.name for secret in cluster.secrets} <= SECRETS


def test_trainings_have_a_gpu_that_the_quota_allows(overlay: str, objects: list[dict[str, Any]]) -> None:
    cluster = load_cluster(MANIFESTS / "overlays" / overlay / "cluster.yaml")
    assert cluster.training.gpu
    assert not cluster.assembly.gpu
    quota = named(objects, "ResourceQuota")["spec"]["hard"]
    assert int(quota["requests.nvidia.com/gpu"]) >= cluster.training.gpu.count


def test_a_first_run_needs_neither_gpus_nor_a_shared_volume_and_has_the_same_access(overlay: str) -> None:
    folder = MANIFESTS / "overlays" / overlay
    first, full = load_cluster(folder / "cluster-cpu.yaml"), load_cluster(folder / "cluster.yaml")
    for name in ("service_account", "environment", "secrets"):
        assert getattr(first, name) == getattr(full, name)
    assert not (first.shard_cache and first.shard_cache.claim)
    for step in (first.data, first.training, first.inference, first.assembly):
        assert not step.gpu
        assert step.image == "{image}"


def test_tensorboard_reads_where_runs_write(overlay: str, objects: list[dict[str, Any]]) -> None:
    settings = [
        each for each in objects if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("yt8m-runs")
    ]
    cluster = load_cluster(MANIFESTS / "overlays" / overlay / "cluster.yaml")
    assert cluster.environment.items() <= settings[0]["data"].items()
