"""The Argo workflow of a pipeline, as KFP's server makes it and as it is when all steps have ended, for its size.

Every step has six Argo nodes. The output of its driver, a patch of the pod with command, inputs and outputs, stands in
all of them, and the driver's inputs in two. Identifiers are made of hashes, so that they are as hard to compress as
real ones. KFP 2.17 and Argo 4.0 made the workflows that this one imitates.

Reference:
    - `backend/src/v2/compiler/argocompiler` and `backend/src/v2/driver` in kubeflow/pipelines.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from pipelines.kubeflow.spec import Spec

# What an installation decides. The store is KFP's own, whose settings are longer than those of a cloud's bucket.
PIPELINE_ROOT = "minio://mlpipeline/v2/artifacts"
RUN_ROOT = "s3://mlpipeline/private-artifacts/yt8m/yt8m"
_STORE_SESSION = {
    "Provider": "minio",
    "Params": {
        "accessKeyKey": "accesskey",
        "disableSSL": "true",
        "endpoint": "seaweedfs.kubeflow:9000",
        "fromEnv": "false",
        "maxRetries": "5",
        "region": "minio",
        "secretKeyKey": "secretkey",
        "secretName": "mlpipeline-minio-artifact",
    },
}
_LAUNCHER_OPTIONS = (
    *("--pod_name", "$(KFP_POD_NAME)", "--pod_uid", "$(KFP_POD_UID)"),
    *("--ml_pipeline_server_address", "ml-pipeline.kubeflow.svc.cluster.local", "--ml_pipeline_server_port", "8887"),
    *("--mlmd_server_address", "metadata-grpc-service.kubeflow.svc.cluster.local", "--mlmd_server_port", "8080"),
    *("--publish_logs", "true", "--publish_logs", "true", "--"),
)
_HOST = "gke-yt8m-gpu-1a2b3c4d-x5zq"
# Metadata that steps give to their models; it stands in the patches of the steps that read them.
_MODEL_METADATA = {"bytes": 104857600, "family": "netvlad", "gap": 0.812345, "parameters": 26214400}
# Templates of the drivers, metadata of the object, and its status without the states of the steps.
_FIXED_BYTES = 6700
# Templates of the executors with a certain number of labels and with or without retries.
_EXECUTOR_TEMPLATES_BYTES = 4000
# What calls a task and its driver in the template of a DAG, besides JSON and what grows with the length of names.
_STEP_BYTES, _STEP_NAMES = 795, 7
_GROUP_BYTES, _GROUP_NAMES = 620, 9
_RETRIES = {
    "retry-max-count": "maxRetryCount",
    "retry-backoff-duration": "backoffDuration",
    "retry-backoff-factor": "backoffFactor",
    "retry-backoff-max-duration": "backoffMaxDuration",
}
_LOGS = {"executor-logs": {"artifactType": {"schemaTitle": "system.Artifact"}}}

# Values of parameters by name.
_Values = Mapping[str, str]
# The artifacts that a DAG is given, by input: step, output and type of each.
_Given = Mapping[str, tuple[str, str, str]]


class Workflow:
    """The Argo workflow of a pipeline.

    Args:
        spec: A `PipelineSpec` as plain data.
        platform: A `PlatformSpec` as plain data.

    Attributes:
        nodes: States of all Argo nodes at the end of a run, by identifier.
    """

    def __init__(self, spec: Spec, platform: Spec) -> None:
        self._spec = spec
        deployment = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {})
        self._kubernetes: Spec = deployment.get("executors", {})
        self._pipeline = spec["pipelineInfo"]["name"]
        self._name = f"{self._pipeline}-x7k2p"
        self._folder = f"{PIPELINE_ROOT}/{self._pipeline}/{_uuid(self._name)}"
        # Parameters of the workflow, and what the templates contain.
        self._arguments: dict[str, str] = {}
        self._templates: dict[str, int] = {}
        self.nodes: dict[str, Spec] = {}

        definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        values = {name: each.get("defaultValue", RUN_ROOT) for name, each in definitions.items()}
        config = to_json({"parameterValues": values})
        self._arguments["components-root"] = to_json(spec["root"])
        self._templates["entrypoint"] = len(to_json(config)) + 2 * _GROUP_BYTES
        self._add_nodes(self._name, "entrypoint", {})
        inputs = {"component": self._arguments["components-root"], "runtime-config": config}
        self._add_nodes(f"{self._name}(0).root-driver", "system-dag-driver", inputs, {"execution-id": "50"})
        self._add_dag("root", spec["root"], f"{self._name}(0).root", {})

    @property
    def spec_bytes(self) -> int:
        """Size of the workflow without the states of its steps."""
        arguments = [{"name": name, "value": value} for name, value in self._arguments.items()]
        return len(to_json(arguments).encode()) + sum(self._templates.values()) + _FIXED_BYTES

    def _add_dag(self, template: str, component: Spec, path: str, given: _Given) -> None:
        """Add a DAG, whose node has the name `path`, and all its tasks."""
        self._add_nodes(path, template, {"parent-dag-id": _number(path)})
        tasks: Spec = component["dag"]["tasks"]
        size = 220
        for name, task in sorted(tasks.items()):
            reference = task["componentRef"]["name"]
            called = self._spec["components"][reference]
            sources = _inputs(task, "artifacts").items()
            artifacts = {key: self._find_artifact(component, given, each) for key, each in sources}
            place = f"{path}(0).{name}"
            inputs = {"task": to_json(task), "task-name": name, "parent-dag-id": _number(path)}
            before = task.get("dependentTasks", ())
            size += len(to_json(inputs["task"])) + sum(len(f"{each}.Succeeded && ") for each in before)
            if "dag" in called:
                size += _GROUP_BYTES + _GROUP_NAMES * len(name)
                inputs["component"] = self._arguments[f"components-{reference}"] = to_json(called)
                self._add_nodes(
                    f"{place}-driver", "system-dag-driver", inputs, {"execution-id": _number(place)}, [place]
                )
                self._add_dag(reference, called, place, artifacts)
            else:
                followers = [other for other, each in tasks.items() if name in each.get("dependentTasks", ())]
                size += _STEP_BYTES + _STEP_NAMES * len(name) + len(reference)
                size += self._add_step(
                    task, place, inputs, artifacts, [f"{path}(0).{each}-driver" for each in followers]
                )
        self._templates[template] = size

    def _add_step(self, task: Spec, path: str, inputs: dict[str, str], given: _Given, followers: Sequence[str]) -> int:
        """Add a step: parameters of the workflow, the template that executes it, and the states of its six nodes.

        Returns:
            The size of its labels and retries in the template of its DAG.
        """
        reference = task["componentRef"]["name"]
        component = self._spec["components"][reference]
        label = component["executorLabel"]
        container = self._spec["deploymentSpec"]["executors"][label].get("container", {})
        kubernetes = self._kubernetes.get(label, {})
        digest = sha256(to_json(container).encode()).hexdigest()
        # KFP keeps one component for equal containers, the first.
        parts = {"component": ("components", digest, component), "container": ("implementations", digest, container)}
        if kubernetes:
            parts["kubernetes-config"] = ("kubernetes", reference, kubernetes)
        for key, (kind, name, part) in parts.items():
            inputs[key] = self._arguments.setdefault(f"{kind}-{name}", to_json(part))
        # Settings of the platform have other names and places in the patch, but about the same length.
        platform = {key: each for key, each in kubernetes.items() if key != "podMetadata"}
        patch = to_json(self._patch(inputs["task-name"], task, inputs["component"], container, given) | platform)
        kind, settings = _executor(task, kubernetes)
        self._templates[kind] = _EXECUTOR_TEMPLATES_BYTES
        driven = {"pod-spec-patch": patch, "cached-decision": "false"}
        self._add_nodes(f"{path}-driver", "system-container-driver", inputs, driven | {"condition": "nil"}, [path])
        executor = f"{path}(0).executor"
        self._add_nodes(path, f"{kind}-executor", driven | settings, after=[executor, *followers])
        self._add_nodes(executor, f"{kind}-impl", {"pod-spec-patch": patch} | settings, {})
        return len(to_json(settings)) + 20 * len(settings) + len(kind)

    def _add_nodes(
        self, path: str, template: str, inputs: _Values, outputs: _Values | None = None, after: Sequence[str] = ()
    ) -> None:
        """Add the states of a node and of the one around it, which repeats it after errors.

        Args:
            path: Argo's name of the node that repeats.
            template: Name of the template.
            inputs: Values of parameters.
            outputs: Values of results, if the node is a pod.
            after: Argo's names of the nodes that follow.
        """
        inner = f"{path}(0)"
        common: Spec = {
            "templateName": template,
            "templateScope": f"local/{self._name}",
            "phase": "Succeeded",
            "boundaryID": _identifier(path.rpartition(".")[0] or path),
            "startedAt": f"2026-11-26T{_number(path, 24)}:{_number(path, 60)}:{_number(path, 55)}Z",
            "finishedAt": f"2026-11-26T{_number(path, 24)}:{_number(path, 60)}:{_number(path, 59)}Z",
            "progress": "1/1",
            "resourcesDuration": {"cpu": int(_number(path)), "memory": int(_number(path, 9000))},
            "inputs": {"parameters": [{"name": name, "value": value} for name, value in inputs.items()]},
        }
        own: Spec = {"nodeFlag": {"retried": True}, "children": [_identifier(each) for each in after]}
        if outputs is not None:
            pod = f"{self._name}-{template}-{_identifier(inner).rpartition('-')[2]}"
            logs = {"key": f"private-artifacts/kubeflow/{self._name}/2026/11/26/{pod}/main.log"}
            common["outputs"] = {
                "parameters": [
                    {"name": name, "value": value, "valueFrom": {"path": f"/tmp/outputs/{name}", "default": ""}}
                    for name, value in outputs.items()
                ],
                "artifacts": [{"name": "main-logs", "s3": logs}],
                "exitCode": "0",
            }
            own |= {"hostNodeName": _HOST, "taskResultSynced": True}
        kind = "DAG" if outputs is None else "Pod"
        for name, node_type, rest in ((path, "Retry", {"children": [_identifier(inner)]}), (inner, kind, own)):
            node = {"id": _identifier(name), "name": name, "displayName": name.rpartition(".")[2], "type": node_type}
            self.nodes[node["id"]] = node | common | rest

    def _find_artifact(self, dag: Spec, given: _Given, source: Spec) -> tuple[str, str, str]:
        """Find the step, output and type of an artifact that a task in a DAG reads."""
        if "componentInputArtifact" in source:
            return given[source["componentInputArtifact"]]
        made = source["taskOutputArtifact"]
        task, output = made.get("producerTask", made.get("producerSubtask")), made["outputArtifactKey"]
        component = self._spec["components"][dag["dag"]["tasks"][task]["componentRef"]["name"]]
        if "dag" in component:
            inner = component["dag"]["outputs"]["artifacts"][output]["artifactSelectors"][0]
            return self._find_artifact(component, {}, {"taskOutputArtifact": inner})
        return task, output, component["outputDefinitions"]["artifacts"][output]["artifactType"]["schemaTitle"]

    def _patch(self, name: str, task: Spec, component: str, container: Spec, given: _Given) -> Spec:
        """Return the patch of a step's pod, with its command, inputs and outputs."""
        specification = json.loads(component)
        outputs = specification.get("outputDefinitions", {}).get("artifacts", {}) | _LOGS
        own = f"{self._folder}/{name}/{_uuid(name)}"
        artifacts = {
            key: {
                "name": _number(f"{step}.{output}"),
                "type": {"instanceSchema": ""},
                "uri": f"{self._folder}/{step}/{_uuid(step)}/{output}",
                "metadata": {"display_name": output, "store_session_info": to_json(_STORE_SESSION)}
                | (_MODEL_METADATA if schema == "system.Model" else {}),
            }
            for key, (step, output, schema) in given.items()
        }
        made = {
            key: {"name": key, "type": each["artifactType"], "uri": f"{own}/{key}"} for key, each in outputs.items()
        }
        parameters = _inputs(task, "parameters").items()
        values = {key: each.get("runtimeValue", {}).get("constant", RUN_ROOT) for key, each in parameters}
        executor_input = {
            "inputs": {
                "artifacts": {key: {"artifacts": [each]} for key, each in artifacts.items()},
                "parameterValues": values,
            },
            "outputs": {
                "artifacts": {key: {"artifacts": [each]} for key, each in made.items()},
                "outputFile": f"{own.replace('minio:/', '/minio')}/output_metadata.json",
            },
        }
        specification["outputDefinitions"] = {"artifacts": outputs}
        command = ["/kfp-launcher/launch", "--pipeline_name", self._pipeline, "--run_id", _uuid(self._name)]
        command += ["--execution_id", _number(name), "--executor_input", to_json(executor_input)]
        command += ["--component_spec", to_json(specification), *_LAUNCHER_OPTIONS]
        arguments = [*container.get("command", ()), *container.get("args", ())]
        rest = {key: container.get(key, {}) for key in ("image", "env", "resources")}
        return {"containers": [{"name": "main", "command": command, "args": arguments} | rest]}


def to_json(data: Any) -> str:
    """Return data as Go's compact JSON, in which the characters of HTML are escaped."""
    text = json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _inputs(task: Spec, kind: str) -> Spec:
    inputs: Spec = task.get("inputs", {}).get(kind, {})
    return inputs


def _executor(task: Spec, kubernetes: Spec) -> tuple[str, dict[str, str]]:
    """Return what a step's template is called after, and the values of its labels, annotations and retries."""
    name, settings = "system-container", {}
    if "retryPolicy" in task:
        name = f"retry-{name}"
        settings = {key: str(task["retryPolicy"].get(each, 0)) for key, each in _RETRIES.items()}
    if metadata := kubernetes.get("podMetadata"):
        kinds = {kind: metadata.get(f"{kind}s", {}) for kind in ("annotation", "label")}
        name = "-".join(["metadata", *(str(len(each)) for each in kinds.values()), name])
        for kind, entries in kinds.items():
            for number, (key, value) in enumerate(entries.items(), 1):
                settings |= {f"pod-metadata-{kind}-key-{number}": key, f"pod-metadata-{kind}-val-{number}": value}
    return name, settings


def _uuid(text: str) -> str:
    return str(UUID(bytes=sha256(text.encode()).digest()[:16]))


def _number(text: str, limit: int = 900) -> str:
    """Return a number that depends on a text, with as many digits as the identifiers of KFP's executions."""
    return str(int.from_bytes(sha256(f"{limit} {text}".encode()).digest()[:4]) % limit)


def _identifier(path: str) -> str:
    """Return Argo's identifier of a node: the workflow's name and a number of up to ten digits."""
    name = path.partition("(")[0]
    return path if path == name else f"{name}-{int.from_bytes(sha256(path.encode()).digest()[:4])}"
