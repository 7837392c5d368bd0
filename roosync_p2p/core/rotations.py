"""Keys that machines replaced while they lived: heard, kept, passed on, and made (docs/protocol/trust.md §10).

A rotation proves itself: the old key signed it, and an issuer certified the new one. From the moment that one is heard
the old key says nothing new; what it signed up to the cut goes on to count. This machine's own rotation is one
transaction: its ``member.rotate``, signed with the old key, and the rotation. Whatever is signed behind it in memory,
is signed with the new key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.certificates import Certificates
from roosync_p2p.core.delivery import Delivery
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import InstallCertificate, Ticket
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import RecordRow
from roosync_p2p.core.wire import LeafAnswer, RecordFrame
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.errors import ConflictError, InputFault
from roosync_p2p.gossip.latest import LatestRecord
from roosync_p2p.ids import Chain, Epoch, KeyId, MachineId
from roosync_p2p.ledger.bodies import MemberRotate, in_epoch
from roosync_p2p.ledger.register import Register
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.envelopes import Verified, parse_envelope
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.rotations import Rotation, read_rotation, seal_rotation
from roosync_p2p.trust.statements import Cut

__all__ = ["MEMBER_ROTATE", "ROTATION", "Rotations", "own_rotation"]

ROTATION = "rotation"  # kind of the record
MEMBER_ROTATE = "member.rotate"


class Rotations:
    """The rotations that this node knows, and the one that it makes.

    Args:
        register: as far as it is applied here.
        epoch: the one in force.
        changed: called when a machine has another key.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        delivery: Delivery,
        authorship: Authorship,
        certificates: Certificates,
        rows: Iterable[RecordRow],
        *,
        register: Callable[[], Register],
        epoch: Callable[[], Epoch],
        changed: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._links = links
        self._delivery = delivery
        self._authorship = authorship
        self._certificates = certificates
        self._register = register
        self._epoch = epoch
        self._changed = changed
        self._said: dict[MachineId, dict[bytes, Rotation]] = {}
        self._envelopes: dict[tuple[MachineId, bytes], bytes] = {}
        self._next: SigningKey | None = None
        self.refusal = ""
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
        by = said.get(parse_envelope(entry.raw, size_max=limits.ENTRY_HEADER_BYTES_MAX).key)
        return by is None or (entry.header.incarnation, entry.header.sequence) <= by.cut(entry.chain)

    def own(self) -> Rotation | None:
        """The rotation by which the key that runs here was replaced: this home is a copy, or an old one."""
        return self._said.get(self._desk.me, {}).get(self._desk.identity.key.key_id)

    def proofs(self, machine: MachineId) -> list[RecordFrame]:
        """What whoever knows an older key of a machine has to see, the newest of them, in order."""
        said = sorted(self._said.get(machine, {}).values(), key=lambda one: one.cut(LEDGER))
        newest = said[-limits.ROTATIONS_SHOWN_MAX :]
        return [RecordFrame(kind=ROTATION, envelope=self._envelopes[machine, one.old]) for one in newest]

    @property
    def envelopes(self) -> list[bytes]:
        """Every rotation, by machine and old key."""
        return [self._envelopes[place] for place in sorted(self._envelopes)]

    # --- hearing --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """At the start: whether this machine's key was replaced elsewhere."""
        said = self.own()
        if said is not None:
            self._authorship.revoked(
                "this machine's key was replaced by another one (roosync-admin rotate): this home is a copy of it, or"
                " an old backup"
            )

    def heard(self, verified: Verified, *, source: MachineId | None) -> Ticket:
        """A rotation came, its signature and certificates verified; durable with that ticket.

        Raises:
            PeerFault: the issuer of the new certificate was given up.
            ConflictError: the same key said so before, of another new one.
        """
        said = read_rotation(verified.raw)
        known = self._said.get(said.machine, {})
        if said.old in known:
            if known[said.old].new != said.new:
                raise ConflictError(
                    f"{said.machine} replaced one key by two different ones",
                    code="key_conflict",
                    details={"machine": said.machine, "pinned": known[said.old].new.hex(), "shown": said.new.hex()},
                )
            return self._desk.newest_ticket
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
        self._changed()
        self.begin()
        return ticket

    def _is_own(self, said: Rotation) -> bool:
        """This machine keeps its own place in its directory: it shows why it is out."""
        return said.machine == self._desk.me and said.old == self._desk.identity.key.key_id

    def _keep(self, said: Rotation, envelope: bytes) -> None:
        self._said.setdefault(said.machine, {})[said.old] = said
        self._envelopes[said.machine, said.old] = envelope

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
        self._delivery.spread(_record(said, envelope))
        self._delivery.frontier_moved()
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
            if said.old == key_id:
                return said
    return None


def _record(said: Rotation, envelope: bytes) -> LatestRecord:
    subject = KeyId(said.old).hex()
    return LatestRecord(kind=ROTATION, author=said.machine, subject=subject, start=0, counter=0, envelope=envelope)
