"""``roosync-admin issuer``: who can admit machines, renew and revoke."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from roosync_p2p.admin.arguments import parse_machine_argument
from roosync_p2p.api.questions import require_yes
from roosync_p2p.api.terminal import Invocation, common_options

__all__ = ["issuer"]


@click.group()
def issuer() -> None:
    """Make machines issuers: a fleet wants two. They can admit, renew and revoke; one may be off, or lost.

    \b
    On the machine that is to be one:        roosync-admin issuer request --out request.pem
    Where the root key is, its node running:  roosync-admin issuer add request.pem --out answer.pem
    On the first machine again:               roosync-admin issuer install answer.pem
    """


@issuer.command("request")
@click.option("--out", metavar="FILE", help="Write the request there instead of to standard output.")
@common_options
def request(invocation: Invocation, out: str | None) -> None:
    """Make this machine's issuer key, which stays here, and the request for the root.

    \b
    Example:
      roosync-admin issuer request --out request.pem
    """
    from roosync_p2p.adapters.issuer_keys import request_issuer  # noqa: PLC0415 - costs start-up time

    pem = request_issuer(invocation.home).decode()
    _write(invocation, pem, out, {"request": pem, "file": out})


@issuer.command("add")
@click.argument("request_file", metavar="REQUEST", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", metavar="FILE", help="Write the answer there instead of to standard output.")
@common_options
def add(invocation: Invocation, request_file: Path, out: str | None) -> None:
    """Make a member an issuer, with the root key. Goes through the running node, and counts when the fleet ordered it.

    \b
    Example:
      roosync-admin issuer add request.pem --out answer.pem
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.issuers import add_issuer  # noqa: PLC0415 - the same
    from roosync_p2p.admin.passphrases import open_root_key  # noqa: PLC0415 - the same

    home = Home(invocation.home)
    added = add_issuer(home, request_file.read_bytes(), lambda: open_root_key(home.path, os.environ))
    invocation.progress(f"{added['machine']} is an issuer, commit {added['commit_number']}; there:")
    invocation.progress("  roosync-admin issuer install ANSWER")
    _write(invocation, added["certificate"], out, {**added, "file": out})


@issuer.command("install")
@click.argument("answer", metavar="ANSWER", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@common_options
def install(invocation: Invocation, answer: Path) -> None:
    """Install the root's answer: this machine is an issuer from its node's next start.

    \b
    Example:
      roosync-admin issuer install answer.pem
    """
    from roosync_p2p.adapters.issuer_keys import install_issuer  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.trust.enrolment import certificates_from_pem  # noqa: PLC0415 - the same

    identity = install_issuer(invocation.home, certificates_from_pem(answer.read_bytes())[0])
    if invocation.as_json:
        invocation.print_json({"machine": identity.machine, "is_issuer": identity.is_issuer})
    else:
        invocation.print(f"{identity.machine} is an issuer from its node's next start: roosync down; roosync up")


@issuer.command("remove")
@click.argument("machine")
@click.option("--yes", is_flag=True, help="Without asking.")
@common_options
def remove(invocation: Invocation, machine: str, yes: bool) -> None:
    """Let a machine be an issuer no more, with the root key; it stays a member, and whom it let in stays too.

    A hostile issuer is revoked instead: roosync-admin revoke.

    \b
    Example:
      roosync-admin issuer remove myia-po-2023
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.issuers import remove_issuer  # noqa: PLC0415 - the same
    from roosync_p2p.admin.passphrases import open_root_key  # noqa: PLC0415 - the same

    home, chosen = Home(invocation.home), parse_machine_argument(machine)
    if not yes:
        require_yes(f"Let {chosen} admit nobody any more?", instead="--yes")
    removed = remove_issuer(home, chosen, lambda: open_root_key(home.path, os.environ))
    if invocation.as_json:
        invocation.print_json(removed)
    else:
        invocation.print(f"{chosen} is no issuer any more, commit {removed['commit_number']}")


def _write(invocation: Invocation, pem: str, out: str | None, document: dict[str, Any]) -> None:
    if out is not None:
        Path(out).write_text(pem, encoding="ascii")
    if invocation.as_json:
        invocation.print_json(document)
    elif out is None:
        invocation.print(pem.rstrip())
