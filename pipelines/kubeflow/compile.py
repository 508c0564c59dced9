"""From a recipe's plain data to its pipeline: what compiling, running, submitting and rerunning share."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from pipelines.graph.keys import find_versions
from pipelines.graph.planner import make_plan
from pipelines.kubeflow.manifest import write_manifest
from pipelines.kubeflow.pipeline import build_pipeline, compile_pipeline
from pipelines.kubeflow.spec import Spec
from pipelines.recipe.cluster import ClusterConfig, load_cluster
from pipelines.recipe.load import check_recipe
from yt8m.storage import open_atomic


class Compilation:
    """A checked recipe with its plan and the versions of code and data.

    Args:
        raw: The recipe as it was written, settings applied; see `pipelines.recipe.load.read_recipe`.
        source: Where it came from, for errors.
        read_data: Whether the shards can be seen from here; otherwise changed shards are not noticed.

    Raises:
        ConfigError: All problems of the recipe, or a file that it reads is not there.
    """

    def __init__(self, raw: Mapping[str, Any], source: str, *, read_data: bool) -> None:
        self.raw = raw
        self.recipe = check_recipe(raw, source)
        self.plan = make_plan(self.recipe)
        self.versions = find_versions(self.recipe, self.plan, source, read_data=read_data)

    def write(self, path: Path, image: str, cluster: ClusterConfig | None = None) -> None:
        """Write the pipeline's file; see `compile_pipeline`."""
        compile_pipeline(self.plan, self.versions, image, path, cluster, recipe=json.dumps(self.raw))

    def write_manifest(self, path: Path, image: str, cluster: ClusterConfig | None, namespace: str) -> None:
        """Write the pipeline as resources of Kubernetes; see `pipelines.kubeflow.manifest`."""
        pipeline = build_pipeline(self.plan, self.versions, image, cluster, recipe=json.dumps(self.raw))
        write_manifest(pipeline, image, path, namespace)

    def save_recipe(self, path: Path) -> None:
        """Write the recipe as it is with all settings, which `yt8m run` can read again."""
        with open_atomic(path, "w") as file:
            json.dump(self.raw, file, indent=1)

    def resources(self, cluster_file: Path | None) -> ClusterConfig | None:
        """What the steps need in a cluster: as the file says, if one is given, or else the recipe.

        Raises:
            ConfigError: There is no such file, or something else in it.
        """
        return load_cluster(cluster_file) if cluster_file else self.recipe.cluster

    def spec(self) -> Spec:
        """The pipeline as plain data, for comparisons of what its steps are given; its image is none."""
        return self.specs("none")[0]

    def specs(self, image: str, cluster: ClusterConfig | None = None) -> tuple[Spec, Spec]:
        """The pipeline, and what Kubernetes is to give its steps, as plain data."""
        pipeline = build_pipeline(self.plan, self.versions, image, cluster, recipe=json.dumps(self.raw))
        return json_format.MessageToDict(pipeline.pipeline_spec), json_format.MessageToDict(pipeline.platform_spec)
