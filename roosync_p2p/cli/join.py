"""``roosync join``: enrols this machine. Reads the node package, imported when called."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from roosync_p2p.api.naming import parse_address_argument, propose_machine
from roosync_p2p.api.terminal import Invocation, common_options, safe_line
from roosync_p2p.cli.texts import Texts, load_texts

__all__ = ["inbound_lines", "join"]


@click.command()
@click.argument("code")
@click.option("--machine", metavar="ID", help="This machine's id. [default: the code's, ROOSYNC_MACHINE_ID, host name]")
@click.option("--at", metavar="HOST:PORT", help="Where the issuer is, when it cannot be found otherwise.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The shared folder: asked when no address leads to the issuer. [default: ROOSYNC_SHARED_PATH]",
)
@common_options
def join(invocation: Invocation, code: str, machine: str | None, at: str | None, folder: Path | None) -> None:
    """Enrol this machine with a join code from `roosync-admin invite`.

    \b
    Examples:
      roosync join ROO1-7GQ2…
      roosync join ROO1-7GQ2… --machine myia-po-2023 --at 192.168.1.10:47600
      roosync join ROO1-7GQ2… --folder "G:/My Drive/.shared-state"
    """
    # loaded only here, as in `up`
    from roosync_p2p.node.joining import join as run_join  # noqa: PLC0415
    from roosync_p2p.trust.invites import decode_join_code  # noqa: PLC0415

    at = None if at is None else parse_address_argument(at)
    chosen = propose_machine(machine, decode_join_code(code).machine, os.environ, socket.gethostname())
    texts = load_texts(invocation.home)
    invocation.progress(texts.get("joining", machine=chosen, home=invocation.home))
    shared = os.environ.get("ROOSYNC_SHARED_PATH", "").strip()
    place = folder if folder is not None else (Path(shared) if shared else None)
    result = run_join(invocation.home, code, machine=chosen, at=at, folder=place, progress=invocation.progress)
    if invocation.as_json:
        invocation.print_json(result)
    else:
        invocation.print(safe_line(texts.get("joined", machine=result.get("machine", chosen))))
        for line in inbound_lines(result, texts, sys.platform):
            invocation.print(safe_line(line))
        invocation.print(texts.get("joined_next"))


def inbound_lines(result: dict[str, Any], texts: Texts, platform: str) -> Iterator[str]:
    """Whether others can connect to this machine, and what to do if they cannot.

    Args:
        result: of the join.
        platform: as ``sys.platform``: of the system that the command is for.
    """
    inbound = result["inbound"]
    outcome, port = str(inbound["outcome"]), inbound["port"]
    if not inbound["checked"]:
        reason = texts.word("unchecked", outcome)
        yield texts.get("inbound.unchecked", reason=inbound["message"] or reason)
    elif inbound["reachable"]:
        yield texts.get("inbound.works", port=port, issuer=result["issuer"])
    else:
        yield texts.get("inbound.blocked", port=port, outcome=texts.word("dial", outcome), issuer=result["issuer"])
        rule, seen_as = inbound["firewall_rule"], inbound["seen_as"]
        if rule:
            yield texts.get("inbound.rule.windows" if platform == "win32" else "inbound.rule", rule=rule)
        else:
            yield texts.get("inbound.elsewhere", port=port, issuer=result["issuer"], seen_as=seen_as)
