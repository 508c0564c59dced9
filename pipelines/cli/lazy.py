"""A group of commands whose modules are imported only when they are called."""

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple

import click


class Command(NamedTuple):
    """Where a command is.

    Attributes:
        module: Its module.
        attribute: Its name there.
        help: What it does, for the group's help.
    """

    module: str
    attribute: str
    help: str


class LazyGroup(click.Group):
    """A group that starts fast: TensorFlow and KFP take seconds to import.

    Args:
        name: The group's name.
        lazy: Commands by name, in the order in which the help lists them.
        help: The group's help.
    """

    def __init__(self, name: str, lazy: Mapping[str, Command], help: str) -> None:  # noqa: A002 as click calls it
        super().__init__(name, help=help, no_args_is_help=True)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(self.lazy[cmd_name].module), self.lazy[cmd_name].attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        rows = [(name, command.help) for name, command in self.lazy.items()]
        rows += [(name, self.commands[name].get_short_help_str(80)) for name in super().list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
