import docker
import pytest

from pipelines.doctor.machine import check_docker, check_folder, check_keras, check_memory, check_processor


@pytest.fixture
def cgroup(tmp_path):
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text("3000000000\n")
    return tmp_path


def test_cores_are_counted_with_the_limit_of_a_container(cgroup, tmp_path):
    assert check_processor(tmp_path / "none").text.split()[1].startswith("core")
    assert check_processor(cgroup).text.endswith("of which the container may use 1.5")


def test_memory_is_the_smaller_one_of_the_machine_and_the_container(cgroup):
    finding = check_memory(cgroup)
    assert finding.is_ok
    assert finding.text == "3.0 GB (the limit of the container)"


def test_too_little_memory_is_a_problem(cgroup):
    finding = check_memory(cgroup, least_bytes=4_000_000_000)
    assert finding.text == "3.0 GB (the limit of the container); runs need at least 4.0 GB"
    assert "more memory" in finding.remedy


def test_a_container_without_limit_has_the_machine_s_memory(tmp_path):
    (tmp_path / "memory.max").write_text("max\n")
    assert "container" not in check_memory(tmp_path, least_bytes=1).text


def test_a_folder_with_room_is_fine(tmp_path):
    assert all(finding.is_ok for finding in check_folder(tmp_path, least_bytes=1))
    assert list(tmp_path.iterdir()) == []


def test_too_little_disk_is_a_problem(tmp_path):
    written, disk = check_folder(tmp_path, least_bytes=10**18)
    assert written.is_ok
    assert f"free in {tmp_path}; a run should have " in disk.text
    assert "yt8m prune" in disk.remedy


def test_a_folder_that_takes_no_files_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.doctor.machine.why_unwritable", lambda folder: f"{folder} takes no new files")
    written, _ = check_folder(tmp_path, least_bytes=1)
    assert "takes no new files" in written.text
    assert written.remedy


def test_a_machine_without_docker_engine_is_fit(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    finding = check_docker()
    assert finding.is_ok
    assert f"no engine answers at unix://{tmp_path}/none.sock" in finding.text


def test_a_docker_engine_is_named_with_its_version(monkeypatch):
    class Engine:
        def version(self):
            return {"Version": "27.1.0"}

        def close(self):
            pass

    monkeypatch.setenv("DOCKER_HOST", "tcp://engine:2375")
    monkeypatch.setattr(docker, "from_env", lambda **_: Engine())
    assert check_docker().text.startswith("engine 27.1.0")


def test_keras_is_named_with_its_backend_and_the_project_s_settings(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    finding = check_keras()
    assert finding.is_ok
    assert " on tensorflow; " in finding.text
    assert finding.text.endswith("yt8m/keras_home")


def test_an_unknown_backend_is_a_problem(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    finding = check_keras()
    assert finding.text == "KERAS_BACKEND: expected tensorflow or jax, received 'torch'"
    assert finding.remedy.startswith("Unset this environment variable")


def test_jax_is_said_to_train_on_the_cpu(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert "trains on the CPU" in check_keras().text
