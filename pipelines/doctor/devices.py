"""TensorFlow and the GPUs that it and NVIDIA's driver see."""

import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any

from pipelines.doctor.finding import Finding, Output, run_program, without_prefix
from yt8m.words import count

# Largest seconds that TensorFlow, which loads CUDA's libraries, and nvidia-smi may take.
_TENSORFLOW_SECONDS, _SMI_SECONDS = 180, 30
_SMI = "nvidia-smi"
_QUERY = ("--query-gpu=name,driver_version,memory.total,memory.used", "--format=csv,noheader,nounits")
# Prints what TensorFlow finds. A product on each GPU shows whether its libraries work, not only whether it is listed.
_PROBE = """
import json, tensorflow as tf
cuda = tf.sysconfig.get_build_info().get("cuda_version", "")
found = {"version": tf.__version__, "cuda": cuda, "gpus": [], "error": ""}
for gpu in tf.config.list_physical_devices("GPU"):
    found["gpus"].append(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
try:
    for number in range(len(found["gpus"])):
        with tf.device(f"GPU:{number}"):
            float(tf.reduce_sum(tf.matmul(tf.ones((64, 64)), tf.ones((64, 64)))))
except Exception as error:
    found["error"] = str(error).splitlines()[0]
print("\\n" + json.dumps(found))
"""
# Oldest driver for each version of CUDA: https://docs.nvidia.com/deploy/cuda-compatibility/
_OLDEST_DRIVER = {"12": "525.60.13", "13": "580.65.06"}
# Parts of the messages in which TensorFlow says why it uses no GPU.
_REASONS = (
    "cuInit",
    "Cannot dlopen",
    "Could not load dynamic library",
    "CUDA_ERROR",
    "no CUDA-capable",
    "driver version",
)
_SHOW = "`TF_CPP_MIN_LOG_LEVEL=0 python -c \"import tensorflow as tf; tf.config.list_physical_devices('GPU')\"`"


@dataclass(frozen=True)
class TensorFlow:
    """What TensorFlow says about itself in a process of its own.

    Attributes:
        version: Version; empty if it cannot be imported.
        cuda: Version of CUDA it was built for; empty for a build without CUDA.
        gpus: Names of the GPUs it sees.
        error: Why it cannot be imported, or why a GPU does not compute.
        log: Log lines of its C++ code.
    """

    version: str = ""
    cuda: str = ""
    gpus: tuple[str, ...] = ()
    error: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Driver:
    """What nvidia-smi says.

    Attributes:
        exists: Whether there is such a program.
        gpus: Name, driver version, memory and used memory in MiB of each GPU.
        error: Why it lists no GPUs, though it exists.
    """

    exists: bool = False
    gpus: tuple[tuple[str, ...], ...] = field(default=())
    error: str = ""


def ask_tensorflow() -> TensorFlow:
    """Ask TensorFlow in a process of its own, because a failure of CUDA can end the process."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    output = run_program([sys.executable, "-c", _PROBE], _TENSORFLOW_SECONDS, environment)
    if output.status != 0:
        return TensorFlow(error=_ending(output))
    found: dict[str, Any] = json.loads(output.printed.splitlines()[-1])
    log = tuple(without_prefix(line) for line in output.errors.splitlines())
    return TensorFlow(found["version"], found["cuda"], tuple(found["gpus"]), found["error"], log)


def ask_driver() -> Driver:
    """Ask NVIDIA's driver for its GPUs."""
    output = run_program([_SMI, *_QUERY], _SMI_SECONDS)
    if output.status is None and "No such file" in output.errors:
        return Driver()
    rows = tuple(tuple(cell.strip() for cell in line.split(",")) for line in output.printed.splitlines())
    gpus = tuple(row for row in rows if len(row) == 4)
    if output.status == 0 and gpus:
        return Driver(exists=True, gpus=gpus)
    return Driver(exists=True, error=_ending(output))


def check_tensorflow(found: TensorFlow) -> Finding:
    """Check that TensorFlow can be imported."""
    if not found.version:
        return Finding("TensorFlow", f"cannot be imported: {found.error}", "Run `make env`, and use .venv/bin/yt8m.")
    build = f"the build for GPUs (CUDA {found.cuda})" if found.cuda else "the build for CPUs"
    return Finding("TensorFlow", f"{found.version}, {build}")


def check_gpu(found: TensorFlow, driver: Driver) -> Finding:
    """Check that steps use the GPUs of this machine, if it has any, and say why not if they do not."""
    names = ", ".join(found.gpus)
    if found.gpus and found.error:
        return Finding(
            "GPU",
            f"TensorFlow sees {names}, which does not compute: {found.error}",
            f"Close other programs that use the GPU (`{_SMI}` lists them), or update NVIDIA's driver.",
        )
    if found.gpus:
        free = "; ".join(f"{int(row[2]) - int(row[3])} of {row[2]} MiB free" for row in driver.gpus if _has_memory(row))
        return Finding(
            "GPU", f"TensorFlow uses {count(len(found.gpus), 'GPU')}: {names}" + (f" ({free})" if free else "")
        )
    if not driver.exists:
        return Finding("GPU", f"none found (there is no program {_SMI}); training uses the CPU")
    if driver.error:
        return Finding(
            "GPU",
            f"{_SMI} lists none: {driver.error}",
            f"If this machine has an NVIDIA GPU, install or update its driver and restart, until `{_SMI}` lists it.",
        )
    seen = ", ".join(row[0] for row in driver.gpus)
    reason, remedy = _why_unused(found, driver)
    return Finding("GPU", f"{_SMI} shows {seen}, but TensorFlow does not use it: {reason}", remedy)


def _why_unused(found: TensorFlow, driver: Driver) -> tuple[str, str]:
    """Return why TensorFlow uses none of the GPUs that the driver lists, and the remedy."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    version = driver.gpus[0][1]
    oldest = _OLDEST_DRIVER.get(found.cuda.partition(".")[0], "")
    said = next((line for line in found.log if any(reason in line for reason in _REASONS)), "")
    if not found.cuda:
        why, remedy = "it is the build for CPUs" if found.version else "it cannot be imported", "Run `make env GPU=1`."
    elif visible is not None and not visible.strip().isdigit():
        why, remedy = f"CUDA_VISIBLE_DEVICES={visible} hides it", "Unset CUDA_VISIBLE_DEVICES, or set it to 0."
    elif oldest and _numbers(version) < _numbers(oldest):
        why = f"the driver {version} is too old for CUDA {found.cuda}"
        remedy = f"Install NVIDIA's driver {oldest} or newer, and restart."
    elif "dlopen" in said or "dynamic library" in said:
        why = said
        remedy = "Run `make env GPU=1`, which installs CUDA's libraries, and unset LD_LIBRARY_PATH if it is set."
    elif said:
        why, remedy = said, f"Restart the machine, or update NVIDIA's driver. {_SHOW} shows all messages."
    else:
        why, remedy = "it does not say why", f"Look at all messages of {_SHOW}."
    return why.rstrip("."), remedy


def _ending(output: Output) -> str:
    if output.status is not None and output.status < 0:
        return f"ended by signal {-output.status} ({output.last_line})"
    return output.last_line


def _has_memory(row: tuple[str, ...]) -> bool:
    return row[2].isdigit() and row[3].isdigit()


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]
