"""Compilation of a recipe to its Kubeflow pipeline, as `compile`, `run`, `submit`, `plan` and `rerun` need it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.compiler import Compiler, KubernetesManifestOptions

from pipelines.graph.described import complete_spec
from pipelines.graph.fingerprints import ReadData, find_fingerprints
from pipelines.graph.keys import find_work
from pipelines.graph.named_files import look_at_named_files, model_folders, test_patterns
from pipelines.graph.planner import make_plan
from pipelines.kubeflow.component import Form
from pipelines.kubeflow.image import ImageName
from pipelines.kubeflow.pipeline import PipelineBuilder
from pipelines.kubeflow.share import share
from pipelines.kubeflow.spec import Spec
from pipelines.recipe.cluster import ClusterConfig, load_cluster
from pipelines.recipe.load import check_recipe
from yt8m.storage import open_atomic
from yt8m.yaml_files import dump_line

_HASH_DIGITS = 10
# Leaves room for the recipe's name and the hash in the 253 characters of a resource's name.
_MAX_TAG_LENGTH = 63


class Compilation:
    """A checked recipe with its plan and the work of every node.

    Args:
        raw: The recipe as written, with settings applied; see `pipelines.recipe.load.read_recipe`.
        source: Origin of the recipe, for error messages.
        read_data: Whether to look at the shards. `if possible` goes without if their store does not answer.

    Attributes:
        raw: The recipe, completed by the descriptions beside the shards.
        unread: Why the shards have no fingerprints, so that every run looks at them. Empty if they have.
        unread_files: Other files that could not be looked at, and test shards, by key of the recipe. The step `prepare`
            looks at them.

    Raises:
        ConfigError: All problems of the recipe, or a missing file that the recipe reads.
    """

    def __init__(self, raw: Mapping[str, Any], source: str, *, read_data: ReadData) -> None:
        self.raw, self.source = complete_spec(raw, source, read_data), source
        self.recipe = check_recipe(self.raw, source)
        self.plan = make_plan(self.recipe)
        fingerprints, self.unread = find_fingerprints(self.recipe.data, source, read_data)
        named = look_at_named_files(self.recipe, self.plan, source, read_data)
        # The first records of test shards are looked at in the step, because that takes TensorFlow.
        self.unread_files = {**named.unread, **test_patterns(self.recipe)}
        self.work = find_work(self.plan, {**fingerprints, **named.digests})

    def save_recipe(self, path: Path) -> None:
        """Write the recipe with all settings applied, as a file that `yt8m run` can read."""
        with open_atomic(path, "w") as file:
            json.dump(self.raw, file, indent=1)

    def resources(self, cluster_file: Path | None) -> ClusterConfig | None:
        """Return the resources of the steps in a cluster: from the file if given, otherwise from the recipe.

        Raises:
            ConfigError: The file is missing or invalid, or names models that the recipe does not have.
        """
        cluster = load_cluster(cluster_file) if cluster_file else self.recipe.cluster
        if cluster:
            models = {node.model for node in self.plan.nodes.values()} - {""}
            cluster.check_models(models, str(cluster_file) if cluster_file else f"{self.source}: cluster")
        return cluster

    def build(self, image: str = "none", cluster: ClusterConfig | None = None, *, form: Form = "cluster") -> "Compiled":
        """Compile the recipe's pipeline; see `PipelineBuilder`."""
        for_prepare = {**self.unread_files, **model_folders(self.recipe, self.plan)}
        builder = PipelineBuilder(self.plan, self.work, image, cluster, form, for_prepare)
        pipeline = builder.build(dump_line(self.raw))
        if form == "cluster":
            spec, platforms = share(*_specs(pipeline))
            pipeline.component_spec.implementation.graph = json_format.ParseDict(spec, type(pipeline.pipeline_spec)())
            pipeline.component_spec.platform_spec = json_format.ParseDict(platforms, type(pipeline.platform_spec)())
        return Compiled(pipeline, image, _specs(pipeline))


@dataclass(frozen=True)
class Compiled:
    """A compiled pipeline.

    Attributes:
        pipeline: The KFP pipeline.
        image: Container image of the steps.
        specs: Its `PipelineSpec` and its Kubernetes `PlatformSpec` as plain data.
    """

    pipeline: Any
    image: str
    specs: tuple[Spec, Spec]

    def write(self, path: Path) -> None:
        """Write the pipeline as a YAML file."""
        Compiler().compile(self.pipeline, str(path))

    def write_manifest(self, path: Path, namespace: str) -> None:
        """Write the Kubernetes resources Pipeline and PipelineVersion, for installations that keep pipelines there.

        Kubeflow does not allow changing a version, so different content gets a version with a different name.
        """
        version = version_name(self.pipeline.name, self.image, self.specs)
        options = KubernetesManifestOptions(
            pipeline_name=self.pipeline.name,
            pipeline_version_name=version,
            pipeline_version_display_name=version,
            namespace=namespace,
            include_pipeline_manifest=True,
        )
        Compiler().compile(
            self.pipeline, str(path), kubernetes_manifest_format=True, kubernetes_manifest_options=options
        )


def _specs(pipeline: Any) -> tuple[Spec, Spec]:
    return json_format.MessageToDict(pipeline.pipeline_spec), json_format.MessageToDict(pipeline.platform_spec)


def version_name(name: str, image: str, specs: tuple[Spec, Spec]) -> str:
    """Join the pipeline's name, the tag or digest of the image, and a hash of the compiled pipeline."""
    digest = hashlib.sha256(json.dumps(specs, sort_keys=True).encode()).hexdigest()[:_HASH_DIGITS]
    tag = ImageName.parse(image).version.lower()[:_MAX_TAG_LENGTH]
    words = [name, *re.findall("[a-z0-9.]+", tag), digest]
    return "-".join(word.strip(".") for word in words)
