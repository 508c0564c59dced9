"""The schema of what steps get in a cluster: resources, nodes, retries, and what differs for some stages and models."""

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    field_validator,
    model_validator,
)

from pipelines.recipe.notations import Bytes, Cpu, LabelKey, LabelValue
from pipelines.stages import STAGES
from yt8m.config import Config
from yt8m.errors import suggest


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


class NodeConditionConfig(Config):
    """A condition on a label of nodes, as in Kubernetes.

    Attributes:
        key: Key of the label.
        operator: `In` and `NotIn` compare with the values, `Gt` and `Lt` with one whole number. `Exists` and
            `DoesNotExist` have no values.
        values: Values of the label.
    """

    key: Annotated[LabelKey, Field(min_length=1)]
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = "In"
    values: tuple[LabelValue, ...] = ()

    @model_validator(mode="after")
    def _is_valid_in_kubernetes(self) -> Self:
        if self.operator in ("In", "NotIn") and not self.values:
            raise ValueError(f"`operator: {self.operator}` needs at least one value")
        if self.operator in ("Exists", "DoesNotExist") and self.values:
            raise ValueError(f"`operator: {self.operator}` must not have values")
        if self.operator in ("Gt", "Lt") and not (len(self.values) == 1 and self.values[0].isdigit()):
            raise ValueError(f"`operator: {self.operator}` needs one value, a whole number in quotes")
        return self


class AffinityConfig(Config):
    """Nodes on which a step has to run, or should.

    Attributes:
        nodes: Conditions that a node has to meet, all of them.
        weight: Importance among the preferred kinds of nodes, from 1 to 100. Null means that the step runs on no other
            nodes than these, or than those of another entry without weight.
    """

    nodes: tuple[NodeConditionConfig, ...]
    weight: Annotated[int, Field(ge=1, le=100)] | None = None

    @field_validator("nodes")
    @classmethod
    def _has_conditions(cls, nodes: tuple[NodeConditionConfig, ...]) -> tuple[NodeConditionConfig, ...]:
        if not nodes:
            raise ValueError("give at least one condition")
        return nodes


def _whole(value: Any) -> Any:
    """Return a number without fraction as an integer."""
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(
            "expected a whole number such as 2. Argo takes no other: a step's first failure would end the run with "
            f"\"value '{value}' cannot be resolved to an int\""
        )
    return int(value) if isinstance(value, float) else value


class RetryConfig(Config):
    """Retries of a step, with exponential backoff. Training continues from its checkpoint.

    A stock installation repeats only pods that were deleted. Pods that a node ends itself (eviction, shutdown of a Spot
    machine) count as failed. The component `manifests/components/retries` makes it repeat steps that failed or ran out
    of memory as well. Attempts multiply without the component: after the last error of a step, all that surrounds it
    (its DAG, its group, the run) is tried three times each, and the step up to 27 times as often as `count` allows, in
    a group 81 times.

    Attributes:
        count: Maximum number of retries.
        wait_seconds: Seconds before the first retry.
        factor: Factor by which each wait is longer than the one before, a whole number.
        give_up_hours: Hours from the first start after which no retry starts. KFP's default of one hour would allow
            none for a training that fails in its second hour.
    """

    count: PositiveInt
    wait_seconds: PositiveInt = 60
    factor: Annotated[PositiveInt, BeforeValidator(_whole)] = 2
    give_up_hours: PositiveFloat = 168.0


# Label of every step's pod, by which the network policy selects pods.
PART_OF = ("app.kubernetes.io/part-of", "yt8m")


class StepConfig(Config):
    """Placement and resources of a class of steps.

    Kubeflow Pipelines 2.17 can set neither priority classes nor affinity to other pods.

    Attributes:
        image: Container image. `{image}` stands for the pipeline's image, so `{image}-gpu` is its GPU build.
        cpu: Reserved CPUs: `4`, `500m`. Empty means the cluster's default.
        memory: Reserved memory, which is also the limit: `16Gi`. Empty means the cluster's default.
        gpu: GPUs of each step. Null means none.
        shared_memory: Size of `/dev/shm`, which is part of `memory`. Empty means the container's default of 64 MB.
        node_selector: Labels that a node must have.
        tolerations: Taints that a node may have.
        affinity: Nodes on which the steps have to run, or should.
        labels: Labels of the pods, for instance of a queue or a cost center.
        annotations: Annotations of the pods.
        timeout_hours: Hours after which an attempt is stopped. Null means no limit.
        retries: Retries of a failed step. Null means the installation's default: two, on a stock one for deleted pods
            only.
    """

    absent_keys: ClassVar[Mapping[str, str]] = {
        "priority_class": "Kubeflow Pipelines cannot give steps a priority class. An installation can give one to the "
        "pods of all pipelines: `podPriorityClassName` in manifests/components/retries/workflow-defaults.yaml.",
        "pod_affinity": "Kubeflow Pipelines cannot place steps by other pods. `affinity` is about labels of nodes.",
    }

    image: str = "{image}"
    cpu: Cpu = ""
    memory: Bytes = ""
    gpu: GpuConfig | None = None
    shared_memory: Bytes = ""
    node_selector: Mapping[LabelKey, LabelValue] = {}
    tolerations: tuple[TolerationConfig, ...] = ()
    affinity: tuple[AffinityConfig, ...] = ()
    labels: Mapping[LabelKey, LabelValue] = {}
    annotations: Mapping[LabelKey, str] = {}
    timeout_hours: PositiveFloat | None = None
    retries: RetryConfig | None = None

    @field_validator("labels")
    @classmethod
    def _keeps_our_label(cls, labels: Mapping[str, str]) -> Mapping[str, str]:
        if PART_OF[0] in labels:
            raise ValueError(f"{PART_OF[0]} is set by the compiler, since the network policy selects pods by it")
        return labels

    @model_validator(mode="after")
    def _amounts_fit(self) -> Self:
        if self.shared_memory and self.memory and _bytes(self.shared_memory) >= self.memory_bytes:
            raise ValueError(
                f"shared_memory ({self.shared_memory}) is part of memory ({self.memory}), so it must be less"
            )
        if self.gpu and self.gpu.type and self.node_selector.get(self.gpu.type_label, self.gpu.type) != self.gpu.type:
            raise ValueError(f"node_selector asks for another {self.gpu.type_label} than gpu.type. Remove one of them")
        return self

    @property
    def memory_bytes(self) -> int:
        """The step's memory in bytes; 0 if it is the cluster's default."""
        return _bytes(self.memory) if self.memory else 0


class OverrideConfig(StepConfig):
    """What differs for some stages and models from the class of their steps.

    Each entry that is given replaces that of the class: `gpu: {count: 2}` also resets the type to its default.

    Attributes:
        stages: Names of stages, such as `export`. Empty means all.
        models: Names of models, or patterns such as `dbof*`, which need not match. Empty means all steps, also those
            that belong to no model.
    """

    stages: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @field_validator("stages")
    @classmethod
    def _stages_exist(cls, stages: tuple[str, ...]) -> tuple[str, ...]:
        for name in stages:
            if name not in STAGES:
                raise ValueError(f"no stage '{name}'. {suggest(name, STAGES)}")
        return stages

    @model_validator(mode="after")
    def _changes_some(self) -> Self:
        if not self.stages and not self.models:
            raise ValueError("give stages, models, or both")
        if not self.changes():
            raise ValueError("give what differs, for instance memory")
        return self

    def changes(self) -> dict[str, Any]:
        """Return the entries that replace those of the class."""
        return {name: getattr(self, name) for name in StepConfig.model_fields if name in self.model_fields_set}

    def applies_to(self, stage: str, model: str) -> bool:
        """Return whether the steps of a stage for a model are meant."""
        named = any(fnmatchcase(model, pattern) for pattern in self.models) and bool(model)
        return (not self.stages or stage in self.stages) and (not self.models or named)

    def unknown_models(self, known: Collection[str]) -> Iterator[str]:
        """Iterate over the names, not patterns, that are no known models."""
        yield from (name for name in self.models if name not in known and not set(name) & set("*?["))


def _bytes(amount: str) -> int:
    return TypeAdapter(ByteSize).validate_python(f"{amount}B")
