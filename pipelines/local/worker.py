"""The process in which KFP's local runner executes a compiled pipeline; prints what KFP prints.

It is a process of its own so that KFP's output can be told from ours, and so that it and its steps can be stopped
together. It ends with the process that started it: its standard input is a pipe that closes then.
"""

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipelines.local.containers import ContainerConfig, container_arguments, remove_containers, run_container
from pipelines.local.warm_steps import run_step
from yt8m.config import Config


class WorkerConfig(Config):
    """What to run.

    Attributes:
        pipeline: The compiled pipeline.
        root: The run's folder; the pipeline's parameter.
        artifacts: Folder of the steps' artifacts and of KFP's cache.
        containers: What steps in containers see of this machine; null: steps are processes.
        forced: Nodes that are executed though KFP's cache has their results.
    """

    pipeline: str
    root: str
    artifacts: str
    containers: ContainerConfig | None = None
    forced: tuple[str, ...] = ()


def main() -> None:
    """Run the pipeline of the configuration given as JSON in the first argument."""
    config = WorkerConfig.parse_json(sys.argv[1], "worker")
    threading.Thread(target=_end_with_parent, args=(config,), daemon=True).start()
    # The default image's name and display names that only a cluster shows make KFP warn.
    warnings.simplefilter("ignore")
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s - %(levelname)s - %(message)s")

    from kfp import components, local  # noqa: PLC0415 the parent only needs WorkerConfig
    from kfp.local import cache  # noqa: PLC0415

    if config.forced:
        cache.LocalCache = forgetting_cache(cache.LocalCache, config.forced)
    local.init(runner=_runner(config, local), pipeline_root=config.artifacts, enable_caching=True)
    components.load_component_from_file(config.pipeline)(root=config.root)


def _runner(config: WorkerConfig, local: Any) -> Any:
    from kfp.local import docker_task_handler, subprocess_task_handler  # noqa: PLC0415 the parent only needs WorkerConfig

    if config.containers is None:
        subprocess_task_handler.run_local_subprocess = run_step
        return local.SubprocessRunner(use_venv=False)
    docker_task_handler.run_docker_container = run_container
    return local.DockerRunner(**container_arguments(config.containers, config.root))


def _end_with_parent(config: WorkerConfig) -> None:
    while os.read(0, 1):
        pass
    try:
        if config.containers:
            remove_containers(Path(config.root))
    finally:
        os.killpg(os.getpgrp(), signal.SIGKILL)


def forgetting_cache(cache: Any, nodes: Collection[str]) -> Any:
    """A class like KFP's local cache that finds nothing of some nodes, but keeps what they make now.

    KFP can only switch the cache off, which would leave a node's old results in it for the next run.

    Args:
        cache: KFP's class.
        nodes: The nodes' names.
    """

    class ForgettingCache(cache):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._forgotten: set[str] = set()

        def compute_key(self, component_name: str, *arguments: Any, **options: Any) -> str:
            key: str = super().compute_key(component_name, *arguments, **options)
            if component_name.removeprefix("comp-") in nodes:
                self._forgotten.add(key)
            return key

        def get(self, key: str) -> Any:
            return None if key in self._forgotten else super().get(key)

    return ForgettingCache


if __name__ == "__main__":
    main()
