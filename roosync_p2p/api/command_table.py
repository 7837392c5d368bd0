"""A click group from a table of commands, each imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import click

__all__ = ["CommandEntry", "CommandTable"]


class CommandEntry(NamedTuple):
    """Where a command is declared, under which heading help lists it, and how.

    The summary is the first sentence of the command's own help, said again here so that the list of all commands
    imports none of them.
    """

    module: str
    attribute: str
    section: str
    summary: str


class CommandTable(click.Group):
    """A group whose commands are imported when they are asked for, listed in sections.

    Args:
        entries: by command name, in the order of help; their modules are quick to import.
        sections: the headings in their order; one without commands is left out.
        elsewhere: what somebody may look for here, and what to say instead.
    """

    def __init__(
        self,
        *args: Any,
        entries: Mapping[str, CommandEntry],
        sections: tuple[str, ...],
        elsewhere: Mapping[str, str] = MappingProxyType({}),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.elsewhere = elsewhere
        self.entries = entries
        self._sections = sections

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order of the table."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """The command, imported now."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(entry.module), entry.attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; one that is elsewhere is named."""
        if args[0] in self.elsewhere:
            ctx.fail(f"No such command '{args[0]}': it is `{self.elsewhere[args[0]]}`.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """The commands, section by section."""
        for section in self._sections:
            rows = [(name, entry.summary) for name, entry in self.entries.items() if entry.section == section]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)
