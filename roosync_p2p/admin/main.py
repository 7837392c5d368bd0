"""``roosync-admin``: the table of commands, loaded when called, and the entry point.

The modules named here declare commands and are quick to import; what does the work (keys, store, certificates) is
imported by a command when it runs, so that help is shown at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from roosync_p2p.api.command_table import CommandEntry, CommandTable
from roosync_p2p.api.terminal import Invocation, common_options, run_tool
from roosync_p2p.version import __version__

__all__ = ["main", "roosync_admin"]


_FLEET, _MACHINES, _CARE = _SECTIONS = ("The fleet", "Admit a machine", "Care")

_COMMANDS: Final[Mapping[str, CommandEntry]] = {
    "init": CommandEntry(
        "roosync_p2p.admin.fleet_commands", "init", _FLEET, "Found a fleet: root key, first issuer, first machine."
    ),
    "list": CommandEntry(
        "roosync_p2p.admin.fleet_commands",
        "list_machines",
        _FLEET,
        "The machines and issuers of the fleet, as this machine knows them.",
    ),
    "show": CommandEntry(
        "roosync_p2p.admin.fleet_commands",
        "show",
        _FLEET,
        "Certificates in detail: the fleet's, a machine's, or those in a file.",
    ),
    "invite": CommandEntry(
        "roosync_p2p.admin.enrolment_commands",
        "invite",
        _MACHINES,
        "Make a one-time join code, alone on standard output.",
    ),
    "request": CommandEntry(
        "roosync_p2p.admin.enrolment_commands",
        "request",
        _MACHINES,
        "On a machine that joins: make its key, and a request for an issuer.",
    ),
    "issue": CommandEntry(
        "roosync_p2p.admin.enrolment_commands",
        "issue",
        _MACHINES,
        "On an issuer: answer a request that was carried by hand.",
    ),
    "install": CommandEntry(
        "roosync_p2p.admin.enrolment_commands",
        "install",
        _MACHINES,
        "On a machine that joins: make the issuer's answer this machine's identity.",
    ),
    "person": CommandEntry("roosync_p2p.admin.person_commands", "person", _FLEET, "Name the people who approve."),
    "issuer": CommandEntry(
        "roosync_p2p.admin.issuer_commands", "issuer", _FLEET, "Make machines issuers: a fleet wants two."
    ),
    "retire": CommandEntry(
        "roosync_p2p.admin.member_commands",
        "retire",
        _CARE,
        "Let a machine go that nobody expects back, honourably: sold, dead, replaced.",
    ),
    "revoke": CommandEntry(
        "roosync_p2p.admin.key_commands",
        "revoke",
        _CARE,
        "Put a machine out that is hostile or lost: nobody takes anything new from its key.",
    ),
    "renew": CommandEntry(
        "roosync_p2p.admin.key_commands",
        "renew",
        _CARE,
        "Get this machine's next certificate now.",
    ),
    "rotate": CommandEntry(
        "roosync_p2p.admin.key_commands",
        "rotate",
        _CARE,
        "Give this machine another key, while it runs; with --lost, give one to a machine that lost its own.",
    ),
    "settle": CommandEntry(
        "roosync_p2p.admin.member_commands",
        "settle",
        _CARE,
        "After a fork: say which of the two entries that a machine signed for one place counts.",
    ),
    "recover": CommandEntry(
        "roosync_p2p.admin.member_commands",
        "recover",
        _CARE,
        "Make the root's statement that this machine alone decides from now on.",
    ),
    "backup": CommandEntry(
        "roosync_p2p.admin.backup_commands", "backup", _CARE, "Copy this home to one file that a passphrase seals."
    ),
    "restore": CommandEntry(
        "roosync_p2p.admin.backup_commands",
        "restore",
        _CARE,
        "Make a home from a backup; its store begins a new life that an issuer countersigns.",
    ),
    "countersign": CommandEntry(
        "roosync_p2p.admin.care_commands",
        "countersign",
        _CARE,
        "Let this machine's restored store begin again, with the root key.",
    ),
    "example-certs": CommandEntry(
        "roosync_p2p.admin.care_commands",
        "example_certs",
        _CARE,
        "What the key material of a fleet looks like; safe to publish.",
    ),
}


@click.group(
    cls=CommandTable,
    entries=_COMMANDS,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
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
