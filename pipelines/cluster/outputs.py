"""What a pod of a run wrote into the object store, as its node in Argo's Workflow tells."""

import json
from collections.abc import Mapping
from typing import Any

# Output that KFP's launcher adds to each step: what the step printed. `-N` is appended for attempt N, from 0.
EXECUTOR_LOGS = "executor-logs"
# Artifact of an Argo node: everything that the pod printed, the launcher's lines included.
_MAIN_LOGS = "main-logs"


def output_uris(node: Mapping[str, Any]) -> dict[str, str]:
    """Return the URIs of a step's output artifacts by name, which KFP's driver chose before the pod started.

    Args:
        node: Argo's node of the pod. A pod that failed did not write all of them.
    """
    parameters = {each["name"]: each.get("value") for each in node.get("inputs", {}).get("parameters", ())}
    patch = json.loads(parameters.get("pod-spec-patch") or "{}")
    for container in patch.get("containers", ()):
        command = container.get("command", [])
        if "--executor_input" in command:
            outputs = json.loads(command[command.index("--executor_input") + 1]).get("outputs", {})
            return {
                name: str(found["artifacts"][0]["uri"])
                for name, found in outputs.get("artifacts", {}).items()
                if found.get("artifacts")
            }
    return {}


def archived_log_uri(node: Mapping[str, Any], repository: Mapping[str, Any]) -> str:
    """Return the URI of a pod's log in Argo's archive, or an empty string if Argo did not archive it.

    Args:
        node: Argo's node of the pod.
        repository: Argo's artifact repository, which names the bucket.
    """
    for artifact in node.get("outputs", {}).get("artifacts", ()):
        # Kubeflow's own store speaks S3's protocol.
        for kind, scheme in (("s3", "minio"), ("gcs", "gs")):
            if artifact["name"] == _MAIN_LOGS and kind in artifact:
                bucket = artifact[kind].get("bucket") or repository.get(kind, {}).get("bucket", "")
                return f"{scheme}://{bucket}/{artifact[kind]['key']}"
    return ""
