"""A pipeline as resources of Kubernetes, for installations that keep pipelines there."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.compiler import Compiler, KubernetesManifestOptions

_HASH_DIGITS = 10
# Of a tag; the rest of a resource's 253 letters is for the recipe's name and the hash.
_LONGEST_TAG = 63


def write_manifest(pipeline: Any, image: str, path: Path, namespace: str) -> None:
    """Write the resources Pipeline and PipelineVersion.

    KFP lets nobody change a version, so that every other content is a version of another name.

    Args:
        pipeline: The KFP pipeline; the Pipeline has its name.
        image: The container image of its steps.
        path: The YAML file.
        namespace: Of the resources.
    """
    version = version_name(pipeline, image)
    options = KubernetesManifestOptions(
        pipeline_name=pipeline.name,
        pipeline_version_name=version,
        pipeline_version_display_name=version,
        namespace=namespace,
        include_pipeline_manifest=True,
    )
    Compiler().compile(pipeline, str(path), kubernetes_manifest_format=True, kubernetes_manifest_options=options)


def version_name(pipeline: Any, image: str) -> str:
    """The pipeline's name, the image's tag and a hash of what is compiled.

    Args:
        pipeline: The KFP pipeline.
        image: The container image of its steps.
    """
    content = [json_format.MessageToDict(part) for part in (pipeline.pipeline_spec, pipeline.platform_spec)]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_HASH_DIGITS]
    tag = image.rpartition("/")[2].partition(":")[2].lower()[:_LONGEST_TAG]
    words = [pipeline.name, *re.findall("[a-z0-9.]+", tag), digest]
    return "-".join(word.strip(".") for word in words)
