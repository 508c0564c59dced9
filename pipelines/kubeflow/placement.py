"""Resources, nodes, volumes and secrets of a KFP pipeline's tasks, from the configuration of the cluster."""

from typing import Any

from kfp import kubernetes

from pipelines.kubeflow.image import step_image
from pipelines.recipe.cluster import ClusterConfig, ShardCacheConfig
from pipelines.recipe.steps import StepConfig
from pipelines.stages import STAGES
from yt8m.storage.cache import FOLDER_VARIABLE, SIZE_VARIABLE


def apply_cluster(task: Any, stage: str, model: str, cluster: ClusterConfig, image: str) -> None:
    """Configure a task for the cluster.

    Args:
        task: A `kfp.dsl.PipelineTask`.
        stage: Name of the stage that it executes.
        model: Name of the model that it works on. Empty if it works on none or several.
        cluster: Configuration of the cluster.
        image: Container image of the pipeline.
    """
    step = cluster.step(stage, model)
    task.set_container_image(step_image(step.image, image))
    _add_resources(task, step)
    _add_node_selection(task, step)
    _add_metadata(task, step)
    _add_timeout_and_retries(task, step)
    if cluster.user:
        kubernetes.set_security_context(task, run_as_user=cluster.user, run_as_group=cluster.user, run_as_non_root=True)
    for name, value in cluster.environment.items():
        task.set_env_variable(name, value)
    for secret in cluster.secrets:
        if secret.environment:
            kubernetes.use_secret_as_env(task, secret.name, dict(secret.environment), optional=secret.optional)
        if secret.mount_path:
            kubernetes.use_secret_as_volume(task, secret.name, secret.mount_path, optional=secret.optional)
    if cluster.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(cluster.image_pull_secrets))
    if cluster.image_pull_policy:
        kubernetes.set_image_pull_policy(task, cluster.image_pull_policy)
    if cluster.shard_cache and STAGES[stage].resources != "assembly":
        _add_shard_cache(task, cluster.shard_cache)


def _add_resources(task: Any, step: StepConfig) -> None:
    if step.cpu:
        task.set_cpu_request(step.cpu)
    if step.memory:
        task.set_memory_request(step.memory)
        task.set_memory_limit(step.memory)
    if step.gpu:
        task.set_accelerator_type(step.gpu.resource)
        task.set_accelerator_limit(step.gpu.count)
    if step.shared_memory:
        kubernetes.empty_dir_mount(task, "shared-memory", "/dev/shm", medium="Memory", size_limit=step.shared_memory)


def _add_node_selection(task: Any, step: StepConfig) -> None:
    labels = dict(step.node_selector)
    if step.gpu and step.gpu.type:
        labels[step.gpu.type_label] = step.gpu.type
    for label, value in labels.items():
        kubernetes.add_node_selector(task, label, value)
    for each in step.tolerations:
        kubernetes.add_toleration(
            task,
            key=each.key or None,
            operator=each.operator,
            value=each.value or None,
            effect=each.effect,
            toleration_seconds=each.seconds,
        )
    for affinity in step.affinity:
        conditions = [each.model_dump() for each in affinity.nodes]
        kubernetes.add_node_affinity(task, match_expressions=conditions, weight=affinity.weight)


def _add_metadata(task: Any, step: StepConfig) -> None:
    for key, value in step.labels.items():
        kubernetes.add_pod_label(task, key, value)
    for key, value in step.annotations.items():
        kubernetes.add_pod_annotation(task, key, value)


def _add_timeout_and_retries(task: Any, step: StepConfig) -> None:
    if step.timeout_hours:
        kubernetes.set_timeout(task, _seconds(step.timeout_hours))
    if step.retries:
        task.set_retry(
            step.retries.count,
            backoff_duration=f"{step.retries.wait_seconds}s",
            backoff_factor=step.retries.factor,
            backoff_max_duration=f"{_seconds(step.retries.give_up_hours)}s",
        )


def _seconds(hours: float) -> int:
    return max(1, round(hours * 3600))


def _add_shard_cache(task: Any, cache: ShardCacheConfig) -> None:
    if cache.claim:
        kubernetes.mount_pvc(task, cache.claim, cache.mount_path)
    else:
        kubernetes.empty_dir_mount(task, "shard-cache", cache.mount_path)
    task.set_env_variable(FOLDER_VARIABLE, cache.mount_path)
    # The cache writes sizes as `100GB`, Kubernetes as `100G`.
    task.set_env_variable(SIZE_VARIABLE, f"{cache.size}B")
