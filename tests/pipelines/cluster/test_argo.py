"""Steps in recorded Workflows of a real Argo, and in a few that were not recorded."""

import base64
import gzip
import json
from collections import Counter
from typing import Any

import pytest

from pipelines.cluster.argo import Workflow
from pipelines.kubeflow.spec import SpecGraph
from tests.pipelines.cluster.recordings import MOMENTS, read
from tests.support.paths import RECORDINGS

needs_recordings = pytest.mark.skipif(
    not RECORDINGS.exists(), reason=f"no recordings of Kubeflow Pipelines in {RECORDINGS}"
)

# States of the steps at every recorded moment, counted in the recordings by the executors' displayName and phase.
STATES: dict[str, dict[str, int]] = {
    "hello": {"done": 2},
    "smoke-running": {"done": 1, "running": 1, "waiting": 34},
    "smoke-compressed": {"done": 10, "running": 1, "waiting": 25},
    "smoke": {"done": 36},
    "smoke-cached": {"unchanged": 36},
    "paper-start": {"waiting": 126},
    "paper-failed": {"failed": 1, "waiting": 125},
    "paper-stuck": {"done": 1, "waiting": 125},
    "paper-offloaded": {},
    "retries-running": {"running": 1, "failed": 2},
    "retries": {"done": 1, "failed": 2},
    "terminated": {"failed": 1},
    "real": {"done": 37},
    "video-level": {"done": 25},
}


def workflow_at(moment: str) -> Workflow:
    recorded = read(f"{MOMENTS[moment][1]}.json")
    return Workflow(json.loads(recorded["pipeline_runtime"]["workflow_manifest"]) if "run" in recorded else recorded)


def names_at(moment: str) -> list[str]:
    spec = read(f"{MOMENTS[moment][0]}.json")["pipeline_spec"]
    return list(SpecGraph(spec.get("pipeline_spec", spec)).nodes)


@needs_recordings
@pytest.mark.parametrize("moment", MOMENTS)
def test_every_step_of_a_recorded_workflow_has_its_state(moment: str) -> None:
    steps = workflow_at(moment).steps(names_at(moment))
    assert Counter(step.state for step in steps.values()) == STATES[moment]


@needs_recordings
@pytest.mark.parametrize(
    ("pods", "moment"),
    [("end-smoke", "smoke"), ("smoke-compressed", "smoke-compressed"), ("running-smoke", "smoke-running")],
)
def test_pods_have_the_names_that_argo_gave_them(pods: str, moment: str) -> None:
    expected: dict[str, set[str]] = {}
    for pod in read(f"pods-{pods}.json")["items"]:
        step = pod["metadata"]["labels"].get("app.kubernetes.io/component")
        if step is None:  # a driver
            part = pod["metadata"]["annotations"]["workflows.argoproj.io/node-name"].rpartition(".")[2]
            step = part.removesuffix("(0)")
        expected.setdefault(step, set()).add(pod["metadata"]["name"])
    found: dict[str, set[str]] = {}
    for name, step in workflow_at(moment).steps(names_at(moment)).items():
        found |= {name: {pod.name for pod in step.pods}, f"{name}-driver": {pod.name for pod in step.drivers}}
    # Groups and the whole run have drivers, too, which belong to no step.
    others = {name for name in expected if name.endswith("-driver") and name.removesuffix("-driver") not in found}
    assert {name: names for name, names in found.items() if names} == {
        name: names for name, names in expected.items() if name not in others
    }


@needs_recordings
def test_a_deleted_pod_is_followed_by_a_second_attempt() -> None:
    pods = workflow_at("retries").steps(["sleeps"])["sleeps"].pods
    assert [(pod.attempt, pod.phase, pod.message) for pod in pods] == [
        (0, "Error", "pod deleted"),
        (1, "Succeeded", ""),
    ]
    existing = {pod["metadata"]["name"] for pod in read("pods-retries.json")["items"]}
    assert [pod.name in existing for pod in pods] == [False, True]


@needs_recordings
def test_failures_have_argo_s_reason() -> None:
    steps = workflow_at("retries").steps(["fails", "eats", "sleeps"])
    assert {name: step.reason for name, step in steps.items()} == {
        "fails": "main: Error (exit code 1)",
        "eats": "main: OOMKilled (exit code 1)",
        "sleeps": "",
    }


@needs_recordings
def test_pods_of_repeated_groups_are_counted_in_the_order_of_their_start() -> None:
    terminated = workflow_at("terminated")
    step = terminated.steps(["fails"])["fails"]
    assert len(step.pods) == 7
    assert [pod.started for pod in step.pods] == sorted(pod.started for pod in step.pods)
    assert step.reason.startswith("main: Error (exit code 1); retry exceeded workflow deadline")
    assert terminated.terminated
    assert not workflow_at("retries").terminated


@needs_recordings
def test_size_and_last_change_are_those_of_the_stored_object() -> None:
    stuck = workflow_at("paper-stuck")
    assert (stuck.size, round(stuck.size / 2**20, 2)) == (1_032_045, 0.98)
    assert stuck.changed == 1795723073.0  # 2026-11-26 19:57:53, in managedFields
    # The size that was measured beside the recording.
    measured = (RECORDINGS / "product" / "sizes-smoke.log").read_text().splitlines()[-1]
    assert f"total {Workflow(read('workflow-end-smoke.json')).size} 61.0%" in measured


@needs_recordings
def test_states_in_a_database_are_not_known() -> None:
    assert not workflow_at("paper-offloaded").nodes_known
    assert workflow_at("smoke").nodes_known


def workflow_of(
    *nodes: tuple[str, str, str, str], compressed: bool = False, repeated: int = 0, **changes: Any
) -> Workflow:
    """Return a Workflow of nodes, each with name, type, phase and message; the last ones in a repeated root."""
    first = len(nodes) - repeated
    by_id = {
        f"wf-{number}": {
            "name": f"wf(0).root({int(number >= first)}).{name}",
            "type": kind,
            "phase": phase,
            "message": message,
        }
        for number, (name, kind, phase, message) in enumerate(nodes)
    }
    packed = {"compressedNodes": base64.b64encode(gzip.compress(json.dumps(by_id).encode())).decode()}
    status = {"phase": "Running", **(packed if compressed else {"nodes": by_id}), **changes.pop("status", {})}
    return Workflow({"metadata": {"name": "wf"}, "status": status, **changes})


def step_of(*nodes: tuple[str, str, str, str], **changes: Any) -> tuple[str, str]:
    step = workflow_of(*nodes, **changes).steps(["train"])["train"]
    return step.state, step.reason


def started(phase: str) -> list[tuple[str, str, str, str]]:
    """Return the nodes around a step's pod, in the phase of a step that has not ended or has."""
    return [
        ("train-driver", "Retry", "Succeeded", ""),
        ("train-driver(0)", "Pod", "Succeeded", ""),
        ("train", "Retry", phase, ""),
        ("train(0)", "DAG", phase, ""),
        ("train(0).executor", "Retry", phase, ""),
    ]


POD = "train(0).executor(0)"
ENDED = {"status": {"phase": "Failed"}}
ON_REQUEST = {"spec": {"activeDeadlineSeconds": 0}, **ENDED}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("phase", "message", "expected"),
    [
        ("Pending", "Unschedulable: 0/3 nodes are available", ("waiting", "Unschedulable: 0/3 nodes are available")),
        ("Pending", "ImagePullBackOff: Back-off\n pulling", ("waiting", "ImagePullBackOff: Back-off pulling")),
        ("Pending", "", ("waiting", "")),
        ("Running", "", ("running", "")),
        ("Succeeded", "", ("done", "")),
        ("Failed", "main: Error (exit code 1)", ("waiting", "main: Error (exit code 1)")),
    ],
)
def test_a_step_that_argo_has_not_ended(phase: str, message: str, expected: tuple[str, str], *, compressed) -> None:
    assert step_of(*started("Running"), (POD, "Pod", phase, message), compressed=compressed) == expected


@pytest.mark.parametrize(
    ("phase", "message", "changes", "expected"),
    [
        ("Failed", "Pod was active on the node longer than the specified deadline", ENDED, "failed"),
        ("Failed", "main: Error (exit code 143)", ENDED, "failed"),
        ("Failed", "main: Error (exit code 143)", ON_REQUEST, "stopped"),
        ("Failed", "Step exceeded its deadline", ON_REQUEST, "stopped"),
        (
            "Failed",
            "workflow shutdown with strategy: Terminate",
            {"spec": {"shutdown": "Terminate"}, **ENDED},
            "stopped",
        ),
        ("Failed", "main: OOMKilled (exit code 137)", ON_REQUEST, "failed"),
        ("Running", "", ENDED, "stopped"),
        ("Pending", "", ON_REQUEST, "stopped"),
    ],
)
def test_a_step_whose_run_has_ended(phase: str, message: str, changes: dict[str, Any], expected: str) -> None:
    assert step_of(*started("Failed"), (POD, "Pod", phase, message), **changes) == (expected, message)


def test_a_failed_driver_is_the_reason_of_its_step_or_an_error_of_the_run() -> None:
    failed = ("train-driver", "Retry", "Failed", ""), ("train-driver(0)", "Pod", "Failed", "cannot read root")
    omitted = ("train", "Skipped", "Omitted", "omitted: depends condition not met")
    assert step_of(*failed, omitted, **ENDED) == ("failed", "driver: cannot read root")
    assert step_of(omitted, **ENDED) == ("waiting", "")
    again = ("train-driver", "Retry", "Running", ""), failed[1]
    assert step_of(*again) == ("waiting", "driver: cannot read root")
    group = workflow_of(("dbof-driver", "Retry", "Failed", ""), ("dbof-driver(0)", "Pod", "Failed", "no account"))
    assert group.other_errors(["train"]) == ["dbof-driver: no account"]
    assert workflow_of(*failed).other_errors(["train"]) == []


def test_a_step_whose_pod_could_not_be_created_has_the_reason_of_its_node() -> None:
    nodes = [*started("Error")[:4], ("train(0).executor", "Retry", "Error", "exceeded quota: pods")]
    assert step_of(*nodes, **ENDED) == ("failed", "exceeded quota: pods")


def test_the_state_is_that_of_the_newest_repetition_of_the_group() -> None:
    old = [*started("Failed"), (POD, "Pod", "Error", "pod deleted")]
    new = [*started("Running"), (POD, "Pod", "Running", "")]
    workflow = workflow_of(*old, *new, repeated=len(new))
    step = workflow.steps(["train"])["train"]
    assert step.state == "running"
    assert [pod.phase for pod in step.pods] == ["Error", "Running"]


def test_an_installation_without_retries_has_pods_without_numbers() -> None:
    workflow = Workflow(
        {
            "metadata": {"name": "wf"},
            "status": {
                "phase": "Running",
                "nodes": {
                    "wf-1": {"name": "wf.root.train", "type": "DAG", "phase": "Running"},
                    "wf-2": {
                        "name": "wf.root.train.executor",
                        "type": "Pod",
                        "phase": "Running",
                        "templateName": "system-container-impl",
                    },
                },
            },
        }
    )
    step = workflow.steps(["train"])["train"]
    assert step.state == "running"
    assert [(pod.name, pod.attempt) for pod in step.pods] == [("wf-system-container-impl-2", 0)]
