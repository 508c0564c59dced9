"""Rendered overlays: schemas, references between objects, least privilege."""

import re
from ipaddress import ip_address, ip_network
from typing import Any

import jsonschema
import pytest

from pipelines.recipe.cluster import load_cluster
from pipelines.recipe.steps import PART_OF
from tests.manifests.rendering import MANIFESTS, containers, named, names, needs_kubectl, pods, render, values
from tests.support.custom_resources import SCHEMAS
from tests.support.paths import REPOSITORY

# The oldest supported release of Kubernetes at the time of writing.
KUBERNETES = "1.33"
# Kubernetes accounts, and the Google accounts that they act as.
ACCOUNTS = {"yt8m-runner": "yt8m-runner", "yt8m-tensorboard": "yt8m-reader", "yt8m-serving": "yt8m-reader"}
# Secrets that Kubeflow Pipelines or docs/kubeflow.md creates.
SECRETS = {"mlpipeline-minio-artifact", "yt8m-serving-store"}

pytestmark = needs_kubectl


def reaches(
    policy: dict[str, Any], port: int, *, protocol: str = "TCP", namespace: str = "", address: str = ""
) -> bool:
    """Return whether a network policy admits connections to pods of a namespace, or to an outside address."""
    for rule in policy["egress"]:
        if "ports" in rule and {"protocol": protocol, "port": port} not in rule["ports"]:
            continue
        peers = rule.get("to", [{"ipBlock": {"cidr": "0.0.0.0/0"}}])
        blocks = [each["ipBlock"]["cidr"] for each in peers if "ipBlock" in each]
        if address and any(ip_address(address) in ip_network(block) for block in blocks):
            return True
        labels = [each["namespaceSelector"]["matchLabels"] for each in peers if "namespaceSelector" in each]
        if namespace and ("to" not in rule or {"kubernetes.io/metadata.name": namespace} in labels):
            return True
    return False


def test_every_object_matches_its_schema(objects: list[dict[str, Any]], standalone: list[dict[str, Any]]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for each in (*objects, *standalone):
        if each["kind"] in SCHEMAS:
            jsonschema.validate(each, SCHEMAS[each["kind"]])
        else:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_components_that_cost_money_or_need_a_model_are_off_by_default(overlay: str) -> None:
    kinds = {each["kind"] for each in render(MANIFESTS / "overlays" / overlay)}
    assert {"Deployment", "Role", "NetworkPolicy"} <= kinds
    assert not {"PersistentVolumeClaim", "Job", "InferenceService"} & kinds


def test_the_served_model_has_what_kserve_requires(objects: list[dict[str, Any]]) -> None:
    predictor = named(objects, "InferenceService")["spec"]["predictor"]
    assert predictor["model"]["modelFormat"]["name"] == "tensorflow"
    assert predictor["model"]["storageUri"].startswith(("gs://", "s3://"))
    assert set(predictor["model"]["resources"]["requests"]) == {"cpu", "memory"}


def test_kubeflow_adopts_the_namespace(objects: list[dict[str, Any]]) -> None:
    profile, namespace = named(objects, "Profile"), named(objects, "Namespace")
    assert namespace["metadata"]["name"] == profile["metadata"]["name"]
    assert namespace["metadata"]["annotations"]["owner"] == profile["spec"]["owner"]["name"]
    assert namespace["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kubeflow-profile"
    assert namespace["metadata"]["labels"]["istio-injection"] == "enabled"


def test_no_pod_has_a_sidecar_whose_traffic_is_blocked(objects: list[dict[str, Any]]) -> None:
    made = [each["spec"]["template"] for each in objects if each["kind"] in ("Deployment", "Job")]
    for each in (*made, named(objects, "InferenceService")):
        assert each["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"


def test_interactive_services_do_not_preempt_running_steps(objects: list[dict[str, Any]]) -> None:
    assert named(objects, "PriorityClass")["preemptionPolicy"] == "Never"


def test_everything_is_in_one_namespace(objects: list[dict[str, Any]]) -> None:
    cluster_wide = ("Namespace", "PriorityClass", "Profile")
    assert {each["metadata"].get("namespace") for each in objects if each["kind"] not in cluster_wide} == {"yt8m"}


def test_standalone_pipelines_keep_their_namespace_and_have_no_quota(standalone: list[dict[str, Any]]) -> None:
    assert not {"Namespace", "Profile", "ResourceQuota"} & {each["kind"] for each in standalone}
    assert {each["metadata"].get("namespace") for each in standalone if each["kind"] != "PriorityClass"} == {"kubeflow"}
    (subject,) = named(standalone, "RoleBinding")["subjects"]
    assert subject["namespace"] == "kubeflow"


def test_references_between_objects_resolve(objects: list[dict[str, Any]]) -> None:
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


def test_the_overlays_refer_to_secrets_but_contain_none(objects: list[dict[str, Any]]) -> None:
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


def test_the_account_of_the_runs_has_no_wildcard_rights(objects: list[dict[str, Any]]) -> None:
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


def test_the_network_policy_selects_the_steps(objects: list[dict[str, Any]]) -> None:
    policy = named(objects, "NetworkPolicy", "yt8m-steps")["spec"]
    assert policy["podSelector"] == {"matchLabels": dict([PART_OF])}
    assert "ingress" not in policy
    assert policy["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize("file", ["cluster.yaml", "cluster-cpu.yaml"])
def test_cluster_files_refer_to_objects_of_the_overlay(overlay: str, file: str, objects: list[dict[str, Any]]) -> None:
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
    for name in ("service_account", "user", "environment", "secrets"):
        assert getattr(first, name) == getattr(full, name)
    assert not (first.shard_cache and first.shard_cache.claim)
    for step in (first.data, first.training, first.inference, first.assembly):
        assert not step.gpu
        assert step.image == "{image}"


@pytest.mark.parametrize("name", ["yt8m-steps", "yt8m-tensorboard"])
def test_pods_reach_only_dns_kubeflow_and_tls_services(overlay: str, name: str, objects: list[dict[str, Any]]) -> None:
    policy = named(objects, "NetworkPolicy", name)["spec"]
    for protocol in ("UDP", "TCP"):
        assert reaches(policy, 53, protocol=protocol, namespace="kube-system")
        assert reaches(policy, 53, protocol=protocol, address="169.254.20.10")
    assert reaches(policy, 443, address="142.250.1.1")
    # The API, metadata service and store of KFP.
    assert all(reaches(policy, port, namespace="kubeflow") for port in (8887, 8080, 9000))
    # The metadata server, which issues the tokens of Workload Identity.
    assert reaches(policy, 80, address="169.254.169.254") == (overlay == "gke")
    assert reaches(policy, 988, address="169.254.169.252") == (overlay == "gke")
    assert not reaches(policy, 80, address="142.250.1.1")
    assert not reaches(policy, 9000, namespace="default")


def test_tensorboard_reads_where_runs_write(objects: list[dict[str, Any]]) -> None:
    (settings,) = [
        each for each in objects if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("yt8m-runs")
    ]
    mirror = named(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert mirror["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
    # The folder below the root that `components/train.py` uses.
    assert mirror["command"][2] == "$(YT8M_ROOT)/tensorboard"
    documented = re.findall(r"YT8M_ROOT=(\S+)", (REPOSITORY / "docs" / "kubeflow.md").read_text())
    assert settings["data"]["YT8M_ROOT"] in documented


def test_tensorboard_has_the_same_access_to_the_store_as_the_steps(overlay: str, objects: list[dict[str, Any]]) -> None:
    cluster = load_cluster(MANIFESTS / "overlays" / overlay / "cluster.yaml")
    (settings,) = [each["data"] for each in objects if each["kind"] == "ConfigMap" and "YT8M_ROOT" in each["data"]]
    assert cluster.environment.items() <= settings.items()
    mirror = named(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    keys = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in mirror.get("env", [])}
    assert keys == {
        variable: {"name": secret.name, "key": key}
        for secret in cluster.secrets
        for key, variable in secret.environment.items()
    }
    accounts = {name: named(objects, "ServiceAccount", name)["metadata"].get("annotations", {}) for name in ACCOUNTS}
    google = {name: each.get("iam.gke.io/gcp-service-account") for name, each in accounts.items()}
    wanted = "{}@PROJECT.iam.gserviceaccount.com" if overlay == "gke" else ""
    assert google == {name: wanted.format(account) or None for name, account in ACCOUNTS.items()}
