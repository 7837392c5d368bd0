"""Founding, members and persons (docs/protocol/ledger.md §5).

What the root's signature decides is carried by an entry of any member: the statement inside counts, once, and not the
carrier. A key that a fleet has given up never comes back.
"""

from __future__ import annotations

import msgspec

from roosync_p2p.errors import UntrustedError
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import Carrier, MemberLeave, MemberRetire, MemberRotate, MemberSettle
from roosync_p2p.ledger.claims import Detail, free_all_of
from roosync_p2p.ledger.cursors import cursor_of, settled_key
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.register import (
    FLEET,
    FleetState,
    IssuerState,
    MemberState,
    PersonState,
    Register,
    issuer_key,
    member_key,
    person_key,
    register_changed,
    register_of_draft,
)
from roosync_p2p.ledger.targets import forget_target
from roosync_p2p.trust.certificates import verify_issuer_certificate, verify_machine_chain
from roosync_p2p.trust.directory import ROOT_AUTHOR, issuer_author
from roosync_p2p.trust.envelopes import Verified
from roosync_p2p.trust.roles import ISSUER, OBSERVER, parse_roles
from roosync_p2p.trust.statements import (
    FleetFound,
    KeyLost,
    MemberAdmit,
    MemberRoles,
    PersonKey,
    PersonRemoval,
    Revocation,
    RootWord,
    S,
    open_statement,
    verify_fleet_found,
    verify_member_admit,
)

__all__ = [
    "add_person",
    "admit",
    "found",
    "leave",
    "remove",
    "remove_person",
    "retire",
    "root_statement",
    "rotate",
    "rotate_person",
    "set_roles",
    "settle",
]


def found(draft: Draft, _body: Carrier) -> Detail:
    """The root founds the fleet; its founder says so, with its second entry."""
    register = register_of_draft(draft)
    if register.fleet is not None:
        raise Refused("already_founded")
    assert draft.entry.body is not None
    said: FleetFound = verify_fleet_found(draft.entry.body, register.root_directory)
    if said.machine != draft.author:
        raise Refused("not_the_founder", founder=said.machine)
    fleet = register.root_directory.fleet
    draft.put(FLEET, FleetState(name=said.fleet_name, founder=said.machine, id=fleet, number=draft.number))
    _enter(draft, said.machine, key=said.key, roles=said.roles, by=said.machine)
    _know_issuer(draft, register, said.issuer)
    draft.tell("fleet.founded", fleet=fleet.hex(), founder=said.machine)
    return {"fleet": fleet.hex()}


def admit(draft: Draft, body: MemberAdmit) -> Detail:
    """An issuer admits a member; roles beyond ``member`` carry the root's consent."""
    register = register_of_draft(draft)
    assert draft.entry.body is not None
    if body.admitted_by != draft.author:
        raise Refused("not_the_author", admitted_by=body.admitted_by)
    said = verify_member_admit(draft.entry.body, register.root_directory)
    present = register.present(said.machine)
    if present is not None:
        return _admitted_again(present, said)
    _require_new_key(draft, said.key)
    if said.invite:
        invite = f"invite/{said.invite.hex()}"
        if draft.get(invite) is not None:
            raise Refused("invite_used")
        draft.put(invite, draft.number)
    _enter(draft, said.machine, key=said.key, roles=said.roles, by=draft.author)
    _know_issuer(draft, register_of_draft(draft), said.issuer)
    draft.tell("member.admitted", machine=said.machine, roles=list(said.roles), by=draft.author)
    return {"machine": said.machine, "roles": list(said.roles)}


def rotate(draft: Draft, body: MemberRotate) -> Detail:
    """A machine has another key: the old one signed this entry, or the root says that it was lost."""
    register = register_of_draft(draft)
    member = register.present(body.machine)
    if member is None:
        raise Refused("unknown_member", machine=body.machine)
    certificate = verify_machine_chain(body.leaf, body.issuer, root=register.root_directory.root)
    if (certificate.machine, certificate.public.key_id) != (body.machine, body.key_id):
        raise Refused("wrong_key", machine=body.machine)
    lost = bool(body.statement)
    now = msgspec.structs.replace(member, key=body.key_id, former=b"", former_cut=(0, 0))
    if lost:
        said, _ = root_statement(draft, body.statement, KeyLost)
        if (said.machine, said.old, said.new) != (body.machine, member.key, body.key_id):
            raise Refused("other_statement", machine=body.machine)
        now = _after_loss(draft, register, now, said)
    elif draft.author != body.machine:
        raise Refused("not_the_author", machine=body.machine)
    _require_new_key(draft, body.key_id)
    _give_up(draft, member.key)
    draft.put(member_key(body.machine), now)
    register_changed(draft)
    draft.tell("member.rotated", machine=body.machine, lost=lost, key=body.key_id.hex())
    return {"machine": body.machine, "lost": lost}


def set_roles(draft: Draft, body: Carrier) -> Detail:
    """The root gives a member other roles."""
    said, register = root_statement(draft, body.statement, MemberRoles)
    member = register.present(said.machine)
    if member is None:
        raise Refused("unknown_member", machine=said.machine)
    if parse_roles(said.roles) != said.roles:
        raise Refused("bad_role")
    draft.put(member_key(said.machine), msgspec.structs.replace(member, roles=said.roles))
    register_changed(draft)
    if said.issuer:
        _know_issuer(draft, register_of_draft(draft), said.issuer)
    if OBSERVER in said.roles:  # an observer holds no claim and applies nothing
        free_all_of(draft, said.machine)
        forget_target(draft, said.machine)
    draft.tell("member.roles", said.machine, machine=said.machine, roles=list(said.roles), carried_by=draft.author)
    return {"machine": said.machine, "roles": list(said.roles)}


def leave(draft: Draft, body: MemberLeave) -> Detail:
    """The author is a member no more, by its own wish."""
    header = draft.entry.header
    return _end(draft, draft.author, "left", body.reason, cut=(header.incarnation, header.sequence))


def retire(draft: Draft, body: MemberRetire) -> Detail:
    """An issuer lets a machine go. Another issuer takes the root: see ``member.remove``."""
    register = register_of_draft(draft)
    if register.has_role(body.machine, ISSUER):
        raise Refused("needs_root", machine=body.machine)
    if body.machine == draft.author or register.present(body.machine) is None:
        raise Refused("unknown_member", machine=body.machine)
    return _end(draft, body.machine, "retired", body.reason, cut=cursor_of(draft, body.machine).place)


def remove(draft: Draft, body: Carrier) -> Detail:
    """A machine is revoked. Of several statements the lowest cut holds."""
    register = register_of_draft(draft)
    said, verified = open_statement(body.statement, Revocation, register.root_directory)
    member = register.members.get(said.machine)
    if member is None:
        raise Refused("unknown_member", machine=said.machine)
    _require_may_revoke(register, verified, said.machine)
    _require_own_keys(register, member, said)
    _use_once(draft, said, verified)
    for key_id in said.keys:
        _give_up(draft, key_id)
    cut = (1, 0) if said.ledger is None else (said.ledger.incarnation, said.ledger.sequence)
    if not member.ended:
        return _end(draft, said.machine, "removed", said.reason, cut=cut)
    lower = msgspec.structs.replace(member, ended="removed", reason=said.reason, cut=min(cut, member.cut))
    draft.put(member_key(said.machine), lower)
    register_changed(draft)
    return {"machine": said.machine, "ended": "removed"}


def settle(draft: Draft, body: MemberSettle) -> Detail:
    """Of a forked chain one branch goes on. What has a number keeps it."""
    member = register_of_draft(draft).members.get(body.machine)
    if member is None:
        raise Refused("unknown_member", machine=body.machine)
    cursor = cursor_of(draft, body.machine)
    place = (body.incarnation, body.sequence)
    if body.chain == "ledger":
        if place < cursor.place or (place == cursor.place and body.keep != cursor.id):
            raise Refused("already_ordered", machine=body.machine)
        draft.put(settled_key(body.machine, *place), body.keep)
    draft.tell(
        "member.settled",
        body.machine,
        machine=body.machine,
        incarnation=body.incarnation,
        chain=body.chain,
        sequence=body.sequence,
        keep=body.keep.hex(),
        by=draft.author,
    )
    return {"machine": body.machine, "keep": body.keep.hex()}


# --- persons ------------------------------------------------------------------------------------------------------


def add_person(draft: Draft, body: Carrier) -> Detail:
    """The root names a person who approves."""
    said, register = root_statement(draft, body.statement, PersonKey)
    if said.person in register.persons:
        raise Refused("already_known", person=said.person)
    if said.replaces:
        raise Refused("other_statement", person=said.person)
    return _write_person(draft, said)


def rotate_person(draft: Draft, body: Carrier) -> Detail:
    """A person has another key, instead of the one that the root names."""
    said, register = root_statement(draft, body.statement, PersonKey)
    known = register.persons.get(said.person)
    if known is None:
        raise Refused("unknown_person", person=said.person)
    if said.replaces != known.key:
        raise Refused("other_statement", person=said.person)
    return _write_person(draft, said)


def remove_person(draft: Draft, body: Carrier) -> Detail:
    """A person approves no more."""
    said, register = root_statement(draft, body.statement, PersonRemoval)
    if said.person not in register.persons:
        raise Refused("unknown_person", person=said.person)
    draft.delete(person_key(said.person))
    register_changed(draft)
    draft.tell("person.removed", person=said.person)
    return {"person": said.person}


def _write_person(draft: Draft, said: PersonKey) -> Detail:
    draft.put(person_key(said.person), PersonState(key=said.key, label=said.label, number=draft.number))
    register_changed(draft)
    draft.tell("person.key", person=said.person)
    return {"person": said.person}


# --- steps --------------------------------------------------------------------------------------------------------


def root_statement(draft: Draft, envelope: bytes, kind: type[S]) -> tuple[S, Register]:
    """A statement by the root itself, which counts once; and the register as it stands.

    Raises:
        PeerFault: not such a statement, or by somebody else (``not_root``).
        Refused: it was used before (``already_used``), or its time is over (``too_late``).
    """
    register = register_of_draft(draft)
    said, verified = open_statement(envelope, kind, register.root_directory)
    if verified.author != ROOT_AUTHOR:
        raise UntrustedError("this takes the root's signature", code="not_root")
    _use_once(draft, said, verified)
    return said, register


def _use_once(draft: Draft, said: RootWord, verified: Verified) -> None:
    """Roles that were taken away, or a person who was removed, do not come back by repeating an old statement."""
    if said.not_after_ms and draft.time_ms > said.not_after_ms:
        raise Refused("too_late", not_after_ms=said.not_after_ms)
    key = f"statement/{verified.digest.hex()}"
    if draft.get(key) is not None:
        raise Refused("already_used")
    draft.put(key, draft.number)


def _require_may_revoke(register: Register, verified: Verified, machine: str) -> None:
    if verified.author == ROOT_AUTHOR:
        return
    if register.has_role(machine, ISSUER):
        raise Refused("needs_root", machine=machine)
    by_issuer = any(
        verified.author == issuer_author(MachineId(member)) and register.has_role(member, ISSUER)
        for member in register.acting
    )
    if not by_issuer:
        raise Refused("no_authority", kind="member.remove")


def _require_own_keys(register: Register, member: MemberState, said: Revocation) -> None:
    """One that was made for an earlier key does not end what began since, and nobody loses a key by another's name."""
    others = {state.key for machine, state in register.members.items() if machine != said.machine}
    if others & set(said.keys) or (not member.ended and member.key not in said.keys):
        raise Refused("other_key", machine=said.machine)


def _after_loss(draft: Draft, register: Register, member: MemberState, said: KeyLost) -> MemberState:
    """What the lost key signed counts up to the cut. Its issuer key was on the same disk, and is given up for good."""
    for issuer in register.issuers:
        if issuer.machine == said.machine:
            key_id = verify_issuer_certificate(issuer.certificate, root=register.root_directory.root).public.key_id
            _give_up(draft, key_id)
            draft.delete(issuer_key(key_id))
    roles = tuple(role for role in member.roles if role != ISSUER)
    cut = (0, 0) if said.ledger is None else (said.ledger.incarnation, said.ledger.sequence)
    return msgspec.structs.replace(member, roles=roles, former=said.old, former_cut=cut)


def _enter(draft: Draft, machine: str, *, key: bytes, roles: tuple[str, ...], by: str) -> None:
    member = MemberState(key=key, roles=roles, number=draft.number, by=by, since_ms=draft.time_ms)
    draft.put(member_key(machine), member)
    register_changed(draft)


def _admitted_again(present: MemberState, said: MemberAdmit) -> Detail:
    """Two issuers, or one twice: the second admission changes nothing, and must not say anything else."""
    if present.key != said.key:
        raise Refused("key_conflict", machine=said.machine)
    if present.roles != said.roles:
        raise Refused("already_member", machine=said.machine, roles=list(present.roles))
    return {"machine": said.machine, "roles": list(said.roles), "unchanged": True}


def _know_issuer(draft: Draft, register: Register, der: bytes) -> None:
    """Keeps the certificate of an issuer key; it counts while its machine has the role."""
    certificate = verify_issuer_certificate(der, root=register.root_directory.root)
    key = issuer_key(certificate.public.key_id)
    if draft.get(f"retired/{certificate.public.key_id.hex()}") is not None:
        return  # it was lost with its machine's key: an admission that names it says nothing for it
    if draft.get(key) is None:
        draft.put(key, IssuerState(machine=certificate.machine, certificate=der))
        register_changed(draft)


def _end(draft: Draft, machine: str, how: str, reason: str, *, cut: tuple[int, int]) -> Detail:
    member = register_of_draft(draft).present(machine)
    assert member is not None
    ended = msgspec.structs.replace(member, ended=how, ended_number=draft.number, cut=cut, reason=reason)
    draft.put(member_key(machine), ended)
    _give_up(draft, member.key)
    draft.delete(f"support/{machine}")
    register_changed(draft)
    free_all_of(draft, machine)
    forget_target(draft, machine)
    draft.tell("member.ended", machine=machine, how=how, reason=reason)
    return {"machine": machine, "ended": how}


def _give_up(draft: Draft, key_id: bytes) -> None:
    draft.put(f"retired/{key_id.hex()}", draft.number)


def _require_new_key(draft: Draft, key_id: bytes) -> None:
    if draft.get(f"retired/{key_id.hex()}") is not None:
        raise Refused("key_retired", key=key_id.hex())
