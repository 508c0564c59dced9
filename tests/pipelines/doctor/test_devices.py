"""What `yt8m doctor` says about GPUs. No GPU is needed: nvidia-smi and TensorFlow's answers are made up."""

import os
import stat
import sys
from pathlib import Path

import pytest

from pipelines.doctor import devices
from pipelines.doctor.devices import Driver, TensorFlow, ask_driver, ask_tensorflow, check_gpu, check_tensorflow
from pipelines.doctor.finding import without_prefix
from tests.support.python import run_python

L4 = "NVIDIA L4, 550.54.15, 23034, 1034"
SHOWN = Driver(exists=True, gpus=(("NVIDIA L4", "550.54.15", "23034", "1034"),))
GPU_BUILD = TensorFlow(version="2.21.0", cuda="12.5.1")


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put an nvidia-smi on the path that runs a script."""

    def install(script: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return install


def test_a_machine_without_nvidia_smi_trains_on_the_cpu(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_driver() == Driver()
    finding = check_gpu(TensorFlow(version="2.21.0"), ask_driver())
    assert finding.is_ok
    assert finding.text == "none found (there is no program nvidia-smi); training uses the CPU"


def test_the_driver_s_gpus_are_read_from_nvidia_smi(nvidia_smi):
    nvidia_smi(f'case "$*" in *csv,noheader,nounits*) echo "{L4}"; echo "{L4}";; esac')
    assert ask_driver() == Driver(exists=True, gpus=SHOWN.gpus * 2)


def test_a_driver_that_is_not_loaded_is_a_problem_with_its_message(nvidia_smi):
    nvidia_smi("echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9")
    finding = check_gpu(GPU_BUILD, ask_driver())
    assert not finding.is_ok
    assert "could not communicate with the NVIDIA driver" in finding.text
    assert "driver" in finding.remedy


def test_a_driver_that_does_not_answer_is_a_problem(nvidia_smi, monkeypatch):
    monkeypatch.setattr(devices, "_SMI_SECONDS", 0.1)
    nvidia_smi("exec sleep 20")
    assert "no answer within 0.1 s" in check_gpu(GPU_BUILD, ask_driver()).text


def test_a_gpu_that_tensorflow_uses_is_named_with_its_free_memory():
    finding = check_gpu(TensorFlow("2.21.0", "12.5.1", ("NVIDIA L4",)), SHOWN)
    assert finding.is_ok
    assert finding.text == "TensorFlow uses 1 GPU: NVIDIA L4 (22000 of 23034 MiB free)"


def test_a_gpu_that_is_listed_but_does_not_compute_is_a_problem():
    finding = check_gpu(TensorFlow("2.21.0", "12.5.1", ("NVIDIA L4",), "CUDNN_STATUS_NOT_INITIALIZED"), SHOWN)
    assert not finding.is_ok
    assert "does not compute: CUDNN_STATUS_NOT_INITIALIZED" in finding.text


CUINIT = "failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)"
DLOPEN = "Cannot dlopen some GPU libraries. Please make sure the missing libraries are installed"


@pytest.mark.parametrize(
    ("found", "driver", "visible", "expected"),
    [
        (TensorFlow("2.21.0"), SHOWN, None, ("it is the build for CPUs", "Run `make env GPU=1`.")),
        (TensorFlow(error="no module"), SHOWN, None, ("it cannot be imported", "Run `make env GPU=1`.")),
        (GPU_BUILD, SHOWN, "-1", ("CUDA_VISIBLE_DEVICES=-1 hides it", "Unset CUDA_VISIBLE_DEVICES")),
        (GPU_BUILD, SHOWN, "", ("CUDA_VISIBLE_DEVICES= hides it", "Unset CUDA_VISIBLE_DEVICES")),
        (
            GPU_BUILD,
            Driver(exists=True, gpus=(("Tesla T4", "470.82.01", "15360", "0"),)),
            None,
            ("the driver 470.82.01 is too old for CUDA 12.5.1", "Install NVIDIA's driver 525.60.13 or newer"),
        ),
        (TensorFlow("2.21.0", "12.5.1", log=("oneDNN is on", DLOPEN)), SHOWN, "0", (DLOPEN, "Run `make env GPU=1`")),
        (TensorFlow("2.21.0", "12.5.1", log=(CUINIT,)), SHOWN, None, (CUINIT, "Restart the machine")),
        (GPU_BUILD, SHOWN, None, ("it does not say why", "list_physical_devices")),
    ],
)
def test_an_unused_gpu_is_a_problem_with_its_reason(found, driver, visible, expected, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    finding = check_gpu(found, driver)
    reason, remedy = expected
    assert not finding.is_ok
    assert finding.text == f"nvidia-smi shows {driver.gpus[0][0]}, but TensorFlow does not use it: {reason}"
    assert remedy in finding.remedy


def test_log_lines_lose_time_and_source():
    line = "E0000 00:00:1795795557.032995   19732 cuda_driver.cc:266] failed call to cuInit"
    older = "2026-11-27 16:00:00.12: E external/local_xla/xla/cuda_driver.cc:266] failed call to cuInit"
    assert without_prefix(line) == without_prefix(older) == "failed call to cuInit"
    assert without_prefix("Traceback: no such file") == "Traceback: no such file"


def test_a_tensorflow_that_ends_its_process_is_a_problem(monkeypatch):
    monkeypatch.setattr(devices, "_PROBE", "import os; os.abort()")
    found = ask_tensorflow()
    assert not found.version
    assert "ended by signal 6" in check_tensorflow(found).text
    assert "make env" in check_tensorflow(found).remedy


@pytest.mark.slow
def test_the_installed_tensorflow_says_what_it_is(nvidia_smi):
    nvidia_smi(f'echo "{L4}"')
    found = ask_tensorflow()
    assert check_tensorflow(found).is_ok
    if not found.cuda:
        assert "build for CPUs" in check_gpu(found, ask_driver()).text


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these GPUs")
def test_the_fork_server_does_not_open_gpus_before_it_forks():
    """CUDA does not survive a fork: the modules that steps share must not make TensorFlow look for devices."""
    code = """
from pipelines.local.fork_server import IMPORTED
for name in IMPORTED:
    __import__(name)
from tensorflow.python.eager import context
print(context.context()._physical_devices is None, context.context()._initialized)
import tensorflow
tensorflow.config.list_physical_devices()
print(context.context()._physical_devices is None)
"""
    assert run_python(code).splitlines()[-2:] == ["True False", "False"]
