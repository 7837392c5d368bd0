"""Who is out: revocations that were heard, kept, passed on, and what follows (docs/protocol/trust.md §7).

They spread like other signed records, need no quorum, and only grow. From the moment that one is heard this node takes
nothing new from the keys that it names, by whatever way it comes; what those keys signed up to the cut goes on to
count. The ledger does not ask here: there the same statement has effect where it is ordered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core.commit.applier import is_sound
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.rows import FormerKey, Loaded, RecordRow
from roosync_p2p.core.wire import RecordFrame
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import Entry
from roosync_p2p.gossip.latest import LatestRecord
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.ledger.register import Register, register_of
from roosync_p2p.ledger.state import State
from roosync_p2p.trust.certificates import verify_issuer_certificate
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import Verified, parse_envelope
from roosync_p2p.trust.revocations import Revoked, read_revocation, revoked_by
from roosync_p2p.trust.roles import ISSUER
from roosync_p2p.trust.statements import Revocation

__all__ = ["REVOCATION", "Revocations", "known_keys", "registered_key", "revoked_keys", "with_ordered_issuers"]

REVOCATION: Final = "revocation"  # kind of the record


def known_keys(root: bytes, loaded: Loaded) -> Directory:
    """Whose keys are known, from what the store holds: also those that were given up."""
    directory = Directory.found(root)
    for key, value in sorted(loaded.meta.items()):
        if key.startswith(FormerKey.PREFIX):
            former = decode(value, FormerKey)
            directory = directory.with_former(former.leaf, former.issuer)
    for member in loaded.members:
        if member.key_id not in directory.given_up:  # the row of a machine that is out, and has not returned
            directory = directory.with_chain(member.leaf, member.issuer)
    state = State.load(loaded.state)
    if not is_sound(state, loaded):  # what the disk changed says nothing; the log says it again
        return directory
    return with_ordered_issuers(directory, register_of(state, root))


def with_ordered_issuers(directory: Directory, register: Register) -> Directory:
    """The directory with the issuer keys that were ordered; those of machines that are issuers no more are given up.

    Gossip may bring that a machine became an issuer after that it is none any more, or before a restart: the order says
    what counts.
    """
    gone = []
    for issuer in register.issuers:
        directory = directory.with_issuer(issuer.certificate)
        if not register.has_role(issuer.machine, ISSUER):
            gone.append(verify_issuer_certificate(issuer.certificate, root=directory.root).public.key_id)
    return directory.with_given_up(gone)


def registered_key(loaded: Loaded, root: bytes, machine: MachineId) -> tuple[KeyId | None, bool]:
    """The key that the register in the store has for a member; and whether the machine was one, and is no more."""
    state = State.load(loaded.state)
    if not is_sound(state, loaded):
        return None, False
    register = register_of(state, root)
    member = register.present(machine)
    return (None if member is None else KeyId(member.key)), register.ended(machine)


def revoked_keys(rows: Iterable[RecordRow]) -> frozenset[KeyId]:
    """Every key that a revocation in the store names."""
    said = [_stored(row.envelope) for row in rows if row.kind == REVOCATION]
    return frozenset(KeyId(key) for revocation in said for key in revocation.keys)


class Revocations:
    """The revocations that this node knows. Those in ``rows`` were judged when they came."""

    def __init__(self, desk: Desk, rows: Iterable[RecordRow]) -> None:
        self._desk = desk
        self._said: dict[MachineId, list[Revocation]] = {}
        self._envelopes: dict[MachineId, dict[str, bytes]] = {}  # by the digest of what was signed
        self._revoked: dict[MachineId, Revoked] = {}
        for row in rows:
            if row.kind == REVOCATION:
                self._keep(_stored(row.envelope), row.subject, row.envelope)

    # --- what is known --------------------------------------------------------------------------------------------

    @property
    def revoked(self) -> Mapping[MachineId, Revoked]:
        """What is said of each machine that was revoked; it may have come back with another key since."""
        return self._revoked

    def out(self, machine: MachineId) -> Revoked | None:
        """What is said of a machine that is out now; None of all others."""
        said = self._revoked.get(machine)
        return None if said is None or machine in self._desk.directory.members else said

    def own(self) -> Revoked | None:
        """What is said of this machine's own key."""
        said = self._revoked.get(self._desk.me)
        return said if said is not None and self._desk.identity.key.key_id in self._keys(said) else None

    def proofs(self, machine: MachineId) -> list[RecordFrame]:
        """What a machine is shown that is shown out."""
        known = self._envelopes.get(machine, {})
        return [RecordFrame(kind=REVOCATION, envelope=envelope) for envelope in known.values()]

    @property
    def statements(self) -> list[bytes]:
        """Everything that was said, by machine and digest."""
        return [known[digest] for _, known in sorted(self._envelopes.items()) for digest in sorted(known)]

    def machine_of(self, verified: Verified) -> MachineId:
        """Which machine a revocation that was heard is about."""
        return decode(verified.payload, Revocation).machine

    def allows(self, entry: Entry) -> bool:
        """Whether an entry was signed with a key that stands, or stands before the cut."""
        said = self._revoked.get(entry.author)
        if said is None or (entry.header.incarnation, entry.header.sequence) <= said.cut(entry.chain):
            return True
        return parse_envelope(entry.raw, size_max=limits.ENTRY_HEADER_BYTES_MAX).key not in self._keys(said)

    def stop(self, key: ChainKey) -> int | None:
        """From which entry of a chain on nothing counts; None if all of it does."""
        author, incarnation, chain = key
        said = self._revoked.get(author)
        if said is None:
            return None
        last, sequence = said.cut(chain)
        if incarnation > last:
            return 1 if author not in self._desk.directory.members else None  # a new key began a new life behind it
        return sequence + 1 if incarnation == last else None

    # --- hearing --------------------------------------------------------------------------------------------------

    def heard(self, verified: Verified) -> LatestRecord | None:
        """A revocation came, by whatever way; the record to keep and pass on if it is news.

        Raises:
            PeerFault: it is none, or its signer may not say it.
        """
        said = read_revocation(verified, self._desk.directory)
        known, subject = self._envelopes.get(said.machine, {}), verified.digest.hex()
        if subject in known:
            return None
        if len(known) >= limits.REVOCATIONS_PER_MACHINE_MAX:
            self._desk.count("revocations.too_many")
            return None
        self._keep(said, subject, verified.raw)
        now = self._revoked[said.machine]
        self._desk.notify(
            "revoked",
            {
                "machine": said.machine,
                "by": verified.author,
                "reason": said.reason,
                "keys": sorted(key.hex() for key in now.keys),
                "ledger": list(now.ledger),
                "mail": list(now.mail),
            },
            after=self._desk.newest_ticket,
        )
        return LatestRecord(
            kind=REVOCATION, author=said.machine, subject=subject, start=0, counter=0, envelope=verified.raw
        )

    def _keep(self, said: Revocation, subject: str, envelope: bytes) -> None:
        machine = said.machine
        self._said.setdefault(machine, []).append(said)
        self._envelopes.setdefault(machine, {})[subject] = envelope
        self._revoked[machine] = revoked_by(self._said[machine])
        if self.own() is None:  # this machine keeps its own place in its directory: it shows why it is out
            self._desk.give_up(self._keys(self._revoked[machine]))

    def _keys(self, said: Revoked) -> frozenset[KeyId]:
        """Those that were named, and those that they were replaced by: a thief does not escape by a rotation."""
        return self._desk.directory.with_heirs(said.keys)


def _stored(envelope: bytes) -> Revocation:
    """A revocation that was judged when it came."""
    return decode(parse_envelope(envelope, size_max=limits.RECORD_BYTES_MAX).payload, Revocation)
