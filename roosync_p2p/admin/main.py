"""``roosync-admin``: the table of commands, loaded when called, and the entry point.

The modules named here declare commands and are quick to import; what does the work (keys, store, certificates) is
imported by a command when it runs, so that help is shown at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final, NamedTuple

import click

from roosync_p2p.api.terminal import Invocation, common_options, run_tool
from roosync_p2p.version import __version__

__all__ = ["main", "roosync_admin"]


class _Entry(NamedTuple):
    module: str
    attribute: str
    section: str


_FLEET, _MACHINES, _CARE = _SECTIONS = ("The fleet", "Admit a machine", "Care")

_COMMANDS: Final[Mapping[str, _Entry]] = {
    "init": _Entry("fleet_commands", "init", _FLEET),
    "list": _Entry("fleet_commands", "list_machines", _FLEET),
    "show": _Entry("fleet_commands", "show", _FLEET),
    "invite": _Entry("enrolment_commands", "invite", _MACHINES),
    "request": _Entry("enrolment_commands", "request", _MACHINES),
    "issue": _Entry("enrolment_commands", "issue", _MACHINES),
    "install": _Entry("enrolment_commands", "install", _MACHINES),
    "countersign": _Entry("care_commands", "countersign", _CARE),
    "example-certs": _Entry("care_commands", "example_certs", _CARE),
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
        command = getattr(importlib.import_module(f"roosync_p2p.admin.{entry.module}"), entry.attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, section by section."""
        for section in _SECTIONS:
            names = [name for name, entry in _COMMANDS.items() if entry.section == section]
            rows = [
                (name, command.get_short_help_str(80)) for name in names if (command := self.get_command(ctx, name))
            ]
            with formatter.section(section):
                formatter.write_dl(rows)


@click.group(cls=_Tool, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="roosync-admin")
@common_options
def roosync_admin(_invocation: Invocation) -> None:
    """The keys and members of a fleet.

    \b
    Found a fleet on this machine, then let another one in:
      roosync-admin init
      roosync up
      roosync-admin invite myia-po-2023

    The other machine runs `roosync join CODE`. Without a network between the two: `request` there, `issue` here,
    `install` there.
    """


def main() -> int:
    """The console script."""
    return run_tool(roosync_admin)


if __name__ == "__main__":
    raise SystemExit(main())
