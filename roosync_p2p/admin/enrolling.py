"""Admitting a machine by files carried by hand: a request there, an answer here, installed there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from roosync_p2p.adapters.home import Home, create_home, read_settings
from roosync_p2p.adapters.keystore import (
    Identity,
    PendingIdentity,
    create_request,
    install_enrolment,
    issue_machine_certificate,
)
from roosync_p2p.admin.office import hold_home, open_office
from roosync_p2p.api.naming import propose_machine
from roosync_p2p.core.rows import MemberRow, PendingRow
from roosync_p2p.core.settings import parse_toml
from roosync_p2p.errors import InputFault, MalformedError, PeerFault, UntrustedError
from roosync_p2p.ids import FleetId
from roosync_p2p.trust.certificates import Request, parse_request
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.enrolment import Enrolment, certificates_from_pem, enrolment_from_pem, lost_from_pem
from roosync_p2p.trust.roles import PLAIN_ROLES
from roosync_p2p.trust.rotations import read_rotation, verify_rotation
from roosync_p2p.trust.statements import MEMBER_ADMIT, MemberAdmit, encode_member_admit

__all__ = ["answer_of", "check_request", "install_answer", "issue_offline", "make_request"]


def make_request(home: Home, machine: str | None, *, environ: Mapping[str, str], host_name: str) -> PendingIdentity:
    """The key and request of this machine; the same again when it was made before for the same id.

    Raises:
        UsageError: the machine id.
        InputFault: the home has an identity (``identity_exists``), or is in a synchronised folder.
        EnvironmentFault: the disk, or the home is in use.
    """
    create_home(home, environ)
    settings = parse_toml(read_settings(home)).node
    chosen = propose_machine(machine, settings.machine, environ, host_name)
    with hold_home(home, "roosync-admin request"):
        return create_request(home.path, chosen)


def check_request(pem: bytes) -> bytes:
    """The request as it is, once it is known to be one.

    Raises:
        MalformedError, SignatureFault: it is damaged or was tampered with; the remedy says how to get another.
    """
    try:
        parse_request(pem)
    except PeerFault as fault:
        remedy = fault.remedy or "bring the request again, as `roosync-admin request` wrote it"
        raise type(fault)(
            f"{fault.message}; nothing was issued", code=fault.code, remedy=remedy, details=fault.details
        ) from fault
    return pem


def issue_offline(home: Home, pem: bytes, *, wall_s: int) -> Enrolment:
    """The answer to a request, while no node runs here. Member and ledger entry are on disk before it is returned.

    The same request gets the same answer again, so an answer that was lost is no second admission.

    Raises:
        MalformedError, SignatureFault: the request is damaged or was tampered with.
        InputFault: no issuer (``not_an_issuer``), or the id has another, live key (``machine_exists``).
        EnvironmentFault: identity, store, or a home in use.
    """
    request = parse_request(pem)
    with open_office(home, "roosync-admin issue") as office:
        office.require_issuer()
        known = _known(office.directory, request)
        if known is not None:
            return known
        enrolment = issue_machine_certificate(office.identity, request, wall_s=wall_s)
        admit = MemberAdmit(
            machine=request.machine,
            key=request.public.key_id,
            roles=PLAIN_ROLES,
            leaf=enrolment.leaf,
            issuer=enrolment.issuer,
            admitted_by=office.identity.machine,
        )
        member = MemberRow(
            machine=request.machine, key_id=request.public.key_id, leaf=enrolment.leaf, issuer=enrolment.issuer
        )
        body = encode_member_admit(admit)
        office.commit([member, PendingRow(number=office.next_pending(), kind=MEMBER_ADMIT, body=body)])
    return enrolment


def answer_of(parts: Mapping[str, object]) -> Enrolment:
    """The answer that a running node gave, checked.

    Raises:
        PeerFault: its three certificates do not hold together.
    """
    ders = [certificates_from_pem(str(parts[part]).encode()) for part in ("certificate", "issuer", "root")]
    if any(len(der) != 1 for der in ders):
        raise MalformedError("the node's answer is not three certificates", code="bad_certificate")
    (leaf,), (issuer,), (root,) = ders
    return Enrolment.checked(leaf=leaf, issuer=issuer, root=root)


def install_answer(home: Home, pem: bytes, *, confirm: Callable[[Enrolment], FleetId]) -> Identity:
    """Makes the answer this machine's identity.

    Args:
        confirm: which fleet the user means to join, having seen what the answer says; raises if they do not.

    Raises:
        MalformedError, SignatureFault, UntrustedError: the answer is damaged, of another fleet, or for another key.
        InputFault: nothing waits for an answer here (``nothing_pending``), or there is an identity.
        EnvironmentFault: the disk; the key still waits then.
    """
    enrolment, lost = enrolment_from_pem(pem), lost_from_pem(pem)
    if lost is not None:
        _require_for(lost, enrolment)
    if not home.path.is_dir():
        raise InputFault(
            f"no key waits for a certificate in {home.path}",
            code="nothing_pending",
            remedy="begin with `roosync-admin request`, with the same --home",
        )
    with hold_home(home, "roosync-admin install"):
        return install_enrolment(home.path, enrolment, fleet=confirm(enrolment), lost=lost)


def _require_for(lost: bytes, enrolment: Enrolment) -> None:
    """Returns if that word of the root is about this machine and key.

    Raises:
        PeerFault: it is none of this fleet's root, or about another machine or key (``wrong_key``).
    """
    verify_rotation(lost, Directory.found(enrolment.root))
    said = read_rotation(lost)
    if (said.machine, said.new) != (enrolment.machine, enrolment.public.key_id):
        raise UntrustedError("what the answer says of a lost key is about another machine or key", code="wrong_key")


def _known(directory: Directory, request: Request) -> Enrolment | None:
    """The answer that this key got before; None for a new machine.

    Raises:
        InputFault: ``machine_exists``.
    """
    member = directory.members.get(request.machine)
    if member is None:
        return None
    if member.key_id != request.public.key_id:
        raise InputFault(
            f"{request.machine} is a member already, with another key; nothing was issued",
            code="machine_exists",
            remedy="choose another machine id for the new machine",
            details={"machine": request.machine, "key": member.key_id.hex(), "asked": request.public.key_id.hex()},
        )
    return Enrolment.checked(leaf=member.leaf, issuer=member.issuer, root=directory.root.der)
