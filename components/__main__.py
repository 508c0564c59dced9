"""Entry of the steps' pods: `python3 -m components STAGE EXECUTOR_INPUT` executes a component with KFP's executor.

EXECUTOR_INPUT is the JSON with which KFP describes the inputs and outputs of a step.
"""

import json
import os
import sys
from importlib import import_module
from importlib.util import find_spec

from components.logs import quiet_logs
from yt8m.errors import ConfigError, UserError
from yt8m.keras_settings import check_backend


def main() -> None:
    """Execute the component of the stage in the first argument; end with 2 if the user can fix the error."""
    stage, executor_input = sys.argv[1:]
    # KFP then imports what a step needs, without what compiles pipelines.
    os.environ["_KFP_RUNTIME"] = "true"
    quiet_logs()
    try:
        check_backend()
        _execute(stage, executor_input)
    except UserError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)


def _execute(stage: str, executor_input: str) -> None:
    from kfp.dsl.executor import Executor

    if not find_spec(f"components.{stage}"):
        raise ConfigError(
            f"{stage}: this image has no such stage. Use the image of the version that compiled the pipeline, or "
            "compile and submit the recipe again with the version of the image."
        )
    component = getattr(import_module(f"components.{stage}"), stage)
    Executor(executor_input=json.loads(executor_input), function_to_execute=component).execute()


if __name__ == "__main__":
    main()
