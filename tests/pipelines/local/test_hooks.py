"""Guard against changes of the functions in KFP that `pipelines.local.hooks` replaces or relies on."""

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from kfp.local import cache, docker_task_handler, subprocess_task_handler, task_dispatcher
from kfp.local.orchestrator import dag_orchestrator, enhanced_dag_orchestrator, task_executor

# Replaced functions, and functions that call them, with digests of their source in KFP 2.17.0.
FUNCTIONS = {
    task_executor.execute_single_task: "ee78ffed032b5fdd",
    task_dispatcher.run_single_task_implementation: "352b81d11542f64a",
    cache.LocalCache.get: "cfd1a9011683a621",
    subprocess_task_handler.run_local_subprocess: "4f82b209ba51fc9e",
    subprocess_task_handler.SubprocessTaskHandler.run: "c79dba3c8c4ca0b5",
    docker_task_handler.run_docker_container: "63183d16a5ae3514",
    docker_task_handler.DockerTaskHandler.run: "6c945c7c91445b7f",
    dag_orchestrator.run_dag: "258e7341b58f5b0c",
    enhanced_dag_orchestrator.execute_task: "652a78d0084c9a8f",
}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_kfp_s_functions_have_not_changed(function: Callable[..., Any]) -> None:
    digest = hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]
    assert digest == FUNCTIONS[function], (
        f"KFP's {function.__qualname__} has changed: check that the hooks still see every task's start, output and end."
    )
