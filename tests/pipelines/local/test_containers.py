"""Containers of a real Docker engine, and errors without one."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from kfp import dsl

from pipelines.kubeflow.component import PROCESS_IMAGE
from pipelines.local.containers import (
    LABEL,
    ContainerConfig,
    check_image,
    container_arguments,
    quiet_command,
    remove_containers,
    run_container,
)
from tests.support.paths import SMOKE
from yt8m.errors import ConfigError


@pytest.fixture
def client(image: str) -> Iterator[Any]:
    client = docker.from_env()
    yield client
    client.close()


def run(client: Any, config: ContainerConfig, root: Path, script: str) -> int:
    arguments = container_arguments(config, str(root))
    return run_container(client, config.image, ["sh", "-c", script], {}, print, **arguments)


def test_without_an_engine_the_error_names_the_remedy(tmp_path: Path) -> None:
    program = f"from pipelines.cli import main; main(['run', {str(SMOKE)!r}, '--root', 'run', '--runner', 'docker'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert re.search(r"Error: .*no Docker engine answers at unix://.*none\.sock.*--runner subprocess", done.stderr)


def test_output_of_the_step_is_kept_and_kfp_s_executor_is_quiet(tmp_path: Path) -> None:
    @dsl.component(base_image=PROCESS_IMAGE, install_kfp_package=False, packages_to_install=[])
    def step(text: str) -> None:
        import logging  # noqa: PLC0415

        print(text)  # noqa: T201
        logging.getLogger("yt8m").warning("no page")

    container = step.component_spec.implementation.container
    inputs = {"inputs": {"parameterValues": {"text": "hello"}}, "outputs": {"outputFile": str(tmp_path / "output")}}
    command = [*container.command, "--executor_input", json.dumps(inputs), "--function_to_execute", "step"]
    done = subprocess.run(
        [part.replace("python3", sys.executable) for part in quiet_command(command)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "hello\nWARNING:yt8m:no page\n"
    assert done.stderr == ""


@pytest.mark.slow
def test_without_the_image_the_error_names_the_command_that_builds_it(client: Any) -> None:
    with pytest.raises(ConfigError, match=r"no image 'yt8m:none'.*make image"):
        check_image("yt8m:none")


@pytest.mark.slow
@pytest.mark.parametrize("script", ["exit 7", "echo; exit 7"])
def test_a_step_that_fails_at_once_is_reported_and_removed(
    client: Any, image: str, tmp_path: Path, script: str
) -> None:
    config = ContainerConfig(image=image, folder="/")
    assert [run(client, config, tmp_path, script) for _ in range(3)] == [7, 7, 7]
    assert not client.containers.list(all=True, filters={"label": f"{LABEL}={tmp_path}"})


@pytest.mark.slow
def test_output_arrives_in_lines(client: Any, image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The engine splits lines after 16 KiB, and a followed log often lacks a last line without a newline.
    script = "printf 'a\\n\\nb: '; printf '%040000d' 0; echo; printf 'é'"
    config = ContainerConfig(image=image, folder="/")
    for _ in range(20):
        assert run(client, config, tmp_path, script) == 0
        assert capsys.readouterr().out.splitlines() == ["a", "", "b: " + 40000 * "0", "é"]


@pytest.mark.slow
def test_a_container_can_write_the_run_s_folder_and_read_its_mounts_only(
    client: Any, image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("root", "videos", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text(folder)
    given = str(tmp_path / "videos")
    config = ContainerConfig(
        image=image, read_only={given: given}, environment={"YT8M_TEST": "seen"}, folder=str(tmp_path)
    )
    script = f"""
        echo $YT8M_TEST $(cat videos/file)
        touch {tmp_path}/root/written && touch /tmp/scratch
        for place in videos/written other/file /opt/yt8m/written /written; do
          touch $place 2>/dev/null && echo wrote $place
        done
        exit 0
    """
    assert run(client, config, tmp_path / "root", script) == 0
    assert capsys.readouterr().out.splitlines() == ["seen videos"]
    assert (tmp_path / "root" / "written").stat().st_uid == os.getuid()


@pytest.mark.slow
def test_only_containers_of_the_run_are_removed(client: Any, image: str, tmp_path: Path) -> None:
    sleeping = {}
    for name in ("mine", "other"):
        arguments = container_arguments(ContainerConfig(image=image, folder="/"), str(tmp_path))
        arguments["labels"] = {LABEL: str(tmp_path / name)}
        sleeping[name] = client.containers.run(image, ["sleep", "600"], detach=True, **arguments)
    try:
        remove_containers(tmp_path / "mine")
        left = client.containers.list(all=True)
        assert sleeping["mine"] not in left
        assert sleeping["other"] in left
    finally:
        remove_containers(tmp_path / "other")
