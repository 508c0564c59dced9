"""The schema of the cluster's configuration: resources, node selection, volumes, and references to credentials."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ByteSize, NonNegativeInt, PositiveFloat, PositiveInt, TypeAdapter, model_validator

from yt8m.config import Config
from yt8m.yaml_files import read_yaml


def _text(pattern: str, expected: str, longest: int = 253) -> AfterValidator:
    """Make a validator of strings; an empty string means "not set" and is valid."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if value and (not compiled.fullmatch(value) or len(value) > longest):
            raise ValueError(f"expected {expected}")
        return value

    return AfterValidator(check)


# Notations of quantities that KFP accepts, a subset of those of Kubernetes.
Cpu = Annotated[str, _text(r"([0-9]*\.)?[0-9]+m?", "a string with CPUs, such as '4', '0.5' or '500m'")]
Bytes = Annotated[str, _text(r"[0-9]+([EPTGMK]i?)?", "a number of bytes such as 16Gi or 16G")]
ObjectName = Annotated[
    str,
    _text(
        r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "the name of a Kubernetes object: lower-case letters, digits, hyphens, dots"
    ),
]
LabelKey = Annotated[
    str,
    _text(r"([a-z0-9.-]+/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", "the key of a label, such as cloud.google.com/gke-spot"),
]
LabelValue = Annotated[
    str,
    _text(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", "the value of a label: at most 63 letters, digits, '-', '_', '.'", 63),
]
Variable = Annotated[str, _text(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")]
MountPath = Annotated[str, _text(r"/.+", "an absolute path")]


class GpuConfig(Config):
    """GPUs of a step.

    Attributes:
        count: Number of GPUs.
        resource: Name of the Kubernetes resource that represents the GPUs.
        type: Required value of the nodes' label `type_label`. Empty allows any type.
        type_label: Label of the nodes with the type of their GPUs. The default is set by NVIDIA's GPU operator; on GKE
            it is `cloud.google.com/gke-accelerator`.
    """

    count: PositiveInt = 1
    resource: LabelKey = "nvidia.com/gpu"
    type: LabelValue = ""
    type_label: LabelKey = "nvidia.com/gpu.product"


class TolerationConfig(Config):
    """A toleration as in Kubernetes: a step may run on nodes with a matching taint.

    Attributes:
        key: Key of the taint. Empty matches every key.
        operator: `Equal` compares the value as well, `Exists` only the key.
        value: Value of the taint.
        effect: Effect of the taint. Null matches every effect.
        seconds: Seconds that a running step stays on a node after it gets the taint. Null means no limit.
    """

    key: LabelKey = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    seconds: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _is_valid_in_kubernetes(self) -> Self:
        if not self.key and self.operator == "Equal":
            raise ValueError("a toleration without a key needs `operator: Exists`, since it matches every taint")
        if self.value and self.operator == "Exists":
            raise ValueError("a toleration with `operator: Exists` must not have a value")
        if self.seconds is not None and self.effect != "NoExecute":
            raise ValueError("seconds are only allowed with `effect: NoExecute`")
        return self


class RetryConfig(Config):
    """Retries of a step, with exponential backoff. Training continues from its checkpoint.

    With Argo's default policy in Kubeflow Pipelines, only deleted pods (evicted, or lost with a preempted node) are
    repeated. docs/kubeflow.md shows how to configure Argo's controller for failed ones.

    Attributes:
        count: Maximum number of retries.
        wait_seconds: Seconds before the first retry.
        factor: Factor by which each wait is longer than the one before. Argo accepts whole numbers only.
        give_up_hours: Hours from the first start after which no retry starts. KFP's default of one hour would allow
            none for a training that fails in its second hour.
    """

    count: PositiveInt
    wait_seconds: PositiveInt = 60
    factor: PositiveFloat = 2.0
    give_up_hours: PositiveFloat = 168.0


class StepConfig(Config):
    """Placement and resources of a class of steps.

    Attributes:
        image: Container image. `{image}` stands for the pipeline's image, so `{image}-gpu` is its GPU build.
        cpu: Reserved CPUs: `4`, `500m`. Empty means the cluster's default.
        memory: Reserved memory, which is also the limit: `16Gi`. Empty means the cluster's default.
        gpu: GPUs of each step. Null means none.
        shared_memory: Size of `/dev/shm`, which is part of `memory`. Empty means the container's default of 64 MB.
        node_selector: Labels that a node must have.
        tolerations: Taints that a node may have.
        timeout_hours: Hours after which an attempt is stopped. Null means no limit.
        retries: Retries of a failed step. Null means that the run fails at once.
    """

    image: str = "{image}"
    cpu: Cpu = ""
    memory: Bytes = ""
    gpu: GpuConfig | None = None
    shared_memory: Bytes = ""
    node_selector: Mapping[LabelKey, LabelValue] = {}
    tolerations: tuple[TolerationConfig, ...] = ()
    timeout_hours: PositiveFloat | None = None
    retries: RetryConfig | None = None

    @model_validator(mode="after")
    def _amounts_fit(self) -> Self:
        if self.shared_memory and self.memory and _bytes(self.shared_memory) >= _bytes(self.memory):
            raise ValueError(
                f"shared_memory ({self.shared_memory}) is part of memory ({self.memory}), so it must be less"
            )
        if self.gpu and self.gpu.type and self.node_selector.get(self.gpu.type_label, self.gpu.type) != self.gpu.type:
            raise ValueError(f"node_selector asks for another {self.gpu.type_label} than gpu.type. Remove one of them")
        return self


class SecretConfig(Config):
    """A Kubernetes secret that the steps can read. Its values are not part of the pipeline.

    Attributes:
        name: Name of the secret.
        environment: Environment variable for each key of the secret.
        mount_path: Folder in the container with one file for each key. Empty means no folder.
        optional: Whether steps start if the secret does not exist.
    """

    name: ObjectName
    environment: Mapping[str, Variable] = {}
    mount_path: MountPath = ""
    optional: bool = False

    @model_validator(mode="after")
    def _is_used(self) -> Self:
        if not self.environment and not self.mount_path:
            raise ValueError("give environment (key of the secret: variable), mount_path, or both")
        return self


class ShardCacheConfig(Config):
    """Cache of shards for the steps that read them.

    Attributes:
        claim: PersistentVolumeClaim of a cache that the steps share. Empty means a separate folder on the node's disk
            for each step.
        mount_path: Folder of the cache in the container.
        size: Maximum size of the cache. The oldest copies are removed first.
    """

    claim: ObjectName = ""
    mount_path: MountPath = "/cache"
    size: Bytes = "100G"


class ClusterConfig(Config):
    """Settings of a cluster. Without them, steps run on CPUs with the cluster's default resources.

    Attributes:
        service_account: Service account of the runs. Empty means the installation's default, which has no rights to
            your object store. KFP sets it per run, not in the pipeline.
        user: User and group id of all steps, not 0. Null means the image's user, 65532. Requires Kubeflow Pipelines
            2.17.
        image_pull_secrets: Names of the secrets for pulling the image.
        environment: Environment variables of all steps, for addresses. Credentials belong in `secrets`.
        secrets: Credentials of all steps.
        shard_cache: Cache of shards for `data`, `training` and `inference`. Null means the container's own disk.
        data: Steps that generate, check or rewrite shards.
        training: Steps that train models.
        inference: Steps that run models over many videos.
        assembly: All other steps. `pipelines/stages.py` assigns each stage to one of these classes.
    """

    service_account: ObjectName = ""
    user: PositiveInt | None = None
    image_pull_secrets: tuple[ObjectName, ...] = ()
    environment: Mapping[Variable, str] = {}
    secrets: tuple[SecretConfig, ...] = ()
    shard_cache: ShardCacheConfig | None = None
    data: StepConfig = StepConfig()
    training: StepConfig = StepConfig()
    inference: StepConfig = StepConfig()
    assembly: StepConfig = StepConfig()

    @model_validator(mode="after")
    def _variables_have_one_source(self) -> Self:
        given = [*self.environment, *(name for secret in self.secrets for name in secret.environment.values())]
        twice = sorted({name for name in given if given.count(name) > 1})
        if twice:
            raise ValueError(f"environment variables are given twice: {', '.join(twice)}")
        return self


def load_cluster(path: Path) -> ClusterConfig:
    """Read a YAML file that replaces the recipe's section `cluster`.

    Raises:
        ConfigError: The file cannot be read, or is invalid; lists all problems with their places.
    """
    data = read_yaml(path, "a cluster's file")
    return ClusterConfig.parse({} if data is None else data, str(path))


def _bytes(amount: str) -> int:
    return TypeAdapter(ByteSize).validate_python(f"{amount}B")
