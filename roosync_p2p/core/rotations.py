"""Keys that machines replaced: heard, kept, passed on, and made (docs/protocol/trust.md §10, §11).

A rotation proves itself: the old key signed it, or the root, where that was lost, and an issuer certified the new one.
From the moment that one is heard the old key says nothing new; what it signed up to the cut goes on to count. This
machine's own rotation is one transaction: its ``member.rotate``, signed with the old key, and the rotation. Whatever is
signed behind it in memory, is signed with the new key.

Where the key was lost, the store was too: everything that the others remember of the old one is forgotten, as with a
revocation, and the machine begins a new life behind the cut.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.certificates import Certificates
from roosync_p2p.core.delivery import Delivery
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import InstallCertificate, Ticket
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import MetaRow, RecordRow
from roosync_p2p.core.wire import LeafAnswer, RecordFrame
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.entries.incarnations import Known
from roosync_p2p.errors import ConflictError, InputFault, PeerFault, UntrustedError
from roosync_p2p.gossip.latest import LatestRecord
from roosync_p2p.ids import Chain, Epoch, KeyId, MachineId
from roosync_p2p.ledger.bodies import MemberRotate, in_epoch
from roosync_p2p.ledger.register import Register
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.envelopes import Verified, parse_envelope
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.revocations import keys_of_others
from roosync_p2p.trust.rotations import LostKey, Rotation, read_rotation, seal_rotation, verify_rotation
from roosync_p2p.trust.statements import Cut

__all__ = [
    "MEMBER_ROTATE",
    "ROTATION",
    "HeardLost",
    "Rotations",
    "lost_keys",
    "lost_record",
    "own_rotation",
    "rotate_body",
]

ROTATION = "rotation"  # kind of the record
MEMBER_ROTATE = "member.rotate"
_HEARD: Final = "key_lost."  # of the meta rows that say when it was heard that a key was lost


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HeardLost:
    """That a key was replaced by the root's word. ``heard_ms``: when this node heard of it, by its wall clock."""

    said: LostKey
    heard_ms: int


class Rotations:
    """The rotations that this node knows, and the one that it makes.

    Args:
        register: as far as it is applied here.
        epoch: the one in force.
        changed: called when a machine has another key.
        replaced: called with a machine whose store was lost with its key: what it said of itself is forgotten.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        delivery: Delivery,
        authorship: Authorship,
        certificates: Certificates,
        rows: Iterable[RecordRow],
        meta: Mapping[str, bytes],
        *,
        register: Callable[[], Register],
        epoch: Callable[[], Epoch],
        changed: Callable[[], None],
        replaced: Callable[[MachineId], None],
    ) -> None:
        self._desk = desk
        self._links = links
        self._delivery = delivery
        self._authorship = authorship
        self._certificates = certificates
        self._register = register
        self._epoch = epoch
        self._changed = changed
        self._replaced = replaced
        self._said: dict[MachineId, dict[str, Rotation]] = {}  # by the subject of the record
        self._envelopes: dict[tuple[MachineId, str], bytes] = {}
        self._heard_ms = {key: int.from_bytes(value, "big") for key, value in meta.items() if key.startswith(_HEARD)}
        self._next: SigningKey | None = None
        self.refusal = ""
        self.told_after = Ticket(0)  # what this machine said of its own keys is durable with this
        for row in rows:
            if row.kind == ROTATION:
                self._keep(read_rotation(row.envelope), row.envelope)
        for machine in self._said:
            self._follow(machine)

    # --- what is known --------------------------------------------------------------------------------------------

    def allows(self, entry: Entry) -> bool:
        """Whether an entry was signed with a key that was not replaced, or stands before that."""
        said = self._said.get(entry.author)
        if said is None:
            return True
        key = parse_envelope(entry.raw, size_max=limits.ENTRY_HEADER_BYTES_MAX).key
        place = (entry.header.incarnation, entry.header.sequence)
        return all(place <= by.cut(entry.chain) for by in said.values() if by.old == key)

    def stop(self, key: ChainKey) -> int | None:
        """From which entry of a chain on nothing counts, because a lost key signed it; None if all of it does."""
        author, incarnation, chain = key
        cuts = [by.cut(chain) for by in self._said.get(author, {}).values() if isinstance(by, LostKey)]
        return min((sequence + 1 for last, sequence in cuts if last == incarnation), default=None)

    def own(self) -> Rotation | None:
        """The rotation by which the key that runs here was replaced; the root's word before the key's own."""
        mine = [by for by in self._said.get(self._desk.me, {}).values() if by.old == self._desk.identity.key.key_id]
        return max(mine, key=lambda by: isinstance(by, LostKey), default=None)

    def lost(self) -> list[HeardLost]:
        """What the root said of lost keys in the last seven days, as this node heard it; each pair of keys once."""
        since_ms = self._desk.now.wall_ms - limits.KEY_LOST_SHOWN_S * 1000
        found: dict[tuple[MachineId, bytes, bytes], HeardLost] = {}
        for machine, subjects in sorted(self._said.items()):
            for subject, said in sorted(subjects.items()):
                heard_ms = self._heard_ms.get(_heard_key(machine, subject), 0)
                if isinstance(said, LostKey) and heard_ms >= since_ms:
                    found.setdefault((machine, said.old, said.new), HeardLost(said=said, heard_ms=heard_ms))
        return list(found.values())

    def proofs(self, machine: MachineId) -> list[RecordFrame]:
        """What whoever knows an older key of a machine has to see, the newest of them, in order."""
        said = sorted(self._said.get(machine, {}).items(), key=lambda one: one[1].cut(LEDGER))
        newest = said[-limits.ROTATIONS_SHOWN_MAX :]
        return [RecordFrame(kind=ROTATION, envelope=self._envelopes[machine, subject]) for subject, _ in newest]

    @property
    def envelopes(self) -> list[bytes]:
        """Every rotation, by machine and old key."""
        return [self._envelopes[place] for place in sorted(self._envelopes)]

    # --- hearing --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """At the start: whether this machine's key was replaced elsewhere, or took the place of one that was lost."""
        said = self.own()
        if isinstance(said, LostKey):
            why = f": {said.reason}" if said.reason else ""
            self._authorship.revoked(
                f"the root said {_when(said)} that this machine's key was lost, and gave the machine another one{why};"
                " the others take nothing new from this home"
            )
        elif said is not None:
            self._authorship.revoked(
                "this machine's key was replaced by another one (roosync-admin rotate): this home is a copy of it, or"
                " an old backup"
            )
        mine = self._desk.identity.key.key_id
        for by in self._said.get(self._desk.me, {}).values():
            if isinstance(by, LostKey) and mine in self._desk.directory.with_heirs([KeyId(by.new)]):
                self._authorship.follows_lost({chain: _known(by, chain) for chain in (LEDGER, MAIL)})
        for machine, subjects in self._said.items():
            for subject, by in subjects.items():
                if isinstance(by, LostKey) and _heard_key(machine, subject) not in self._heard_ms:
                    self._note_heard(machine, subject)  # it came with the identity, or while no node ran

    def heard(self, verified: Verified, *, source: MachineId | None) -> Ticket:
        """A rotation came, its signature and certificates verified; durable with that ticket.

        Raises:
            PeerFault: the issuer of the new certificate was given up, or it gives up keys of somebody else.
            ConflictError: the same key said so before, or the root of it, of another new one.
        """
        said = read_rotation(verified.raw)
        known, subject = self._said.get(said.machine, {}), _subject(said, verified.raw)
        if subject in known:
            if known[subject].new != said.new:
                raise _two_keys(known[subject], said)
            return self._desk.newest_ticket
        if isinstance(said, LostKey):
            self._check_lost(said)
        if len(known) >= limits.ROTATIONS_PER_MACHINE_MAX:
            self._desk.count("rotations.too_many")
            return self._desk.newest_ticket
        before = self._desk.directory.members.get(said.machine)
        if not self._is_own(said):
            self._desk.rotated(said)
        self._keep(said, verified.raw)
        self._follow(said.machine)
        ticket = self._delivery.spread(_record(said, verified.raw), source=source)
        now = self._desk.directory.members.get(said.machine)
        if before is not None and now is not before:
            data: dict[str, object] = {"machine": said.machine, "former": before.key_id.hex()}
            self._desk.notify("rotated", data | {"key": None if now is None else now.key_id.hex()}, after=ticket)
        self._links.show_out(said.machine)
        if isinstance(said, LostKey):
            self._tell_lost(said, subject)
            if said.machine != self._desk.me and now is not before:
                self._replaced(said.machine)
        self._changed()
        self.begin()
        return ticket

    def carried(self, entry: Entry) -> None:
        """An entry was accepted; if it carries the root's word that a key was lost, that is heard.

        Raises:
            ConflictError: the root said so of the same key before, and of another new one.
        """
        if entry.header.kind != MEMBER_ROTATE or entry.body is None:
            return
        try:
            statement = decode(entry.body, MemberRotate, size_max=limits.ENTRY_BODY_BYTES_MAX).statement
            if statement:
                self.heard(verify_rotation(statement, self._desk.directory), source=None)
        except ConflictError:
            raise
        except PeerFault as fault:  # one without certificates, among others: the ledger judges it, and it is its alone
            self._desk.fault(fault)

    def offered(self, statement: bytes) -> tuple[LostKey, Ticket]:
        """A person brings the root's word that a key was lost; what it says, and when that is durable here.

        Raises:
            InputFault: it is none, or contradicts another (``key_conflict``); nothing was changed.
        """
        try:
            verified = verify_rotation(statement, self._desk.directory)
            said = read_rotation(verified.raw)
            if not isinstance(said, LostKey):
                raise InputFault("this is not the root's word that a key was lost", code="bad_statement")
            return said, self.heard(verified, source=None)
        except PeerFault as fault:
            raise InputFault(fault.message, code=fault.code, remedy=fault.remedy, details=fault.details) from fault

    def ordered(self, said: Rotation) -> bool:
        """Whether the register has the new key, as far as it is applied here."""
        member = self._register().present(said.machine)
        return member is not None and member.key == said.new

    def _check_lost(self, said: LostKey) -> None:
        for other in self._said.get(said.machine, {}).values():
            if isinstance(other, LostKey) and other.old == said.old and other.new != said.new:
                raise _two_keys(other, said)
        named = {KeyId(said.old), KeyId(said.new), *map(KeyId, said.issuers)}
        if named & keys_of_others(said.machine, self._desk.directory):
            raise UntrustedError(f"what was said of a lost key of {said.machine} names another's", code="other_key")

    def _tell_lost(self, said: LostKey, subject: str) -> None:
        ticket = self._note_heard(said.machine, subject)
        data: dict[str, object] = {"machine": said.machine, "by": said.by, "reason": said.reason}
        keys: dict[str, object] = {"former": said.old.hex(), "key": said.new.hex()}
        self._desk.notify("key_lost", data | keys, after=ticket)

    def _note_heard(self, machine: MachineId, subject: str) -> Ticket:
        key, now_ms = _heard_key(machine, subject), self._desk.now.wall_ms
        self._heard_ms[key] = now_ms
        return self._desk.persist(MetaRow(key=key, value=now_ms.to_bytes(8, "big")))

    def _is_own(self, said: Rotation) -> bool:
        """This machine keeps its own place in its directory: it shows why it is out."""
        return said.machine == self._desk.me and said.old == self._desk.identity.key.key_id

    def _keep(self, said: Rotation, envelope: bytes) -> None:
        subject = _subject(said, envelope)
        self._said.setdefault(said.machine, {})[subject] = said
        self._envelopes[said.machine, subject] = envelope

    def _follow(self, machine: MachineId) -> None:
        """Takes what had to wait for a rotation before it, until nothing changes any more."""
        before = None
        while before is not self._desk.directory:
            before = self._desk.directory
            for said in self._said[machine].values():
                if not self._is_own(said):
                    self._desk.rotated(said)

    # --- this machine's own ---------------------------------------------------------------------------------------

    def ask(self, key: SigningKey) -> list[MachineId]:
        """Asks the linked issuers to certify this machine's next key; who was asked. An issuer does it by itself.

        Raises:
            InputFault: this machine must not write now, is no member in the register yet (``not_a_member``), or its
                last rotation is not ordered yet (``rotation_pending``).
        """
        self._authorship.check_writable()
        member = self._register().present(self._desk.me)
        if member is None:
            raise InputFault(
                "the fleet has not ordered yet that this machine is a member; its key stays",
                code="not_a_member",
                remedy="try again once `roosync register` lists it",
            )
        if member.key != self._desk.identity.key.key_id:
            raise InputFault(
                "the fleet has not ordered this machine's last rotation yet; its key stays",
                code="rotation_pending",
                remedy="try again when a majority of the voters is awake",
            )
        if len(self._said.get(self._desk.me, {})) >= limits.ROTATIONS_PER_MACHINE_MAX:
            raise InputFault("this machine had too many keys; its key stays", code="rotations_too_many")
        self._next, self.refusal = key, ""
        issuer, request = self._desk.identity.issuer_key, self._certificates.request_for(key)
        if issuer is not None and issuer.key_id not in self._desk.directory.given_up:
            self._rotate(self._certificates.issued(request, rotates=True))
            return [self._desk.me]
        return self._certificates.ask_issuers(request, rotates=True)

    def answered(self, frame: LeafAnswer) -> bool:
        """An issuer answered; whether the answer is for the next key.

        Raises:
            PeerFault: the certificate does not lead to the root.
        """
        if self._next is None:
            return False
        if not frame.leaf:
            self.refusal = frame.refusal[:200]
            return True
        enrolment = Enrolment.checked(leaf=frame.leaf, issuer=frame.issuer, root=self._desk.identity.root)
        if enrolment.public != self._next.public or enrolment.machine != self._desk.me:
            return False
        self._authorship.check_writable()
        self._rotate(enrolment)
        return True

    def _rotate(self, enrolment: Enrolment) -> None:
        key, self._next = self._next, None
        assert key is not None
        identity, old = self._desk.identity, self._desk.identity.key
        body = MemberRotate(
            machine=self._desk.me, key_id=key.key_id, leaf=enrolment.leaf, issuer=enrolment.issuer, epoch=0
        )
        entry, ticket = self._authorship.append(LEDGER, MEMBER_ROTATE, in_epoch(encode(body), self._epoch()))
        said = Rotation(
            machine=self._desk.me,
            old=old.key_id,
            new=key.key_id,
            former_leaf=identity.leaf,
            former_issuer=identity.issuer,
            leaf=enrolment.leaf,
            issuer=enrolment.issuer,
            ledger=Cut(incarnation=entry.header.incarnation, sequence=entry.header.sequence, id=entry.id),
            mail=self._cut(MAIL),
        )
        envelope = seal_rotation(old, said, fleet=identity.fleet)
        self._desk.identity = dataclasses.replace(identity, key=key, leaf=enrolment.leaf, issuer=enrolment.issuer)
        self._desk.rotated(said)
        self._keep(said, envelope)
        # The disk first, then TLS, then the others: whoever has heard of it finds the new certificate here.
        self._desk.emit(InstallCertificate(leaf=enrolment.leaf, issuer=enrolment.issuer, rotates=True, after=ticket))
        self.told_after = self._delivery.spread(_record(said, envelope))
        self._delivery.key_replaced()
        data: dict[str, object] = {"machine": self._desk.me, "former": old.key_id.hex(), "key": key.key_id.hex()}
        self._desk.notify("rotated", data, after=ticket)
        self._changed()

    def _cut(self, chain: Chain) -> Cut:
        last = self._authorship.newest(chain)
        if last is None:
            return Cut(incarnation=self._authorship.incarnation, sequence=0)
        return Cut(incarnation=last.incarnation, sequence=last.sequence, id=last.id)


def own_rotation(rows: Iterable[RecordRow], machine: MachineId, key_id: KeyId) -> Rotation | None:
    """The rotation in the store by which a machine replaced that key."""
    for row in rows:
        if row.kind == ROTATION and row.author == machine:
            said = read_rotation(row.envelope)
            if said.old == key_id and not isinstance(said, LostKey):
                return said
    return None


def lost_keys(rows: Iterable[RecordRow]) -> list[LostKey]:
    """What the root said of lost keys, by what the store holds."""
    said = [read_rotation(row.envelope) for row in rows if row.kind == ROTATION]
    return [one for one in said if isinstance(one, LostKey)]


def rotate_body(statement: bytes) -> MemberRotate:
    """The body by which the ledger takes the root's word that a key was lost; the caller has verified that.

    Raises:
        MalformedError: it is none.
    """
    said = read_rotation(statement)
    return MemberRotate(
        machine=said.machine, key_id=said.new, leaf=said.leaf, issuer=said.issuer, statement=statement, epoch=0
    )


def lost_record(envelope: bytes) -> RecordRow:
    """The row by which a store holds the root's word that a key was lost; the caller has verified that."""
    said = read_rotation(envelope)
    subject = _subject(said, envelope)
    return RecordRow(kind=ROTATION, author=said.machine, subject=subject, start=0, counter=0, envelope=envelope)


def _record(said: Rotation, envelope: bytes) -> LatestRecord:
    subject = _subject(said, envelope)
    return LatestRecord(kind=ROTATION, author=said.machine, subject=subject, start=0, counter=0, envelope=envelope)


def _subject(said: Rotation, envelope: bytes) -> str:
    """A key says so of itself once. The root may say it twice, on two machines; of several the lowest cut holds."""
    return KeyId(said.old).hex() + (f".{sha256(envelope).hex()[:32]}" if isinstance(said, LostKey) else "")


def _heard_key(machine: MachineId, subject: str) -> str:
    return f"{_HEARD}{machine}.{subject}"


def _known(said: Rotation, chain: Chain) -> Known | None:
    last = said.mail if chain == MAIL else said.ledger
    return Known(incarnation=last.incarnation, sequence=last.sequence, id=last.id) if last.id else None


def _when(said: LostKey) -> str:
    where = f" (roosync-admin rotate --lost, on {said.by})" if said.by else ""
    return f"on {rfc3339(said.time_ms)}{where}"


def _two_keys(known: Rotation, shown: Rotation) -> ConflictError:
    machine = shown.machine
    by_root = isinstance(shown, LostKey)
    return ConflictError(
        f"the root gave {machine} two keys for one" if by_root else f"{machine} replaced one key by two different ones",
        code="key_conflict",
        remedy=f"find out who has its key, or the root's; then `roosync-admin revoke {machine}`, and a new invite",
        details={"machine": machine, "pinned": known.new.hex(), "shown": shown.new.hex()},
    )
