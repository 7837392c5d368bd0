"""``roosync-admin rotate MACHINE --lost``: another key for a machine that lost its own (docs/protocol/trust.md §11).

1. What the statement would say is worked out from what this home holds, and shown.
2. The root signs it. It holds the new certificate, which this machine's issuer key signs.
3. The running node hears it and tells everybody; where none runs, the store keeps it for the next start.
4. The answer, which the statement goes with, is written; then the statement is ordered.

The same request again gets the same answer again, without the root: an answer that was lost is no second loss.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import Identity, issue_machine_certificate, load_identity
from roosync_p2p.admin.office import ask_node, directory_of, open_office, read_store
from roosync_p2p.admin.revoking import cut_shown, entry_text, last_counting
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.revocations import registered_key
from roosync_p2p.core.rotations import MEMBER_ROTATE, ROTATION, lost_record, rotate_body
from roosync_p2p.core.rows import Loaded, PendingRow
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.errors import InputFault, UndecidedError
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.trust.certificates import Request, parse_request
from roosync_p2p.trust.directory import Directory, Member
from roosync_p2p.trust.enrolment import Enrolment, enrolment_to_pem, lost_to_pem
from roosync_p2p.trust.envelopes import parse_envelope
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.rotations import LostKey, read_rotation
from roosync_p2p.trust.statements import KeyLost, seal_statement

__all__ = ["PlannedLoss", "answer_pem", "hear_loss", "loss_document", "loss_lines", "order_loss", "plan_loss"]

_SERIAL_BYTES = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLoss:
    """A statement before it is signed; or one that was, for the same request.

    Attributes:
        again: the envelope of that; empty for a new one.
    """

    statement: KeyLost
    identity: Identity
    again: bytes = b""

    def sealed(self, root: Callable[[], SigningKey]) -> bytes:
        """Signed by the root, which is asked for only if it was not before."""
        return self.again or seal_statement(root(), self.statement, fleet=self.identity.fleet)


def plan_loss(home: Home, machine: MachineId, pem: bytes, *, reason: str, wall_s: int) -> PlannedLoss:
    """What the root would say, from what this home holds, with the certificate of the new key.

    Args:
        pem: the request that the machine made anew; its person vouches for that it is the machine's.
        wall_s: Unix seconds.

    Raises:
        InputFault: this machine itself (``own_machine``), a request of another machine (``wrong_machine``), no issuer
            here (``not_an_issuer``), nobody known (``no_such_machine``), a machine that is out (``not_a_member``), or a
            key that was used before (``key_revoked``, ``key_in_use``). Nothing was signed.
        MalformedError, SignatureFault: the request is damaged.
        EnvironmentFault, StoreError: identity or store.
    """
    identity, request = load_identity(home.path), parse_request(pem)
    if machine == identity.machine:
        raise InputFault(
            f"{machine} is this machine, and its key is here; nothing was signed",
            code="own_machine",
            remedy="`roosync-admin rotate` gives it another key",
        )
    if request.machine != machine:
        raise InputFault(
            f"the request is of {request.machine}, not of {machine}; nothing was signed", code="wrong_machine"
        )
    loaded = read_store(home)
    directory = directory_of(identity, loaded)
    known = _said_before(loaded, machine, request)
    if known is not None:
        return PlannedLoss(statement=_statement(known), identity=identity, again=known)
    _require_issuer(identity, directory)
    before = _key_before(loaded, identity, directory, machine)
    _require_fresh(directory, request)
    given = issue_machine_certificate(identity, request, wall_s=wall_s)
    own_issuers = {i.key_id for i in directory.issuers.values() if i.machine == machine} - directory.given_up
    statement = KeyLost(
        machine=machine,
        old=before.key_id,
        new=request.public.key_id,
        former_leaf=before.leaf,
        former_issuer=before.issuer,
        leaf=given.leaf,
        issuer=given.issuer,
        issuers=tuple(sorted(own_issuers)),
        ledger=last_counting(loaded, machine, LEDGER),
        mail=last_counting(loaded, machine, MAIL),
        reason=reason,
        by=identity.machine,
        time_ms=wall_s * 1000,
        serial=os.urandom(_SERIAL_BYTES),
    )
    return PlannedLoss(statement=statement, identity=identity)


def loss_lines(planned: PlannedLoss) -> list[str]:
    """What a person has to see before the root signs."""
    said = planned.statement
    return [
        f"machine:            {said.machine}",
        f"lost key:           {KeyId(said.old).hex()}",
        *(f"lost issuer key:    {key.hex()}" for key in said.issuers),
        f"new key:            {KeyId(said.new).hex()}",
        f"last ledger entry:  {entry_text(said.ledger)}",
        f"last mail entry:    {entry_text(said.mail)}",
    ]


def hear_loss(home: Home, envelope: bytes) -> bool | None:
    """Brings the statement to the running node, or into the store where none runs.

    Returns:
        Whether the register has the new key already; None where no node runs: its next start has it ordered.

    Raises:
        InputFault: the node does not take it.
        EnvironmentFault, StoreError: the home or its store.
    """
    heard = ask_node(home, lambda client: client.key_lost(envelope))
    if heard is not None:
        return bool(heard["ordered"])
    with open_office(home, "roosync-admin rotate") as office:
        row = lost_record(envelope)
        if not any(row == held for held in office.loaded.records):
            body = encode(rotate_body(envelope))
            office.commit([row, PendingRow(number=office.next_pending(), kind=MEMBER_ROTATE, body=body)])
    return None


def order_loss(home: Home, envelope: bytes) -> JsonObject:
    """Has the running node order the statement; ``commit_number``, or what it ``waits_for``.

    Raises:
        InputFault: the ledger refuses it.
    """
    try:
        ordered = SyncClient(home.path).carry_statement(MEMBER_ROTATE, envelope)
    except UndecidedError as error:
        return {"commit_number": None, "waits_for": error.message}
    except InputFault:
        if not hear_loss(home, envelope):  # else it waited already, and was ordered before this one
            raise
        return {"commit_number": None, "waits_for": None}
    return {"commit_number": ordered["commit_number"], "waits_for": None}


def answer_pem(planned: PlannedLoss, envelope: bytes) -> bytes:
    """What the machine installs: its certificates, and the statement, by which everybody accepts them."""
    said = planned.statement
    enrolment = Enrolment.checked(leaf=said.leaf, issuer=said.issuer, root=planned.identity.root)
    return enrolment_to_pem(enrolment) + lost_to_pem(envelope)


def loss_document(planned: PlannedLoss) -> JsonObject:
    """The facts, for ``--json``."""
    said = planned.statement
    return {
        "machine": said.machine,
        "fleet": planned.identity.fleet.hex(),
        "former": KeyId(said.old).hex(),
        "key": KeyId(said.new).hex(),
        "issuers": [key.hex() for key in said.issuers],
        "ledger": cut_shown(said.ledger),
        "mail": cut_shown(said.mail),
        "reason": said.reason,
    }


def _said_before(loaded: Loaded, machine: MachineId, request: Request) -> bytes | None:
    for row in loaded.records:
        if row.kind == ROTATION and row.author == machine:
            said = read_rotation(row.envelope)
            if isinstance(said, LostKey) and said.new == request.public.key_id:
                return row.envelope
    return None


def _require_issuer(identity: Identity, directory: Directory) -> None:
    key = identity.issuer_key
    if key is None or key.key_id in directory.given_up:
        issuers = sorted({i.machine for i in directory.issuers.values() if i.key_id not in directory.given_up})
        raise InputFault(
            f"{identity.machine} is not an issuer, and the new key needs a certificate; nothing was signed",
            code="not_an_issuer",
            remedy="run this on an issuer; where none is left, make one first: roosync-admin issuer",
            details={"issuers": list(issuers)},
        )


def _key_before(loaded: Loaded, identity: Identity, directory: Directory, machine: MachineId) -> Member:
    """The key that was lost: the one that the register has, where a rotation of the machine is not ordered yet."""
    pinned = directory.members.get(machine)
    registered, ended = registered_key(loaded, identity.root, machine)
    if pinned is None or ended:
        was = ended or any(name == machine for name, _ in directory.former)
        raise InputFault(
            f"{machine} is {'a member no more' if was else 'not known here'}; nothing was signed",
            code="not_a_member" if was else "no_such_machine",
            remedy=f"let it in anew: roosync-admin invite {machine}" if was else "see `roosync-admin list`",
            details={"machine": machine},
        )
    return pinned if registered is None else directory.former.get((machine, registered), pinned)


def _require_fresh(directory: Directory, request: Request) -> None:
    """A key is one machine's, for one purpose, once."""
    key_id, pinned = request.public.key_id, directory.members.get(request.machine)
    if pinned is not None and pinned.key_id == key_id:
        raise InputFault(f"{request.machine} has that key already; nothing was signed", code="key_in_use")
    used = {member.key_id for member in directory.members.values()} | directory.given_up | directory.issuers.keys()
    if key_id in used or key_id == directory.root.public.key_id:
        raise InputFault(
            "a new key is one that nobody had before; nothing was signed",
            code="key_revoked",
            remedy="make another one there: a new home, and `roosync-admin request`",
        )


def _statement(envelope: bytes) -> KeyLost:
    return decode(parse_envelope(envelope, size_max=limits.ROTATION_BYTES_MAX).payload, KeyLost)
