"""``roosync``: the table of commands, loaded when called, and the entry point.

A command module imports what it needs when it runs, so that every command starts at once. The node, TLS and the web
server are never imported by commands that only ask the running node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from roosync_p2p.api.command_table import CommandEntry, CommandTable
from roosync_p2p.api.terminal import Invocation, common_options, run_tool
from roosync_p2p.version import __version__

__all__ = ["main", "roosync"]


_EVERY_DAY, _DECIDE, _CONFIGURE, _CARE = _SECTIONS = ("Every day", "Decide", "Configure", "Care")

_COMMANDS: Final[Mapping[str, CommandEntry]] = {
    "status": CommandEntry(
        "roosync_p2p.cli.status", "status", _EVERY_DAY, "One line on top, then machines, then what needs attention."
    ),
    "machines": CommandEntry(
        "roosync_p2p.cli.status",
        "machines",
        _EVERY_DAY,
        "The machines of the fleet, with the evidence for their state.",
    ),
    "send": CommandEntry(
        "roosync_p2p.cli.messages",
        "send",
        _EVERY_DAY,
        "Send a message; prints its id when it is safe on this machine's disk.",
    ),
    "inbox": CommandEntry(
        "roosync_p2p.cli.messages", "inbox", _EVERY_DAY, "This machine's messages and this workspace's."
    ),
    "read": CommandEntry("roosync_p2p.cli.messages", "read", _EVERY_DAY, "Show a message and mark it as read."),
    "reply": CommandEntry("roosync_p2p.cli.messages", "reply", _EVERY_DAY, "Reply to a message, in its thread."),
    "ack": CommandEntry(
        "roosync_p2p.cli.mailbox", "ack", _EVERY_DAY, "Say that a message was acted on, or decline it."
    ),
    "thread": CommandEntry(
        "roosync_p2p.cli.mailbox", "thread", _EVERY_DAY, "Show a thread as a tree, with who read what."
    ),
    "search": CommandEntry(
        "roosync_p2p.cli.mailbox", "search", _EVERY_DAY, "Find messages by words in subject, body or tags."
    ),
    "amend": CommandEntry("roosync_p2p.cli.mailbox", "amend", _EVERY_DAY, "Give a message that you sent another body."),
    "take": CommandEntry(
        "roosync_p2p.cli.mailbox", "take", _EVERY_DAY, "Work on a message, so that no other agent does."
    ),
    "archive": CommandEntry("roosync_p2p.cli.mailbox", "archive", _EVERY_DAY, "Put messages aside."),
    "keep": CommandEntry("roosync_p2p.cli.mailbox", "keep", _EVERY_DAY, "Keep a message for good, whatever its age."),
    "why": CommandEntry("roosync_p2p.cli.why", "why", _CARE, "Tell why something is as it is, and what it waits for."),
    "session": CommandEntry(
        "roosync_p2p.cli.claims",
        "session",
        _DECIDE,
        "Open or close a session, which tells two agents of one machine apart.",
    ),
    "claim": CommandEntry(
        "roosync_p2p.cli.claims", "claim", _DECIDE, "Hold a name that nobody else holds: an issue, a branch, a file."
    ),
    "claims": CommandEntry(
        "roosync_p2p.cli.claims", "claims", _DECIDE, "Every claim that is held, and how many wait for it."
    ),
    "decision": CommandEntry(
        "roosync_p2p.cli.decisions", "decision", _DECIDE, "Propose, approve and follow decisions of the fleet."
    ),
    "baseline": CommandEntry(
        "roosync_p2p.cli.baseline",
        "baseline",
        _DECIDE,
        "The fleet's reference configuration: a JSON document with versions, changed by decisions.",
    ),
    "policy": CommandEntry(
        "roosync_p2p.cli.baseline",
        "policy",
        _DECIDE,
        "What the fleet sets for itself: approvals, conflict strategies, times.",
    ),
    "log": CommandEntry(
        "roosync_p2p.cli.commit_log", "log", _DECIDE, "What was decided, in the one order, with its outcome."
    ),
    "pending": CommandEntry(
        "roosync_p2p.cli.commit_log",
        "pending",
        _DECIDE,
        "What this machine asked for and is not decided yet, and what it waits for.",
    ),
    "voters": CommandEntry(
        "roosync_p2p.cli.commit_log",
        "voters",
        _CARE,
        "Who decides the order of the fleet: its voters, and which of them leads.",
    ),
    "clock": CommandEntry(
        "roosync_p2p.cli.commit_log",
        "clock",
        _CARE,
        "This computer's clock, which the order gets its times from while this machine leads.",
    ),
    "join": CommandEntry(
        "roosync_p2p.cli.join", "join", _CONFIGURE, "Enrol this machine with a join code from `roosync-admin invite`."
    ),
    "settings": CommandEntry(
        "roosync_p2p.cli.settings", "settings", _CONFIGURE, "Show the settings: every key, or the values in force."
    ),
    "mcp": CommandEntry(
        "roosync_p2p.mcp_server.command",
        "mcp",
        _CONFIGURE,
        "Serve messages, claims and decisions to a coding agent, by the Model Context Protocol.",
    ),
    "up": CommandEntry("roosync_p2p.cli.up", "up", _CARE, "Run the node in the foreground; prints `ready` when it is."),
    "down": CommandEntry("roosync_p2p.cli.down", "down", _CARE, "Stop the node; returns when its process is gone."),
    "service": CommandEntry(
        "roosync_p2p.cli.service", "service", _CARE, "Run the node at login, without a window; its state and its log."
    ),
    "leave": CommandEntry(
        "roosync_p2p.cli.leaving",
        "leave",
        _CARE,
        "Leave the fleet for good: this machine's vote goes to others, its claims are freed, its node ends.",
    ),
    "recover": CommandEntry(
        "roosync_p2p.cli.leaving",
        "recover",
        _CARE,
        "Go on without a majority that is lost for good, by the root's statement.",
    ),
    "doctor": CommandEntry(
        "roosync_p2p.cli.doctor",
        "doctor",
        _CARE,
        "Check the home, the settings and the node; every finding comes with its remedy.",
    ),
    "demo": CommandEntry(
        "roosync_p2p.cli.demo_command",
        "demo",
        _CARE,
        "See a fleet at work on this computer, in a temporary directory and on loopback only.",
    ),
}

# Words that people try first, and where the command is.
_ELSEWHERE: Final[Mapping[str, str]] = {
    name: f"{where} {name}"
    for where, names in (
        ("roosync claim", ("renew", "release", "steal")),
        ("roosync decision", ("propose", "approve", "reject", "resolve", "rollback")),
        ("roosync-admin", ("init", "invite", "person", "retire", "revoke", "issuer", "settle", "backup", "restore")),
    )
    for name in names
}


@click.group(
    cls=CommandTable,
    entries=_COMMANDS,
    sections=_SECTIONS,
    elsewhere=_ELSEWHERE,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
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
