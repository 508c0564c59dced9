"""Where and how the steps run in a Kubernetes cluster: resources, nodes, volumes, credentials by reference."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ByteSize, NonNegativeInt, PositiveFloat, PositiveInt, TypeAdapter, model_validator

from pipelines.recipe.yaml_file import read_yaml
from yt8m.config import Config


def _text(pattern: str, expected: str, longest: int = 253) -> AfterValidator:
    """Make the check of a text; empty ones pass, for they mean that there is none."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if value and (not compiled.fullmatch(value) or len(value) > longest):
            raise ValueError(f"expected {expected}")
        return value

    return AfterValidator(check)


# The notations of amounts that KFP takes, a subset of Kubernetes'.
Cpu = Annotated[str, _text(r"([0-9]*\.)?[0-9]+m?", "CPUs such as 4, 0.5 or 500m, as a text")]
Bytes = Annotated[str, _text(r"[0-9]+([EPTGMK]i?)?", "an amount of bytes such as 16Gi or 16G")]
ObjectName = Annotated[
    str, _text(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "the name of an object: lower case, digits, hyphens, dots")
]
LabelKey = Annotated[
    str, _text(r"([a-z0-9.-]+/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", "a label's key such as cloud.google.com/gke-spot")
]
LabelValue = Annotated[
    str, _text(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", "a label's value: at most 63 letters, digits, '-', '_', '.'", 63)
]
Variable = Annotated[str, _text(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")]
MountPath = Annotated[str, _text(r"/.+", "an absolute path")]


class GpuConfig(Config):
    """The accelerators of a step.

    Attributes:
        count: How many.
        resource: The resource under which the nodes offer them.
        type: Which; the nodes say theirs in the label `type_label`. Empty: any.
        type_label: NVIDIA's operator sets this one; GKE sets `cloud.google.com/gke-accelerator`.
    """

    count: PositiveInt = 1
    resource: LabelKey = "nvidia.com/gpu"
    type: LabelValue = ""
    type_label: LabelKey = "nvidia.com/gpu.product"


class TolerationConfig(Config):
    """A taint of nodes on which a step may run all the same; fields as in Kubernetes.

    Attributes:
        key: Of the taint; empty: every one.
        operator: Whether the value must be equal, or the taint only exist.
        value: Of the taint.
        effect: Of the taint; null: every one.
        seconds: How long the step stays on a node that gets the taint; null: for ever.
    """

    key: LabelKey = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    seconds: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _is_one_that_kubernetes_takes(self) -> Self:
        if not self.key and self.operator == "Equal":
            raise ValueError("a toleration without a key tolerates every taint: that needs `operator: Exists`")
        if self.value and self.operator == "Exists":
            raise ValueError("a toleration with `operator: Exists` has no value")
        if self.seconds is not None and self.effect != "NoExecute":
            raise ValueError("seconds are for tolerations with `effect: NoExecute`")
        return self


class RetryConfig(Config):
    """How often a failed step is started again; training continues at its checkpoint.

    Pods that are deleted (evicted, or gone with a preempted node) did not fail, as Argo sees it. KFP cannot ask for
    their repetition; the setting of Argo's controller in docs/kubeflow.md does.

    Attributes:
        count: Further tries.
        wait_seconds: Before the first of them.
        factor: Each further wait is longer by this factor.
        give_up_hours: No try begins later than this after the first began. KFP's own default of an hour would
            leave a training that fails in its second hour without any.
    """

    count: PositiveInt
    wait_seconds: PositiveInt = 60
    factor: PositiveFloat = 2.0
    give_up_hours: PositiveFloat = 168.0


class StepConfig(Config):
    """Where the steps of a class run and what they get.

    Attributes:
        image: The container image; `{image}` is the pipeline's, so that `{image}-gpu` is its GPU build.
        cpu: CPUs that are reserved: `4`, `500m`; empty: the cluster's default.
        memory: Memory that is reserved, and the most the step may use: `16Gi`; empty: the cluster's default.
        gpu: Accelerators; null: none.
        shared_memory: Size of `/dev/shm`, part of `memory`; empty: 64 MB, the container's default.
        node_selector: Labels that the nodes must have.
        tolerations: Taints that the nodes may have.
        timeout_hours: A try that takes longer is stopped; null: none is.
        retries: What happens to a step that failed; null: the run fails.
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
            raise ValueError(f"shared_memory ({self.shared_memory}) is part of memory ({self.memory}): give less of it")
        if self.gpu and self.gpu.type and self.node_selector.get(self.gpu.type_label, self.gpu.type) != self.gpu.type:
            raise ValueError(f"node_selector asks for another {self.gpu.type_label} than gpu.type")
        return self


class SecretConfig(Config):
    """A secret of the cluster that steps are given; its values stand nowhere but there.

    Attributes:
        name: The secret.
        environment: Its keys, and the environment variables that get their values.
        mount_path: A folder in which every key is a file; empty: none.
        optional: Whether steps start where there is no such secret.
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
    """Where steps that read shards keep local copies of them.

    Attributes:
        claim: A PersistentVolumeClaim that steps share; empty: each step has a folder on its node's disk.
        mount_path: Where the steps see it.
        size: The most that copies take; the oldest ones make room.
    """

    claim: ObjectName = ""
    mount_path: MountPath = "/cache"
    size: Bytes = "100G"


class ClusterConfig(Config):
    """A cluster, as far as the pipeline must know it. Without one, steps run on CPUs with the cluster's defaults.

    Attributes:
        service_account: Account under which runs are started, empty: the installation's own, which has no rights to
            your store; KFP takes it with the run, not with the pipeline.
        user: Number of the user and group that all steps run as, which must not be root's; null: the image's, 65532.
            Kubeflow Pipelines before 2.17 does not know this setting.
        image_pull_secrets: Secrets with which the image is pulled.
        environment: Environment variables of all steps: addresses, never credentials.
        secrets: Credentials of all steps.
        shard_cache: Local copies of shards for `data`, `training` and `inference`; null: the container's own disk.
        data: The steps that make and check videos and what lies beside them: generate, prepare, join_soft_targets.
        training: The steps that train: train, average.
        inference: The steps that run models over many videos: evaluate, soft_targets.
        assembly: All others: select_teachers, quantize, search_weights, export, collect_records, report.
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
    """Read a file that stands for the recipe's section `cluster`.

    Args:
        path: The YAML file.

    Returns:
        The configuration.

    Raises:
        ConfigError: The file cannot be read, or all its problems at once, with places.
    """
    data = read_yaml(path, "a cluster's file")
    return ClusterConfig.parse({} if data is None else data, str(path))


def _bytes(amount: str) -> int:
    return TypeAdapter(ByteSize).validate_python(f"{amount}B")
