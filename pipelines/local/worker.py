"""Worker process, which executes a compiled pipeline with KFP's local runner.

As a process of its own, it can be stopped together with its steps. It reports events through a pipe, and its standard
output is KFP's log. When the parent process ends, the worker's standard input closes and the worker ends as well.
"""

import logging
import os
import signal
import sys
import threading
import warnings
from functools import partial
from pathlib import Path

from pipelines.local.containers import ContainerConfig, container_arguments, remove_containers
from pipelines.local.events import write_event
from pipelines.local.folder import ARTIFACTS_FOLDER
from yt8m.config import Config


class WorkerConfig(Config):
    """Configuration of the worker.

    Attributes:
        pipeline: Path of the compiled pipeline.
        root: The run's folder, which is the pipeline's parameter.
        events: File descriptor of the pipe for events.
        containers: Parts of this machine that steps in containers can see. Null executes steps as processes.
    """

    pipeline: str
    root: str
    events: int
    containers: ContainerConfig | None = None


def main() -> None:
    """Execute the pipeline of the configuration in the first argument, which is JSON."""
    config = WorkerConfig.parse_json(sys.argv[1], "worker")
    threading.Thread(target=_end_with_parent, args=(config,), daemon=True).start()
    os.set_inheritable(config.events, False)  # steps must not write events
    # KFP warns about the name of the default image and about display names, which only a cluster shows.
    warnings.simplefilter("ignore")
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s - %(levelname)s - %(message)s")

    # The parent process needs WorkerConfig only, without the seconds that importing KFP takes.
    from kfp import components, local  # noqa: PLC0415

    from pipelines.local.hooks import install_hooks  # noqa: PLC0415

    runner = (
        local.DockerRunner(**container_arguments(config.containers, config.root))
        if config.containers
        else local.SubprocessRunner(use_venv=False)
    )
    with os.fdopen(config.events, "wb") as events:
        install_hooks(partial(write_event, events))
        local.init(runner=runner, pipeline_root=f"{config.root}/{ARTIFACTS_FOLDER}", enable_caching=True)
        components.load_component_from_file(config.pipeline)(root=config.root)


def _end_with_parent(config: WorkerConfig) -> None:
    while os.read(0, 1):
        pass
    try:
        if config.containers:
            remove_containers(Path(config.root))
    finally:
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
