"""``roosync join``: enrols this machine. Reads the node package, imported when called."""

from __future__ import annotations

import os
import socket

import click

from roosync_p2p.api.naming import propose_machine
from roosync_p2p.api.terminal import Invocation, common_options, safe_line
from roosync_p2p.cli.texts import load_texts

__all__ = ["join"]


@click.command()
@click.argument("code")
@click.option("--machine", metavar="ID", help="This machine's id. [default: the code's, ROOSYNC_MACHINE_ID, host name]")
@click.option("--at", metavar="HOST:PORT", help="Where the issuer is, when it cannot be found otherwise.")
@common_options
def join(invocation: Invocation, code: str, machine: str | None, at: str | None) -> None:
    """Enrol this machine with a join code from `roosync-admin invite`.

    \b
    Examples:
      roosync join ROO1-7GQ2…
      roosync join ROO1-7GQ2… --machine myia-po-2023 --at 192.168.1.10:47600
    """
    # loaded only here, as in `up`
    from roosync_p2p.node.joining import join as run_join  # noqa: PLC0415
    from roosync_p2p.trust.invites import decode_join_code  # noqa: PLC0415

    chosen = propose_machine(machine, decode_join_code(code).machine, os.environ, socket.gethostname())
    texts = load_texts(invocation.home)
    invocation.progress(texts.get("joining", machine=chosen, home=invocation.home))
    result = run_join(invocation.home, code, machine=chosen, at=at, progress=invocation.progress)
    if invocation.as_json:
        invocation.print_json(result)
    else:
        invocation.print(safe_line(texts.get("joined", machine=result.get("machine", chosen))))
        invocation.print(texts.get("joined_next"))
