"""``roosync-admin revoke``, ``renew`` and ``rotate``: keys that end, and certificates that run out."""

from __future__ import annotations

import os
from typing import Any

import click

from roosync_p2p.admin.arguments import parse_machine_argument
from roosync_p2p.api.naming import parse_address_argument
from roosync_p2p.api.questions import require_yes
from roosync_p2p.api.terminal import Invocation, common_options, safe_line
from roosync_p2p.errors import UsageError

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
@click.argument("machine", required=False)
@click.option("--lost", is_flag=True, help="Another machine, which lost its key: takes the root key, on an issuer.")
@click.option("--request", "request_file", metavar="REQUEST.pem", help="With --lost: what `request` made there.")
@click.option("--out", metavar="FILE", help="With --lost: write the answer there instead of to standard output.")
@click.option("--reason", default="", metavar="R", help="With --lost: why; everybody sees it.")
@click.option("--yes", is_flag=True, help="Without asking.")
@common_options
def rotate(
    invocation: Invocation,
    machine: str | None,
    lost: bool,
    request_file: str | None,
    out: str | None,
    reason: str,
    yes: bool,
) -> None:
    """Give this machine another key, while it runs; with --lost, give one to a machine that lost its own.

    The old key says so, and an issuer certifies the new one. What the old key signed stays valid, and nothing new is
    taken from it by anybody who has heard. Links reconnect by themselves; nothing is restarted. Make a new backup
    afterwards: an older one holds the old key.

    Where the key is gone (a dead disk and no backup) the root says so instead. On the new disk `roosync-admin request`
    makes a key; carry its request to an issuer, and the answer back for `install`. The machine keeps its name and its
    roles, but for issuer: its issuer key is lost too, see `issuer add`. Everybody is shown it for seven days.

    \b
    Examples:
      roosync-admin rotate
      roosync-admin rotate myia-po-2023 --lost --request request.pem --out answer.pem
    """
    if lost or machine is not None or request_file is not None:
        _rotate_lost(invocation, machine, request_file if lost else None, out, reason, yes)
    else:
        _rotate_own(invocation, yes)


def _rotate_own(invocation: Invocation, yes: bool) -> None:
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


def _rotate_lost(
    invocation: Invocation, machine: str | None, request_file: str | None, out: str | None, reason: str, yes: bool
) -> None:
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.adapters.system import read_now  # noqa: PLC0415 - the same
    from roosync_p2p.admin import losing  # noqa: PLC0415 - the same
    from roosync_p2p.admin.documents import check_target, read_document, write_document  # noqa: PLC0415 - the same
    from roosync_p2p.admin.passphrases import open_root_key  # noqa: PLC0415 - the same

    if machine is None or request_file is None:
        raise UsageError(
            "a lost key takes a machine, --lost and --request",
            code="bad_usage",
            remedy="for example: roosync-admin rotate myia-po-2023 --lost --request request.pem",
        )
    check_target(out)
    home, chosen, pem = Home(invocation.home), parse_machine_argument(machine), read_document(request_file)
    planned = losing.plan_loss(home, chosen, pem, reason=reason, wall_s=read_now().wall_ms // 1000)
    invocation.progress("\n".join(losing.loss_lines(planned)))
    if not yes:
        require_yes(f"Was the key of {chosen} lost, and is the request its own?", instead="--yes")
    envelope = planned.sealed(lambda: open_root_key(home.path, os.environ))
    ordered = losing.hear_loss(home, envelope)
    answer = losing.answer_pem(planned, envelope)
    if out is not None and out != "-":
        write_document(out, answer)
    outcome = {"commit_number": None, "waits_for": "this machine's node, which does not run"}
    if ordered is not None:
        outcome = {"commit_number": None, "waits_for": None} if ordered else losing.order_loss(home, envelope)
    _say_lost(invocation, chosen, outcome)
    if invocation.as_json:
        facts = {**losing.loss_document(planned), **outcome, "file": out, "answer": answer.decode()}
        invocation.print_json(facts)
    else:
        invocation.print(out if out is not None and out != "-" else answer.decode().rstrip())


def _say_lost(invocation: Invocation, machine: str, outcome: dict[str, Any]) -> None:
    waits_for = outcome["waits_for"]
    ordered = f"; not ordered yet: {safe_line(waits_for)}" if waits_for else ""
    invocation.progress(f"{machine} has another key, and nothing new is taken from the lost one{ordered}")
    invocation.progress("carry the answer there:  roosync-admin install ANSWER.pem")
