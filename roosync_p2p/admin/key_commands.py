"""``roosync-admin revoke``, ``renew`` and ``rotate``: keys that end, and certificates that run out."""

from __future__ import annotations

import os

import click

from roosync_p2p.admin.arguments import parse_machine_argument
from roosync_p2p.api.naming import parse_address_argument
from roosync_p2p.api.questions import require_yes
from roosync_p2p.api.terminal import Invocation, common_options, safe_line

__all__ = ["renew", "revoke", "rotate"]


@click.command()
@click.argument("machine")
@click.option("--reason", default="", metavar="R", help="Why; everybody sees it.")
@click.option("--last-ledger", type=click.IntRange(min=0), metavar="N", help="The last ledger entry that still counts.")
@click.option("--last-mail", type=click.IntRange(min=0), metavar="N", help="The last mail entry that still counts.")
@click.option("--yes", is_flag=True, help="Without asking.")
@common_options
def revoke(
    invocation: Invocation,
    machine: str,
    reason: str,
    last_ledger: int | None,
    last_mail: int | None,
    yes: bool,
) -> None:
    """Put a machine out that is hostile or lost: nobody takes anything new from its key.

    Every machine that hears of it closes its links to that one within a second; no majority is needed for that. What
    it wrote up to its newest entry here still counts, unless --last-ledger and --last-mail say less. Run this on an
    issuer; for an issuer it takes the root key. To come back the machine takes a new home and a new invite.

    \b
    Example:
      roosync-admin revoke myia-po-2023 --reason "stolen"
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.passphrases import open_root_key  # noqa: PLC0415 - the same
    from roosync_p2p.admin.revoking import plan_revocation, revocation_lines, revoke_machine  # noqa: PLC0415 - the same

    home = Home(invocation.home)
    chosen = parse_machine_argument(machine)
    planned = plan_revocation(home, chosen, reason=reason, last_ledger=last_ledger, last_mail=last_mail)
    invocation.progress("\n".join(revocation_lines(planned)))
    if not yes:
        require_yes(f"Put {chosen} out?", instead="--yes")
    document = revoke_machine(home, planned, planned.sealed(lambda: open_root_key(home.path, os.environ)))
    if invocation.as_json:
        invocation.print_json(document)
        return
    number = document["commit_number"]
    ordered = f"commit {number}" if number is not None else f"not ordered yet: {safe_line(document['waits_for'])}"
    invocation.print(f"{chosen} is out; {ordered}")


@click.command()
@click.option("--at", metavar="HOST:PORT", help="Ask the issuer there, instead of where issuers are known to be.")
@common_options
def renew(invocation: Invocation, at: str | None) -> None:
    """Get this machine's next certificate now. Its key stays, and nothing is restarted.

    A node does this by itself after two thirds of the certificate's life. One that has run out opens no links: then the
    issuer is asked on the path where machines join.

    \b
    Examples:
      roosync-admin renew
      roosync-admin renew --at 192.168.1.10:47600
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.renewing import renew_certificate  # noqa: PLC0415 - the same

    at = None if at is None else parse_address_argument(at)
    document = renew_certificate(Home(invocation.home), at)
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(f"{document['machine']} has a certificate until {document['not_after']}")


@click.command()
@click.option("--yes", is_flag=True, help="Without asking.")
@common_options
def rotate(invocation: Invocation, yes: bool) -> None:
    """Give this machine another key, while it runs: the old key says so, and an issuer certifies the new one.

    What the old key signed stays valid, and nothing new is taken from it by anybody who has heard. Links reconnect by
    themselves; nothing is restarted. Make a new backup afterwards: an older one holds the old key.

    \b
    Example:
      roosync-admin rotate
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.renewing import rotate_key  # noqa: PLC0415 - the same

    if not yes:
        require_yes("Replace this machine's key?", instead="--yes")
    document = rotate_key(Home(invocation.home))
    if invocation.as_json:
        invocation.print_json(document)
        return
    ordered = "ordered" if document["ordered"] else "not ordered yet: `roosync log` shows member.rotate when it is"
    invocation.print(f"{document['machine']} has the key {document['key'][:16]}…; {ordered}")
