"""The command `yt8m`."""

import os
import sys
from typing import Any

import click

from pipelines.cli.lazy import Command, LazyGroup
from yt8m import __version__
from yt8m.errors import UserError

# Nothing but errors from TensorFlow's C++ side, once it is imported; see `quiet_import`.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

DATA = LazyGroup(
    "data",
    {
        "generate": Command("pipelines.cli.data_generate", "generate", "Makes videos in YouTube-8M's format."),
        "check": Command("pipelines.cli.data_check", "check", "What is in shards; finds damage."),
    },
    help="Looks at shards and makes them.",
)


class _Main(LazyGroup):
    """Turns what users can mend, paths that are none among it, into a message and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            text = str(error)
        except OSError as error:
            if error.filename is None:  # of no file: a closed pipe, say
                raise
            text = f"{error.filename}: {error.strerror}. Give another path, or mend this one."
        click.echo(f"Error: {text}", err=True)
        sys.exit(2)


main = _Main(
    "yt8m",
    {
        "plan": Command("pipelines.cli.plan", "plan", "What a recipe comes to: nodes, sizes, budget. Runs nothing."),
        "run": Command("pipelines.cli.run", "run", "Runs a recipe here; resumes where it stopped."),
        "submit": Command("pipelines.cli.submit", "submit", "Runs a recipe on Kubeflow Pipelines."),
        "status": Command("pipelines.cli.status", "status", "How far a run is: a table of its nodes."),
        "rerun": Command("pipelines.cli.rerun", "rerun", "Executes a node of a run again."),
        "logs": Command("pipelines.cli.logs", "logs", "What a node of a run printed."),
        "compile": Command("pipelines.cli.compile", "compile_recipe", "Writes a recipe's Kubeflow pipeline."),
        "evaluate": Command("pipelines.cli.evaluate", "evaluate", "Measures a model on labelled shards."),
        "predict": Command("pipelines.cli.predict", "predict", "Writes a submission for unlabelled shards."),
    },
    help="Trains many video classifiers on frame features, distils them, and ships one small TensorFlow model.",
)
main.add_command(DATA)
main = click.version_option(__version__, prog_name="yt8m")(main)
