"""``roosync-admin invite``, and ``request``, ``issue``, ``install``: machines are let in."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import click

from roosync_p2p import limits
from roosync_p2p.admin.arguments import parse_fleet_argument, parse_invited
from roosync_p2p.api.durations import parse_duration_s
from roosync_p2p.api.questions import require_yes
from roosync_p2p.api.terminal import Invocation, common_options, safe_line
from roosync_p2p.clock import rfc3339
from roosync_p2p.ids import FleetId

if TYPE_CHECKING:
    from roosync_p2p.trust.enrolment import Enrolment

__all__ = ["install", "invite", "issue", "request"]

# As `roosync join` reports it: with an answer that was carried by hand there is nobody who could dial back.
_NOT_CHECKED: Final[Mapping[str, object]] = {
    "checked": False,
    "reachable": None,
    "outcome": "carried_by_hand",
    "firewall_rule": None,
}


@click.command()
@click.argument("machine", metavar="MACHINE|any")
@click.option("--ttl", default="24h", show_default=True, metavar="TIME", help="How long the code works: 30m, 24h, 7d.")
@click.option("--contact", "contacts", multiple=True, metavar="HOST:PORT", help="Where this machine is reached.")
@click.option(
    "--role", "roles", multiple=True, metavar="R", help="approver or observer; asks for the root's passphrase."
)
@common_options
def invite(invocation: Invocation, machine: str, ttl: str, contacts: tuple[str, ...], roles: tuple[str, ...]) -> None:
    """Make a one-time join code, alone on standard output.

    Without --contact the code names this machine's own addresses. A role beyond member takes the root key, and a
    stopped node.

    \b
    Examples:
      roosync-admin invite myia-po-2023
      roosync-admin invite any --ttl 30m --contact 192.168.1.10:47600
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.adapters.system import read_now  # noqa: PLC0415 - the same
    from roosync_p2p.admin.inviting import check_contacts, invite_offline, roles_of  # noqa: PLC0415 - the same
    from roosync_p2p.admin.office import ask_node  # noqa: PLC0415 - the same
    from roosync_p2p.trust.roles import PLAIN_ROLES  # noqa: PLC0415 - the same

    home, invited = Home(invocation.home), parse_invited(machine)
    ttl_s = parse_duration_s(ttl, longest_s=limits.INVITE_TTL_S_MAX)
    addresses, granted = check_contacts(contacts), roles_of(roles)
    answer = None
    if granted == PLAIN_ROLES:  # what takes the root's key is not done by a node: it never sees a passphrase
        answer = ask_node(home, lambda client: client.invite(invited, ttl_s=ttl_s, contacts=addresses))
    if answer is None:
        made = invite_offline(
            home,
            invited,
            ttl_s=ttl_s,
            contacts=addresses,
            roles=granted,
            environ=os.environ,
            wall_s=read_now().wall_ms // 1000,
        )
        answer = {"code": made.text, "machine": made.machine, "expires": rfc3339(made.expires_s * 1000)}
        _say_where(invocation, made.contacts)
    invocation.progress(f"one-time code for {answer['machine'] or 'any machine'}, until {answer['expires']}; there:")
    invocation.progress("  roosync join CODE")
    if invocation.as_json:
        invocation.print_json(answer)
    else:
        invocation.print(str(answer["code"]))


@click.command()
@click.option("--machine", metavar="ID", help="This machine's id. [default: ROOSYNC_MACHINE_ID, else the host name]")
@click.option("--out", metavar="FILE", help="Write the request there instead of to standard output.")
@common_options
def request(invocation: Invocation, machine: str | None, out: str | None) -> None:
    """On a machine that joins: make its key, and a request for an issuer.

    For machines without a network between them; else use `roosync join`. Carry the request to an issuer, who runs
    `roosync-admin issue` with it, and bring the answer back for `roosync-admin install`.

    \b
    Examples:
      roosync-admin request --machine myia-po-2023 --out myia-po-2023.request.pem
      roosync-admin request > request.pem
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.documents import check_target, write_document  # noqa: PLC0415 - the same
    from roosync_p2p.admin.enrolling import make_request  # noqa: PLC0415 - the same

    check_target(out)
    pending = make_request(Home(invocation.home), machine, environ=os.environ, host_name=socket.gethostname())
    pem = pending.request_path.read_bytes()
    if out is not None and out != "-":
        write_document(out, pem)
    invocation.progress(f"the key of {pending.machine} is in {invocation.home}; it never leaves this machine")
    invocation.progress(f"key id: {pending.key.key_id.hex()}")
    invocation.progress("carry the request to an issuer:  roosync-admin issue REQUEST.pem --out ANSWER.pem")
    invocation.progress("and the answer back here:        roosync-admin install ANSWER.pem")
    facts = {"machine": pending.machine, "key": pending.key.key_id.hex(), "file": out, "request": pem.decode()}
    _give(invocation, facts, out, pem)


@click.command()
@click.argument("request_file", metavar="REQUEST.pem")
@click.option("--out", metavar="FILE", help="Write the answer there instead of to standard output.")
@common_options
def issue(invocation: Invocation, request_file: str, out: str | None) -> None:
    """On an issuer: answer a request that was carried by hand.

    The machine becomes a member. The answer is no secret.

    \b
    Examples:
      roosync-admin issue myia-po-2023.request.pem --out answer.pem
      roosync-admin issue - < request.pem > answer.pem
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.adapters.system import read_now  # noqa: PLC0415 - the same
    from roosync_p2p.admin.documents import check_target, read_document, write_document  # noqa: PLC0415 - the same
    from roosync_p2p.admin.enrolling import answer_of, check_request, issue_offline  # noqa: PLC0415 - the same
    from roosync_p2p.admin.office import ask_node  # noqa: PLC0415 - the same
    from roosync_p2p.trust.enrolment import enrolment_to_pem  # noqa: PLC0415 - the same

    check_target(out)
    home, asked = Home(invocation.home), check_request(read_document(request_file))
    answer = ask_node(home, lambda client: client.issue(asked.decode()))
    if answer is not None:
        enrolment = answer_of(answer)
    else:
        enrolment = issue_offline(home, asked, wall_s=read_now().wall_ms // 1000)
    pem = enrolment_to_pem(enrolment)
    if out is not None and out != "-":
        write_document(out, pem)
    invocation.progress(f"admitted {enrolment.machine}, key id {enrolment.public.key_id.hex()}")
    invocation.progress("carry the answer there:  roosync-admin install ANSWER.pem")
    invocation.progress(f"where this fleet id has to be confirmed: {enrolment.fleet.hex()}")
    facts = {
        "machine": enrolment.machine,
        "fleet": enrolment.fleet.hex(),
        "key": enrolment.public.key_id.hex(),
        "file": out,
        "answer": pem.decode(),
    }
    _give(invocation, facts, out, pem)


@click.command()
@click.argument("answer_file", metavar="ANSWER.pem")
@click.option(
    "--fleet", metavar="ID", help="The fleet id that the issuer showed; asked for at the terminal without it."
)
@common_options
def install(invocation: Invocation, answer_file: str, fleet: str | None) -> None:
    """On a machine that joins: make the issuer's answer this machine's identity.

    Shows the fleet id, which you compare with the one that the issuer's `issue` printed, or give with --fleet.

    \b
    Examples:
      roosync-admin install answer.pem
      roosync-admin install answer.pem --fleet 3f0a…
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.documents import read_document  # noqa: PLC0415 - the same
    from roosync_p2p.admin.enrolling import install_answer  # noqa: PLC0415 - the same

    meant = None if fleet is None else parse_fleet_argument(fleet)
    identity = install_answer(
        Home(invocation.home),
        read_document(answer_file),
        confirm=lambda answer: _confirmed(invocation, answer) if meant is None else meant,
    )
    if invocation.as_json:
        facts = {"machine": identity.machine, "fleet": identity.fleet.hex(), "fleet_name": identity.fleet_name}
        invocation.print_json({**facts, "home": str(invocation.home), "inbound": _NOT_CHECKED})
    else:
        invocation.print(f"{identity.machine} is a machine of the fleet {safe_line(identity.fleet_name)}")
        invocation.print("whether other machines can connect to this one was not checked: nobody was asked")
        invocation.print("next:\n  roosync up")


def _confirmed(invocation: Invocation, answer: Enrolment) -> FleetId:
    """The fleet of the answer, once the person has compared it."""
    invocation.progress(f"machine:  {answer.machine}")
    invocation.progress(f"fleet id: {answer.fleet.hex()}")
    require_yes("Is this the fleet id that the issuer showed?", instead="--fleet ID")
    return answer.fleet


def _say_where(invocation: Invocation, contacts: tuple[str, ...]) -> None:
    if contacts:
        invocation.progress(f"it names this machine at {', '.join(contacts)}")
    else:
        invocation.progress("it names no address: the other machine looks on the LAN, or use --contact HOST:PORT")
    invocation.progress("it works while the node runs here: roosync up")


def _give(invocation: Invocation, facts: dict[str, str | None], out: str | None, pem: bytes) -> None:
    """The facts as JSON, or where the file is, or the file itself."""
    if invocation.as_json:
        invocation.print_json(facts)
    elif out is not None and out != "-":
        invocation.print(out)
    else:
        invocation.print(pem.decode().rstrip())
