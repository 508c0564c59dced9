"""The schema of the cluster's configuration: classes of steps, volumes, and references to credentials."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import PositiveInt, model_validator

from pipelines.recipe.notations import Bytes, MountPath, ObjectName, Variable
from pipelines.recipe.steps import OverrideConfig, StepConfig
from pipelines.stages import STAGES
from yt8m.config import Config
from yt8m.errors import ConfigError, suggest
from yt8m.yaml_files import read_yaml


class SecretConfig(Config):
    """A Kubernetes secret that the steps can read. Its values are not part of the pipeline.

    Attributes:
        name: Name of the secret in the namespace of the runs.
        environment: Name of an environment variable for each key of the secret: `{key: VARIABLE}`.
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
            2.17. Namespaces that enforce the pod security standard `restricted` require it.
        image_pull_secrets: Names of the secrets for pulling the image.
        image_pull_policy: When nodes pull the image: `Always`, `IfNotPresent` or `Never`. Null means Kubernetes'
            default: always for the tag `latest`, otherwise if the node does not have it.
        environment: Environment variables of all steps, for addresses. Credentials belong in `secrets`.
        secrets: Credentials of all steps.
        shard_cache: Cache of shards for `data`, `training` and `inference`. Null means the container's own disk.
        data: Steps that generate, check or rewrite shards.
        training: Steps that train models.
        inference: Steps that run models over many videos.
        assembly: All other steps. `pipelines/stages.py` assigns each stage to one of these classes.
        overrides: What differs for some stages and models, such as more memory for a wide DBoF. Where several apply,
            the last one counts.
    """

    absent_keys: ClassVar[Mapping[str, str]] = {
        **{
            name: f"It belongs to a class of steps, such as `training: {{{name}: ...}}`, or to one of `overrides`."
            for name in StepConfig.model_fields
        },
        **StepConfig.absent_keys,
    }

    service_account: ObjectName = ""
    user: PositiveInt | None = None
    image_pull_secrets: tuple[ObjectName, ...] = ()
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    environment: Mapping[Variable, str] = {}
    secrets: tuple[SecretConfig, ...] = ()
    shard_cache: ShardCacheConfig | None = None
    data: StepConfig = StepConfig()
    training: StepConfig = StepConfig()
    inference: StepConfig = StepConfig()
    assembly: StepConfig = StepConfig()
    overrides: tuple[OverrideConfig, ...] = ()

    @model_validator(mode="after")
    def _variables_have_one_source(self) -> Self:
        given = [*self.environment, *(name for secret in self.secrets for name in secret.environment.values())]
        twice = sorted({name for name in given if given.count(name) > 1})
        if twice:
            raise ValueError(f"environment variables are given twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _overrides_fit(self) -> Self:
        named = {model for each in self.overrides for model in each.models}
        for stage in STAGES if self.overrides else ():
            for model in ("", *sorted(named)):
                try:
                    self.step(stage, model)
                except ConfigError as error:
                    steps = f"stage {stage}, model {model}" if model else f"stage {stage}"
                    problem = str(error).removeprefix("StepConfig: ")
                    raise ValueError(f"overrides do not fit for {steps}: {problem}") from None
        return self

    def step(self, stage: str, model: str) -> StepConfig:
        """Return placement and resources of the steps of a stage for a model.

        Args:
            stage: Name of the stage.
            model: Name of the model. Empty for steps that belong to none or several.
        """
        step: StepConfig = getattr(self, STAGES[stage].resources)
        for each in self.overrides:
            if each.applies_to(stage, model):
                step = StepConfig(**{name: getattr(step, name) for name in StepConfig.model_fields} | each.changes())
        return step

    def check_models(self, models: Collection[str], source: str) -> None:
        """Check that the overrides name models of a recipe.

        Raises:
            ConfigError: A name is unknown. Patterns need not match.
        """
        for number, each in enumerate(self.overrides):
            for name in each.unknown_models(models):
                raise ConfigError(
                    f"{source}: overrides[{number}].models: the recipe trains no model '{name}'. "
                    f"{suggest(name, models)} For a file that serves several recipes, write a pattern: '{name}*'."
                )


def load_cluster(path: Path) -> ClusterConfig:
    """Read a YAML file that replaces the recipe's section `cluster`.

    Raises:
        ConfigError: The file cannot be read, or is invalid; lists all problems with their places.
    """
    data = read_yaml(path, "a cluster's file")
    return ClusterConfig.parse({} if data is None else data, str(path))
