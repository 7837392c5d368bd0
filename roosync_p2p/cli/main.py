"""``roosync``: the table of commands, loaded when called, and the entry point.

A command module imports what it needs when it runs, so that every command starts at once. The node, TLS and the web
server are never imported by commands that only ask the running node.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final, NamedTuple

import click

from roosync_p2p.api.terminal import Invocation, common_options, run_tool
from roosync_p2p.version import __version__

__all__ = ["main", "roosync"]


class _Entry(NamedTuple):
    module: str
    attribute: str
    section: str


_EVERY_DAY, _DECIDE, _CONFIGURE, _CARE = _SECTIONS = ("Every day", "Decide", "Configure", "Care")

_COMMANDS: Final[Mapping[str, _Entry]] = {
    "status": _Entry("status", "status", _EVERY_DAY),
    "machines": _Entry("status", "machines", _EVERY_DAY),
    "send": _Entry("messages", "send", _EVERY_DAY),
    "inbox": _Entry("messages", "inbox", _EVERY_DAY),
    "read": _Entry("messages", "read", _EVERY_DAY),
    "reply": _Entry("messages", "reply", _EVERY_DAY),
    "join": _Entry("join", "join", _CONFIGURE),
    "settings": _Entry("settings", "settings", _CONFIGURE),
    "up": _Entry("up", "up", _CARE),
    "down": _Entry("down", "down", _CARE),
    "doctor": _Entry("doctor", "doctor", _CARE),
    "demo": _Entry("demo_command", "demo", _CARE),
}


class _Tool(click.Group):
    """A group whose commands are imported when they are asked for, listed in sections."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """The command, imported now."""
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(f"roosync_p2p.cli.{entry.module}"), entry.attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Only sections that have commands are shown."""
        for section in _SECTIONS:
            names = [name for name, entry in _COMMANDS.items() if entry.section == section]
            rows = [
                (name, command.get_short_help_str(80)) for name in names if (command := self.get_command(ctx, name))
            ]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


@click.group(cls=_Tool, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="roosync")
@common_options
def roosync(_invocation: Invocation) -> None:
    """A node for each machine of a fleet of coding agents.

    \b
    Start the node, see who is there, send a message:
      roosync up
      roosync status
      roosync send myia-po-2023 "Tests are red" "main fails since 3f2a1c"

    The first machine of a fleet is founded with `roosync-admin init`; others run `roosync join CODE`.
    """


def main() -> int:
    """The console script."""
    return run_tool(roosync)


if __name__ == "__main__":
    raise SystemExit(main())
