import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pipelines.doctor import packages
from pipelines.doctor.packages import CPU_LOCK, GPU_LOCK, LOCKS, check_packages, check_python, locked_packages
from yt8m.identity import PROJECT


def test_python_of_the_tests_is_fine():
    assert check_python().is_ok


def test_another_python_is_a_problem(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert "expected 3.11 to 3.13" in check_python().text
    assert "make env PYTHON=" in check_python().remedy


def lock(folder: Path, lines: str) -> Path:
    for name in (CPU_LOCK, GPU_LOCK):
        (folder / name).write_text(lines)
    return folder


def test_packages_as_locked_are_fine(tmp_path):
    version = metadata.version("numpy")
    text = f"numpy=={version} \\\n    --hash=sha256:00\n    # via\n    #   keras\n"
    text += "absent==1.0 ; sys_platform == 'nowhere' \\\n    --hash=sha256:00\n"
    finding = check_packages(lock(tmp_path, text))
    assert finding.is_ok
    assert "1 package exactly as in dev" in finding.text


def test_packages_that_differ_or_are_missing_are_named(tmp_path):
    finding = check_packages(lock(tmp_path, "numpy==0.1\nno-such-package==1.0\n"))
    assert f"numpy {metadata.version('numpy')} instead of 0.1; no-such-package is missing" in finding.text
    assert "make env" in finding.remedy


def test_only_the_first_differences_are_named(tmp_path):
    finding = check_packages(lock(tmp_path, "".join(f"no-such-package-{number}==1\n" for number in range(9))))
    assert finding.text.startswith("9 differences")
    assert finding.text.endswith("no-such-package-3 is missing; and 5 more")


def test_two_builds_of_tensorflow_are_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "_installed", lambda name: "2.0" if name.startswith("tensorflow") else "")
    finding = check_packages(lock(tmp_path, "tensorflow==2.0\n"))
    assert "tensorflow and tensorflow-cpu overwrite each other's files" in finding.text
    assert finding.remedy.startswith("Remove .venv")


@pytest.mark.parametrize(("installed", "name"), [("tensorflow-cpu", CPU_LOCK), ("tensorflow", GPU_LOCK)])
def test_the_lock_is_that_of_the_installed_build(installed, name, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(packages, "_installed", lambda package: "1.0" if package == installed else "")
    assert f"from {name}: " in check_packages(lock(tmp_path, "other==1.0\n")).text


def test_an_installation_without_locks_is_no_problem(tmp_path):
    assert check_packages(tmp_path / "nowhere").is_ok


def pins(name: str) -> set[tuple[str, str]]:
    """Return name and version of all packages in a lock, for all versions of Python."""
    lines = (LOCKS / name).read_text().splitlines()
    return {
        (package, rest.split()[0])
        for line in lines
        if line[:1].isalnum()
        for package, _, rest in [line.partition("==")]
    }


def test_all_locks_have_the_same_versions():
    """A model trained on a GPU is loaded on a laptop, and images have what was tested in the environments."""
    for other in (GPU_LOCK, "cpu.lock", "gpu.lock"):
        assert all(name.startswith("nvidia-") for name, _ in pins(other) - pins(CPU_LOCK)), other
    assert pins("gpu.lock") <= pins(GPU_LOCK), "the GPU image has other packages than `make env GPU=1`"


def test_the_gpu_lock_has_tensorflow_with_its_cuda_and_not_the_cpu_build():
    names = {name for name, _ in locked_packages(LOCKS / GPU_LOCK)}
    assert {"tensorflow", "nvidia-cudnn-cu12", "kfp", "pytest"} <= names
    assert "tensorflow-cpu" not in names


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Print what make would do for an environment in a folder."""
    command = ["make", "-n", "-C", str(PROJECT), f"VENV={folder}", "PYTHON=python3", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "GPU"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_an_environment_for_a_gpu_is_made_from_its_lock_and_stays_one(tmp_path):
    assert "--require-hashes -r requirements/dev.lock" in make(tmp_path, "env").stdout
    gpu = make(tmp_path, "env", "GPU=1").stdout
    assert "--require-hashes -r requirements/dev-gpu.lock" in gpu
    assert f"venv --clear {tmp_path}" in gpu, "the builds of TensorFlow overwrite each other's files"
    (tmp_path / ".complete-gpu").touch()
    assert "dev.lock" not in make(tmp_path, "test").stdout
    back = make(tmp_path, "env", "GPU=0").stdout
    assert f"venv --clear {tmp_path}" in back
    assert "-r requirements/dev.lock" in back


def test_an_unknown_kind_of_environment_is_refused(tmp_path):
    done = make(tmp_path, "env", "GPU=yes")
    assert done.returncode == 2
    assert "GPU=yes: give GPU=1 or GPU=0" in done.stderr
