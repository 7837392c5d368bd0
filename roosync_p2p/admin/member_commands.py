"""``roosync-admin retire``, ``settle`` and ``recover``: what becomes of machines that are gone or have gone wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from roosync_p2p.admin.arguments import parse_machine_argument
from roosync_p2p.api.questions import require_yes
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import Invocation, common_options
from roosync_p2p.errors import InputFault, UsageError
from roosync_p2p.trust.roles import ISSUER

__all__ = ["recover", "retire", "settle"]


@click.command()
@click.argument("machine")
@click.option("--reason", default="", metavar="R", help="Why; the others see it.")
@click.option("--yes", is_flag=True, help="Without asking.")
@common_options
def retire(invocation: Invocation, machine: str, reason: str, yes: bool) -> None:
    """Let a machine go that nobody expects back, honourably: sold, dead, replaced.

    Its claims are freed, nobody waits for its reports, its vote goes to others. Run this on an issuer, with its node
    running.

    \b
    Example:
      roosync-admin retire myia-web1 --reason "replaced"
    """
    chosen = parse_machine_argument(machine)
    _require_may_retire(SyncClient(invocation.home), chosen)
    if not yes:
        require_yes(f"Let {chosen} go for good?", instead="--yes")
    retired = SyncClient(invocation.home).retire(chosen, reason=reason)
    _print(invocation, {"machine": chosen, **retired}, f"{chosen} is retired, commit {retired['commit_number']}")


@click.command()
@click.argument("machine")
@click.option("--keep", required=True, metavar="HASH", help="The id of the entry that counts.")
@click.option("--yes", is_flag=True, help="Without asking.")
@common_options
def settle(invocation: Invocation, machine: str, keep: str, yes: bool) -> None:
    """After a fork: say which of the two entries that a machine signed for one place counts.

    With a wrong --keep the two are named; `roosync status` on the forked machine names the one that its home holds.
    Stop the other home first. Run this on an issuer, with its node running.

    \b
    Example:
      roosync-admin settle myia-po-2023 --keep 3f2a1c…
    """
    chosen, wanted = parse_machine_argument(machine), keep.strip().lower()
    if len(wanted) != 64 or set(wanted) - set("0123456789abcdef"):
        raise UsageError("--keep takes the 64 hexadecimal digits of an entry's id", code="bad_entry_id")
    _require_forked(SyncClient(invocation.home), chosen)
    if not yes:
        require_yes(f"Keep {wanted[:16]}… of {chosen}, and drop the other branch?", instead="--yes")
    settled = SyncClient(invocation.home).settle(chosen, wanted)
    document = {"machine": chosen, "keep": wanted, **settled}
    _print(invocation, document, f"{chosen} goes on with {wanted[:16]}…, commit {settled['commit_number']}")


@click.command()
@click.option(
    "--dead", "dead", multiple=True, metavar="MACHINE", help="A voter that is given up. [default: all others]"
)
@click.option("--reason", default="", metavar="R", help="Why; everybody sees it.")
@click.option("--out", metavar="FILE", help="Write the statement there instead of to standard output.")
@click.option("--yes", is_flag=True, help="Without asking.")
@common_options
def recover(invocation: Invocation, dead: tuple[str, ...], reason: str, out: str | None, yes: bool) -> None:
    """Make the root's statement that this machine alone decides from now on. The last resort.

    Only when a majority of the voters is lost for good: what they decided and this machine does not know is lost to
    the order. Carry it out with `roosync recover --statement FILE`, here.

    \b
    Example:
      roosync-admin recover --reason "two disks died" --out recovery.txt
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.passphrases import open_root_key  # noqa: PLC0415 - the same
    from roosync_p2p.admin.recovery import make_recovery, recovery_lines  # noqa: PLC0415 - the same

    home = Home(invocation.home)
    recovery = make_recovery(home, tuple(parse_machine_argument(machine) for machine in dead), reason)
    invocation.progress("\n".join(recovery_lines(recovery)))
    if not yes:
        require_yes("Begin a new epoch with this machine alone?", instead="--yes")
    text = recovery.sealed(open_root_key(home.path, os.environ))
    if out is not None:
        Path(out).write_text(text + "\n", encoding="ascii")
    document = {
        "epoch": recovery.statement.epoch,
        "machine": recovery.statement.machine,
        "size": recovery.statement.size,
        "dead": list(recovery.statement.dead),
        "file": out,
        "statement": text,
    }
    _print(invocation, document, text if out is None else f"roosync recover --statement {out}")


def _require_may_retire(client: SyncClient, machine: str) -> None:
    """Before a person is asked to confirm what cannot be done.

    Raises:
        InputFault: ``own_machine``, ``unknown_member``, or ``needs_root``: it is an issuer.
    """
    members = {str(row["machine"]): row for row in client.register()["members"] if row["state"] == "present"}
    if machine == client.status()["machine"]:
        raise InputFault(
            f"{machine} is this machine; nothing was changed",
            code="own_machine",
            remedy="`roosync leave` is for the machine itself",
        )
    if machine not in members:
        raise InputFault(
            f"{machine} is no member of the fleet; nothing was changed",
            code="unknown_member",
            remedy=f"the members are {', '.join(sorted(members))}",
        )
    if ISSUER in members[machine]["roles"]:
        raise InputFault(
            f"{machine} is an issuer, which goes only by the root's word; nothing was changed",
            code="needs_root",
            remedy=f"first `roosync-admin issuer remove {machine}`, with the root key",
        )


def _require_forked(client: SyncClient, machine: str) -> None:
    states = {str(row["machine"]): str(row["state"]) for row in client.machines()["machines"]}
    if states.get(machine) != "conflict":
        raise InputFault(
            f"no fork of {machine} is known here; nothing was changed",
            code="no_such_fork",
            remedy="see `roosync status`",
        )


def _print(invocation: Invocation, document: dict[str, Any], line: str) -> None:
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(line)
