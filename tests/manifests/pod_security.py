"""The pod security standard `restricted`, which includes `baseline`.

Reference:
    - https://kubernetes.io/docs/concepts/security/pod-security-standards
"""

from collections.abc import Iterator
from typing import Any

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SECCOMP = ("RuntimeDefault", "Localhost")


def violations(pod: dict[str, Any]) -> Iterator[str]:
    """Iterate over what the standard forbids in the specification of a pod."""
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))
    for volume in pod.get("volumes", []):
        yield from (f"volume {volume['name']}: {kind}" for kind in volume.keys() - {"name"} - _VOLUMES)
    shared = pod.get("securityContext", {})
    yield from (f"pod: {key}" for key in ("sysctls", "seLinuxOptions", "appArmorProfile") if shared.get(key))
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        own = container.get("securityContext", {})
        problems = {
            "privileged": own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is not False,
            "drop": "ALL" not in own.get("capabilities", {}).get("drop", []),
            "add": set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"},
            "runAsNonRoot": not own.get("runAsNonRoot", shared.get("runAsNonRoot")),
            "runAsUser": own.get("runAsUser", shared.get("runAsUser")) == 0,
            "seccompProfile": own.get("seccompProfile", shared.get("seccompProfile", {})).get("type") not in _SECCOMP,
            "procMount": own.get("procMount", "Default") != "Default",
            "hostPort": [each for each in container.get("ports", []) if each.get("hostPort")],
        }
        yield from (f"container {container['name']}: {name}" for name, problem in problems.items() if problem)
