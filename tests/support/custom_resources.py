"""Schemas of custom resources, with the fields that the manifests use. Any other field is an error.

Reference:
    - `kubeflow.org_profiles.yaml` in kubeflow/dashboard; `serving.kserve.io_inferenceservices.yaml` in kserve/kserve;
      `pipelines.kubeflow.org_pipelines.yaml` and `..._pipelineversions.yaml` in kubeflow/pipelines.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_ANYTHING: Schema = {}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}
_QUANTITY: Schema = {
    "anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^\d+(\.\d+)?(m|[KMGTPE]i?)?$"}],
}
_QUANTITIES: Schema = {"type": "object", "additionalProperties": _QUANTITY}
# Most names in Kubernetes are DNS names (RFC 1123).
_NAME: Schema = {
    "type": "string",
    "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "maxLength": 253,
}


def _fields(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _kind(version: str, kind: str, spec: Schema) -> Schema:
    metadata = _fields(("name",), name=_NAME, namespace=_NAME, labels=_TEXTS, annotations=_TEXTS)
    given = {"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec}
    return _fields(tuple(given), **given)


_OWNER = _fields(("kind", "name"), apiGroup=_TEXT, kind={"enum": ["User", "Group", "ServiceAccount"]}, name=_TEXT)
_SECCOMP = _fields(("type",), type={"enum": ["RuntimeDefault", "Localhost", "Unconfined"]})
_CONTAINER_SECURITY = _fields(
    allowPrivilegeEscalation={"type": "boolean"},
    capabilities=_fields(add={"type": "array", "items": _TEXT}, drop={"type": "array", "items": _TEXT}),
    runAsNonRoot={"type": "boolean"},
    seccompProfile=_SECCOMP,
)
_MODEL = _fields(
    ("modelFormat",),
    modelFormat=_fields(("name",), name=_TEXT, version=_TEXT),
    protocolVersion=_TEXT,
    resources=_fields(limits=_QUANTITIES, requests=_QUANTITIES),
    runtime=_TEXT,
    runtimeVersion=_TEXT,
    securityContext=_CONTAINER_SECURITY,
    storageUri=_TEXT,
)
_PREDICTOR = _fields(
    minReplicas={"type": "integer"},
    maxReplicas={"type": "integer"},
    model=_MODEL,
    priorityClassName=_TEXT,
    securityContext=_fields(runAsNonRoot={"type": "boolean"}, seccompProfile=_SECCOMP),
    serviceAccountName=_TEXT,
)

SCHEMAS: Mapping[str, Schema] = {
    "Profile": _kind("kubeflow.org/v1", "Profile", _fields(owner=_OWNER)),
    "InferenceService": _kind(
        "serving.kserve.io/v1beta1", "InferenceService", _fields(("predictor",), predictor=_PREDICTOR)
    ),
    "Pipeline": _kind("pipelines.kubeflow.org/v2beta1", "Pipeline", _fields(description=_TEXT, displayName=_TEXT)),
    "PipelineVersion": _kind(
        "pipelines.kubeflow.org/v2beta1",
        "PipelineVersion",
        _fields(
            ("pipelineName", "pipelineSpec"),
            codeSourceURL=_TEXT,
            description=_TEXT,
            displayName=_TEXT,
            pipelineName=_NAME,
            pipelineSpec=_ANYTHING,
            platformSpec=_ANYTHING,
        ),
    ),
}
"""Schemas by kind."""
