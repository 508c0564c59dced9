"""What the manifests expect of an installation of Kubeflow Pipelines 2.17, and what they change in it."""

import base64
import gzip
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from pipelines.recipe.cluster import load_cluster
from tests.manifests.pod_security import violations
from tests.manifests.rendering import MANIFESTS, named, needs_kubectl, pods, render, values
from tests.support.paths import RECORDINGS

pytestmark = needs_kubectl

# Ports of the service `seaweedfs` in the namespace `kubeflow`, and the store's secret, as in KFP 2.17's manifests.
STORE_PORTS = {9000, 8333, 8111, 9333, 19333}
SECRET, KEYS = "mlpipeline-minio-artifact", {"accesskey", "secretkey"}
# The entry of KFP 2.17 in the configuration of Argo's controller, and another one that must stay.
TIME_TO_LIVE = {"secondsAfterCompletion": 3600, "secondsAfterSuccess": 3600, "secondsAfterFailure": 3600}
DEFAULTS = {
    "spec": {
        "ttlStrategy": TIME_TO_LIVE,
        "templateDefaults": {"retryStrategy": {"limit": "2", "retryPolicy": "OnError"}},
    }
}
CONTROLLER = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "workflow-controller-configmap", "namespace": "kubeflow"},
    "data": {"workflowDefaults": yaml.safe_dump(DEFAULTS), "executor": "imagePullPolicy: IfNotPresent\n"},
}
RETRIES = MANIFESTS / "components" / "retries"


def read_recording(name: str) -> Any:
    path = RECORDINGS / f"{name}.json.gz"
    if not path.exists():
        pytest.skip(f"{path}: the recordings are not here")
    return json.loads(gzip.decompress(path.read_bytes()))


def recorded_nodes(name: str) -> list[dict[str, Any]]:
    """Return the states of Argo's nodes in a recorded run."""
    status = json.loads(read_recording(name)["pipeline_runtime"]["workflow_manifest"])["status"]
    nodes = status.get("nodes") or json.loads(gzip.decompress(base64.b64decode(status["compressedNodes"])))
    return list(nodes.values())


def endpoints(overlay: str, objects: list[dict[str, Any]]) -> set[str]:
    folder = MANIFESTS / "overlays" / overlay
    files = [load_cluster(folder / name).environment for name in ("cluster.yaml", "cluster-cpu.yaml")]
    return {each["AWS_ENDPOINT_URL"] for each in (*files, *values(objects, "data")) if "AWS_ENDPOINT_URL" in each}


def test_the_store_of_the_plain_overlay_is_kfp_s(overlay: str, objects: list[dict[str, Any]]) -> None:
    found = endpoints(overlay, objects)
    assert found == ({"http://seaweedfs.kubeflow:9000"} if overlay == "plain" else set())
    assert {urlsplit(each).port for each in found} <= STORE_PORTS
    for key in values(objects, "secretKeyRef"):
        assert (key["name"], key["key"]) in {(SECRET, each) for each in KEYS}
    cluster = load_cluster(MANIFESTS / "overlays" / overlay / "cluster.yaml")
    assert {secret.name for secret in cluster.secrets} <= {SECRET}
    assert all(set(secret.environment) == KEYS for secret in cluster.secrets)


def test_no_manifest_names_the_store_of_kfp_before_2_16() -> None:
    texts = {path: path.read_text() for path in MANIFESTS.rglob("*") if path.is_file()}
    assert not [path for path, text in texts.items() if "minio-service" in text or "minio:" in text]


def test_the_store_admits_the_namespace_of_the_runs(objects: list[dict[str, Any]]) -> None:
    # KFP's network policy of the store admits namespaces by this label, and its own.
    assert named(objects, "Namespace")["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kubeflow-profile"


def patched_by_kustomize(folder: Path) -> dict[str, Any]:
    """Patch as a component of a user's own kustomization of KFP."""
    (folder / "configmap.yaml").write_text(yaml.safe_dump(CONTROLLER))
    component = os.path.relpath(RETRIES, folder.resolve())
    kustomization = {"resources": ["configmap.yaml"], "components": [component]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    (made,) = render(folder)
    return made


def patched_by_kubectl(folder: Path) -> dict[str, Any]:
    """Patch what is installed, by the command that the component's comment gives."""
    assert (
        "--patch-file manifests/components/retries/workflow-defaults.yaml"
        in (RETRIES / "kustomization.yaml").read_text()
    )
    (folder / "configmap.yaml").write_text(yaml.safe_dump(CONTROLLER))
    command: list[str | Path] = ["kubectl", "patch", "--local", "-f", folder / "configmap.yaml", "-o", "yaml"]
    command += ["--patch-file", RETRIES / "workflow-defaults.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    made: dict[str, Any] = yaml.safe_load(done.stdout)
    return made


@pytest.mark.parametrize("patch", [patched_by_kustomize, patched_by_kubectl])
def test_the_patch_for_retries_changes_the_policy_and_nothing_else(
    patch: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    made = patch(tmp_path)
    defaults = yaml.safe_load(made["data"].pop("workflowDefaults"))
    strategy = defaults["spec"]["templateDefaults"].pop("retryStrategy")
    assert defaults == {"spec": {"ttlStrategy": TIME_TO_LIVE, "templateDefaults": {}}}
    assert strategy.pop("expression")
    assert strategy == {"limit": "2", "retryPolicy": "Always"}
    assert made == CONTROLLER | {"data": {"executor": "imagePullPolicy: IfNotPresent\n"}}


@pytest.mark.parametrize("recording", ["run-v1beta1-retries", "run-v1beta1-failed-paper", "run-v1beta1-terminated"])
def test_the_expression_for_retries_is_true_for_pods_only(recording: str) -> None:
    """Argo evaluates it on the last node that failed, and repeats that node if it is true."""
    defaults = yaml.safe_load(
        yaml.safe_load((RETRIES / "workflow-defaults.yaml").read_text())["data"]["workflowDefaults"]
    )
    assert defaults["spec"]["templateDefaults"]["retryStrategy"]["expression"] == "lastRetry.message != ''"
    nodes = [each for each in recorded_nodes(recording) if each["phase"] in ("Failed", "Error")]
    assert {each["type"] for each in nodes if each["type"] != "Retry"} == {"Pod", "DAG"}
    for each in nodes:
        if each["type"] != "Retry":
            assert bool(each.get("message")) == (each["type"] == "Pod")


def test_pods_of_the_manifests_meet_the_restricted_pod_security(objects: list[dict[str, Any]]) -> None:
    made = list(pods(objects))
    assert len(made) >= 1
    predictor = named(objects, "InferenceService")["spec"]["predictor"]
    # KServe's runtime adds the user, and the model's settings are those of the container that downloads it, too.
    served = {"securityContext": predictor["securityContext"], "containers": [{"name": "model"} | predictor["model"]]}
    for pod in (*made, served):
        assert list(violations(pod)) == []


def test_each_setting_that_a_pod_lacks_is_a_violation() -> None:
    container = {"name": "a", "securityContext": {"capabilities": {"add": ["CHOWN"]}, "runAsUser": 0}}
    volume = {"name": "v", "hostPath": {"path": "/"}}
    found = list(violations({"hostIPC": True, "volumes": [volume], "containers": [container]}))
    settings = ("allowPrivilegeEscalation", "drop", "add", "runAsNonRoot", "runAsUser", "seccompProfile")
    assert found == ["hostIPC", "volume v: hostPath", *(f"container a: {name}" for name in settings)]


def test_the_namespace_enforces_what_kfp_s_own_does(objects: list[dict[str, Any]]) -> None:
    labels = named(objects, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    assert labels["pod-security.kubernetes.io/warn"] == "restricted"


def test_recorded_pods_of_steps_and_drivers_meet_the_restricted_pod_security() -> None:
    recorded = read_recording("pods-end-smoke")["items"]
    cluster = load_cluster(MANIFESTS / "overlays" / "plain" / "cluster-cpu.yaml")
    assert len(recorded) == 77
    for each in recorded:
        # The recording's installation added this to all pods.
        assert list(violations(each["spec"])) == ["hostNetwork"]
    mains = [container for each in recorded for container in each["spec"]["containers"] if container["name"] == "main"]
    users = {each["securityContext"].get("runAsUser") for each in mains}
    assert users == {None, cluster.user}  # KFP's drivers, and our steps
