"""The section `cluster`: validation, and its effect on the compiled pipeline."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp import compiler, dsl
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.kubeflow.placement import apply_cluster
from pipelines.recipe.cluster import ClusterConfig, load_cluster
from yt8m.errors import ConfigError
from yt8m.storage.cache import shard_cache

FULL: dict[str, Any] = {
    "service_account": "yt8m-runner",
    "user": 65532,
    "image_pull_secrets": ["registry"],
    "environment": {"AWS_ENDPOINT_URL": "http://store:9000"},
    "secrets": [
        {"name": "keys", "environment": {"accesskey": "AWS_ACCESS_KEY_ID"}},
        {"name": "files", "mount_path": "/keys", "optional": True},
    ],
    "shard_cache": {"claim": "yt8m-shard-cache", "size": "200G"},
    "training": {
        "image": "{image}-gpu",
        "cpu": "6",
        "memory": "24Gi",
        "gpu": {"count": 2, "type": "nvidia-l4", "type_label": "cloud.google.com/gke-accelerator"},
        "shared_memory": "8Gi",
        "node_selector": {"cloud.google.com/gke-spot": "true"},
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
            {"operator": "Exists", "effect": "NoExecute", "seconds": 30},
        ],
        "affinity": [
            {
                "nodes": [
                    {"key": "zone", "values": ["a", "b"]},
                    {"key": "cpus", "operator": "Exists"},
                ]
            },
            {"nodes": [{"key": "generation", "operator": "Gt", "values": ["6"]}], "weight": 50},
        ],
        "labels": {"kueue.x-k8s.io/queue-name": "research"},
        "annotations": {"example.com/note": "two words, and more"},
        "timeout_hours": 36,
        "retries": {"count": 5},
    },
    "overrides": [
        {"models": ["dbof*"], "memory": "48Gi", "shared_memory": ""},
        {"stages": ["export"], "cpu": "8"},
        {"stages": ["quantize"], "models": ["dbof-wide"], "memory": "64Gi", "tolerations": []},
    ],
}


@dsl.component(base_image="python", install_kfp_package=False)
def step() -> None:
    """Do nothing."""


def compiled(
    cluster: ClusterConfig, folder: Path, stage: str = "train", model: str = "netvlad"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compile a pipeline with one task; return its container and its Kubernetes settings."""

    @dsl.pipeline(name="tiny")
    def tiny() -> None:
        apply_cluster(step(), stage, model, cluster, "registry/yt8m:1")

    compiler.Compiler().compile(tiny, str(folder / "tiny.yaml"))
    spec, platform = [*yaml.safe_load_all((folder / "tiny.yaml").read_text())]
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    executor = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-step"]
    json_format.ParseDict(executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    task = spec["root"]["dag"]["tasks"]["step"]
    return {**spec["deploymentSpec"]["executors"]["exec-step"]["container"], "task": task}, executor


def parse(**changes: Any) -> ClusterConfig:
    return ClusterConfig.parse({**FULL, **changes}, "cluster.yaml")


def test_steps_get_resources_and_image_of_their_class(tmp_path: Path) -> None:
    container, _ = compiled(parse(), tmp_path)
    assert container["image"] == "registry/yt8m:1-gpu"
    resources = container["resources"]
    assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert resources["accelerator"]["resourceCount"] == "2"
    assert (resources["resourceCpuRequest"], resources["resourceMemoryRequest"]) == ("6", "24Gi")
    assert resources["resourceMemoryLimit"] == "24Gi"


def test_a_class_that_is_not_configured_runs_on_cpus(tmp_path: Path) -> None:
    container, platform = compiled(parse(), tmp_path, "report")
    assert container["image"] == "registry/yt8m:1"
    assert "resources" not in container
    assert "nodeSelector" not in platform
    assert "pvcMount" not in platform


def test_nodes_are_selected_by_labels_and_the_gpus_type(tmp_path: Path) -> None:
    _, platform = compiled(parse(), tmp_path)
    assert platform["nodeSelector"]["labels"] == {
        "cloud.google.com/gke-spot": "true",
        "cloud.google.com/gke-accelerator": "nvidia-l4",
    }
    gpu, leaving = platform["tolerations"]
    assert gpu == {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert leaving == {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": "30"}


def test_timeouts_and_retries_are_those_of_long_trainings(tmp_path: Path) -> None:
    container, platform = compiled(parse(), tmp_path)
    assert platform["activeDeadlineSeconds"] == "129600"
    assert container["task"]["retryPolicy"] == {
        "maxRetryCount": 5,
        "backoffDuration": "60s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "604800s",
    }


def test_a_whole_factor_may_be_written_with_a_point() -> None:
    retries = parse(data={"retries": {"count": 1, "factor": 3.0}}).data.retries
    assert retries
    assert json.dumps(retries.factor) == "3"


def test_nodes_are_required_or_preferred_by_conditions_on_labels(tmp_path: Path) -> None:
    _, platform = compiled(parse(), tmp_path)
    required, preferred = platform["nodeAffinity"]
    zones = {"key": "zone", "operator": "In", "values": ["a", "b"]}
    assert required == {"matchExpressions": [zones, {"key": "cpus", "operator": "Exists"}]}
    newer = {"key": "generation", "operator": "Gt", "values": ["6"]}
    assert preferred == {"matchExpressions": [newer], "weight": 50}


def test_pods_get_labels_and_annotations(tmp_path: Path) -> None:
    _, platform = compiled(parse(), tmp_path)
    assert platform["podMetadata"] == {
        "labels": {"kueue.x-k8s.io/queue-name": "research"},
        "annotations": {"example.com/note": "two words, and more"},
    }


@pytest.mark.parametrize("policy", ["Always", "IfNotPresent", "Never"])
def test_the_image_is_pulled_by_the_configured_policy(policy: str, tmp_path: Path) -> None:
    assert compiled(parse(image_pull_policy=policy), tmp_path, "report")[1]["imagePullPolicy"] == policy
    assert "imagePullPolicy" not in compiled(parse(), tmp_path)[1]


@pytest.mark.parametrize(
    ("stage", "model", "memory"),
    [
        ("train", "netvlad", "24Gi"),
        ("train", "dbof-wide", "48Gi"),
        ("average", "dbof", "48Gi"),
        ("quantize", "dbof", "48Gi"),
        ("quantize", "dbof-wide", "64Gi"),
        ("soft_targets", "", ""),
    ],
)
def test_stages_and_models_get_what_differs_from_their_class(
    stage: str, model: str, memory: str, tmp_path: Path
) -> None:
    container, _ = compiled(parse(), tmp_path, stage, model)
    assert container.get("resources", {}).get("resourceMemoryLimit", "") == memory


def test_what_an_override_does_not_name_stays(tmp_path: Path) -> None:
    own, of_class = (parse().step("train", model) for model in ("dbof", "netvlad"))
    assert own.model_dump() == of_class.model_dump() | {"memory": "48Gi", "shared_memory": ""}
    assert "emptyDirMounts" not in compiled(parse(), tmp_path, "train", "dbof")[1]
    (tmp_path / "tiny.yaml").unlink()
    assert "tolerations" not in compiled(parse(inference=FULL["training"]), tmp_path, "quantize", "dbof-wide")[1]
    assert parse().step("export", "").cpu == "8"
    assert parse().step("export", "").memory == ""


def test_names_of_unknown_models_are_refused_and_patterns_are_not() -> None:
    with pytest.raises(ConfigError) as error:
        parse().check_models(["netvlad", "dbof-wider"], "c.yaml")
    assert str(error.value).startswith("c.yaml: overrides[2].models: the recipe trains no model 'dbof-wide'.")
    assert "Did you mean 'dbof-wider'? Known: dbof-wider, netvlad." in str(error.value)
    assert "'dbof-wide*'" in str(error.value)
    parse().check_models(["dbof-wide"], "c.yaml")
    parse(overrides=[{"models": ["rnn*"], "cpu": "1"}]).check_models(["netvlad"], "c.yaml")


def test_secrets_are_given_by_reference(tmp_path: Path) -> None:
    _, platform = compiled(parse(), tmp_path)
    assert platform["secretAsEnv"][0]["secretName"] == "keys"
    assert platform["secretAsEnv"][0]["keyToEnv"][0]["envVar"] == "AWS_ACCESS_KEY_ID"
    assert platform["secretAsVolume"][0]["mountPath"] == "/keys"
    assert platform["imagePullSecret"][0]["secretName"] == "registry"


def test_steps_run_as_the_configured_user(tmp_path: Path) -> None:
    _, platform = compiled(parse(), tmp_path)
    # As in YAML made of a protobuf, whose large numbers are texts.
    assert platform["securityContext"] == {"runAsUser": "65532", "runAsGroup": "65532", "runAsNonRoot": True}
    assert "securityContext" not in compiled(parse(user=None), tmp_path)[1]


def test_shared_memory_is_in_memory(tmp_path: Path) -> None:
    _, platform = compiled(parse(), tmp_path)
    assert platform["emptyDirMounts"] == [
        {"volumeName": "shared-memory", "mountPath": "/dev/shm", "medium": "Memory", "sizeLimit": "8Gi"}
    ]


def test_the_shard_cache_is_mounted_where_the_library_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = {"claim": "yt8m-shard-cache", "mount_path": str(tmp_path / "cache"), "size": "200G"}
    container, platform = compiled(parse(shard_cache=cache), tmp_path)
    assert platform["pvcMount"][0]["constant"] == "yt8m-shard-cache"
    assert platform["pvcMount"][0]["mountPath"] == cache["mount_path"]
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    assert shard_cache().limit_bytes == 200 * 10**9
    assert (tmp_path / "cache").is_dir()


def test_without_a_claim_the_shard_cache_is_on_the_nodes_disk(tmp_path: Path) -> None:
    _, platform = compiled(parse(shard_cache={}), tmp_path)
    assert {"volumeName": "shard-cache", "mountPath": "/cache"} in platform["emptyDirMounts"]
    assert "pvcMount" not in platform


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"user": 0}, "user: "),
        ({"trainig": {}}, "trainig: unknown key 'trainig'. Did you mean 'training'?"),
        ({"training": {"memory": "24 GB"}}, "training.memory: expected a number of bytes such as 16Gi"),
        ({"training": {"cpu": 4}}, "training.cpu: "),
        ({"training": {"gpu": {"count": 0}}}, "training.gpu.count: "),
        ({"training": {"memory": "1G", "shared_memory": "1Gi"}}, "training: shared_memory (1Gi) is part of memory"),
        (
            {"data": {"tolerations": [{"key": "a", "operator": "Exists"}, {"value": "b"}]}},
            "data.tolerations[1]: a toleration without a key",
        ),
        ({"data": {"tolerations": [{"key": "a", "seconds": 3}]}}, "data.tolerations[0]: seconds are only allowed"),
        (
            {"data": {"retries": {"count": 1, "factor": 1.5}}},
            "data.retries.factor: expected a whole number such as 2. Argo takes no other",
        ),
        ({"data": {"retries": {"count": 1, "factor": 0}}}, "data.retries.factor: "),
        ({"data": {"labels": {"app.kubernetes.io/part-of": "x"}}}, "data.labels: app.kubernetes.io/part-of is set"),
        ({"data": {"priority_class": "high"}}, "data.priority_class: unknown key 'priority_class'. Kubeflow Pipelines"),
        ({"data": {"pod_affinity": []}}, "data.pod_affinity: unknown key 'pod_affinity'. Kubeflow Pipelines cannot"),
        ({"priority_class": "high"}, "priority_class: unknown key 'priority_class'. Kubeflow Pipelines cannot"),
        ({"pod_affinity": []}, "pod_affinity: unknown key 'pod_affinity'. Kubeflow Pipelines cannot"),
        *(
            ({key: []}, f"{key}: unknown key '{key}'. It belongs to a class of steps, such as `training: {{{key}: ")
            for key in ("affinity", "tolerations", "annotations", "labels", "node_selector", "memory", "retries")
        ),
        ({"data": {"affinity": [{"nodes": []}]}}, "data.affinity[0].nodes: give at least one condition"),
        ({"data": {"affinity": [{"nodes": [{"key": "a"}]}]}}, "data.affinity[0].nodes[0]: `operator: In` needs"),
        (
            {"data": {"affinity": [{"nodes": [{"key": "a", "operator": "Exists"}], "weight": 0}]}},
            "data.affinity[0].weight: ",
        ),
        (
            {"data": {"affinity": [{"nodes": [{"key": "a", "operator": "Lt", "values": ["x"]}]}]}},
            "data.affinity[0].nodes[0]: `operator: Lt` needs one value",
        ),
        ({"image_pull_policy": "Sometimes"}, "image_pull_policy: "),
        ({"overrides": [{"memory": "1Gi"}]}, "overrides[0]: give stages, models, or both"),
        ({"overrides": [{"models": ["a"]}]}, "overrides[0]: give what differs"),
        (
            {"overrides": [{"stages": ["train", "exports"], "cpu": "1"}]},
            "overrides[0].stages: no stage 'exports'. Did you mean 'export'?",
        ),
        (
            {"training": {"shared_memory": "8Gi"}, "overrides": [{"models": ["a"], "memory": "4Gi"}]},
            "overrides do not fit for stage train, model a: shared_memory (8Gi) is part of memory (4Gi)",
        ),
        ({"secrets": [{"name": "keys"}]}, "secrets[0]: give environment"),
        (
            {"secrets": [{"name": "Keys", "mount_path": "/k"}]},
            "secrets[0].name: expected the name of a Kubernetes object",
        ),
        ({"environment": {"AWS_ACCESS_KEY_ID": "x"}}, "environment variables are given twice: AWS_ACCESS_KEY_ID"),
        ({"environment": {"1": "x"}}, "environment.1"),
        (
            {"training": {"gpu": {"type": "T4"}, "node_selector": {"nvidia.com/gpu.product": "L4"}}},
            "training: node_selector asks for another nvidia.com/gpu.product",
        ),
    ],
)
def test_problems_are_reported_with_their_places(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(**changes)
    assert f"cluster.yaml: {problem}" in str(error.value)


def test_an_invalid_condition_is_one_problem() -> None:
    with pytest.raises(ConfigError) as error:
        parse(data={"affinity": [{"nodes": [{"key": ""}]}]})
    assert str(error.value).count("\n") == 0
    assert "data.affinity[0].nodes[0].key: " in str(error.value)


def test_a_clusters_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(FULL))
    assert load_cluster(path) == parse()
    path.write_text("# nothing\n")
    assert load_cluster(path) == ClusterConfig()


@pytest.mark.parametrize("text", ["a: [", "training: {}\ntraining: {}", None])
def test_a_file_that_cannot_be_read_is_named(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    if text:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"cluster\.yaml: (invalid YAML|cannot be read)"):
        load_cluster(path)


def test_the_error_of_a_fraction_says_what_argo_would_do() -> None:
    with pytest.raises(ConfigError, match=r"\"value '1.5' cannot be resolved to an int\". Received: 1.5\."):
        parse(data={"retries": {"count": 1, "factor": 1.5}})
