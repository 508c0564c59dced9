"""The command `yt8m`."""

import os
import sys
from pkgutil import resolve_name
from typing import Any

import click

from yt8m import __version__
from yt8m.errors import UserError
from yt8m.keras_settings import check_backend

# TensorFlow's C++ code prints only errors, once it is imported; see `quiet_import`.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow takes memory of a GPU as it needs it, so that several programs can use the same GPU.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

# Module and name of each command, and its line in the help of `yt8m`.
COMMANDS = {
    "doctor": ("pipelines.cli.doctor:doctor", "Say whether this machine, and a cluster, are fit."),
    "init": ("pipelines.cli.init:init", "Write recipes for your own shards."),
    "recipe": ("pipelines.cli.recipe:recipe", "Explain the keys of recipes; print their JSON Schema."),
    "plan": ("pipelines.cli.plan:plan", "Show nodes, model sizes, storage and GPU hours of a recipe."),
    "run": ("pipelines.cli.run:run", "Run a recipe on this machine, or resume an interrupted run."),
    "submit": ("pipelines.cli.submit:submit", "Run a recipe on Kubeflow Pipelines."),
    "status": ("pipelines.cli.status:status", "Show the state of a run and its nodes."),
    "runs": ("pipelines.cli.runs:runs", "List the runs in a cluster."),
    "stop": ("pipelines.cli.stop:stop", "Stop a run, or disable a schedule."),
    "rerun": ("pipelines.cli.rerun:rerun", "Execute a node of a run again."),
    "logs": ("pipelines.cli.logs:logs", "Print the log of a node."),
    "fetch": ("pipelines.cli.fetch:fetch", "Copy report, summary, model or other artifacts of a run."),
    "prune": ("pipelines.cli.prune:prune", "Remove files that no run needs any more."),
    "compile": ("pipelines.cli.compile:compile_recipe", "Compile a recipe to a Kubeflow pipeline."),
    "evaluate": ("pipelines.cli.evaluate:evaluate", "Evaluate a model on labeled shards."),
    "predict": ("pipelines.cli.predict:predict", "Predict shards with an exported model."),
    "data": ("pipelines.cli.data:data", "Import, generate or check shards."),
}

# Commands that import Keras, TensorFlow (which imports Keras), or start steps that do.
_USE_KERAS = {"init", "plan", "run", "rerun", "evaluate", "predict", "data"}


class LazyGroup(click.Group):
    """A group of commands that imports a command only when it is called: TensorFlow and KFP take seconds to import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands' names in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name in _USE_KERAS:
            check_backend()
        return resolve_name(COMMANDS[cmd_name][0]) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; print an error that the user can fix as a message, with exit code 2."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            text = str(error)
        except OSError as error:
            if error.filename is None:  # not about a file, for instance a closed pipe
                raise
            text = f"{error.filename}: {error.strerror}. Give another path, or fix this one."
        click.echo(f"Error: {text}", err=True)
        sys.exit(2)


@click.group("yt8m", cls=LazyGroup, no_args_is_help=True)
@click.version_option(__version__, prog_name="yt8m")
def main() -> None:
    """Train many video classifiers on frame features, distill them, and export one small TensorFlow model."""
