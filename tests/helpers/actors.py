"""Machines that say whatever a test wants them to say, properly signed.

Keys come from words and are the same in every test: five machines of one fleet, of which A is founder and issuer.
"""

from __future__ import annotations

import dataclasses
import functools

from roosync_p2p.clock import Now
from roosync_p2p.codec.records import encode
from roosync_p2p.core import wire
from roosync_p2p.core.delivery import FloorRecord
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.entries.entry import CHAIN_START, LEDGER, MAIL, Entry, write_entry
from roosync_p2p.entries.incarnations import ChainStart, Known
from roosync_p2p.entropy import Entropy
from roosync_p2p.gossip.frontier import FrontierRecord, Span
from roosync_p2p.ids import BootId, Chain, EntryId, MachineId, StoreId
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.message import MessageBody
from roosync_p2p.mailbox.receipts import KIND as RECEIPT
from roosync_p2p.mailbox.receipts import Receipt, ReceiptItem
from roosync_p2p.simulation.fleet_keys import BORN_S, FleetKeys
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import machine_certificate
from roosync_p2p.trust.directory import Directory, issuer_author
from roosync_p2p.trust.envelopes import seal
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.rotations import Rotation, seal_rotation
from roosync_p2p.trust.statements import Cut, KeyLost, Revocation, seal_statement

__all__ = [
    "MESSAGE_ID",
    "NOW",
    "A",
    "Actor",
    "B",
    "C",
    "D",
    "E",
    "directory",
    "entries",
    "identity",
    "key_lost",
    "keys",
    "revocation",
    "rotated_key",
    "rotation",
    "sealed_loss",
    "second_key",
]

A, B, C, D, E = (MachineId(f"machine-{letter}") for letter in "abcde")  # A founded the fleet and is its issuer
MESSAGE_ID = "msg-20260115T091530-a1b2c3"
NOW = Now(monotonic_s=1_000.0, wall_ms=(BORN_S + 3_600) * 1_000)


@functools.cache
def keys(seed: str = "one fleet of the tests of the core") -> FleetKeys:
    """The same fleet of five in every test; another seed is another fleet."""
    return FleetKeys.make([A, B, C, D, E], Entropy(seed.encode() + bytes(16)))


def identity(machine: MachineId) -> NodeIdentity:
    """One of the five."""
    return keys().identities[machine]


@functools.cache
def second_key(machine: MachineId) -> NodeIdentity:
    """The same machine id with another key, certified by the same issuer: what pinning is there to refuse."""
    own, issuer = identity(machine), identity(A)
    assert issuer.issuer_key is not None
    key = SigningKey(Entropy(f"second key of {machine}".encode()).bytes(32))
    leaf = machine_certificate(
        issuer.issuer_key, issuer.issuer, key.public, machine=machine, fleet=own.fleet, serial=99, now_s=BORN_S
    )
    return dataclasses.replace(own, key=key, leaf=leaf)


def rotated_key(machine: MachineId, number: int) -> NodeIdentity:
    """The machine with the key that it has after so many rotations; 0 is the first."""
    if number == 0:
        return identity(machine)
    own, issuer = identity(machine), identity(A)
    assert issuer.issuer_key is not None
    key = SigningKey(Entropy(f"key {number} of {machine}".encode()).bytes(32))
    leaf = machine_certificate(
        issuer.issuer_key,
        issuer.issuer,
        key.public,
        machine=machine,
        fleet=own.fleet,
        serial=100 + number,
        now_s=BORN_S + number,
    )
    return dataclasses.replace(own, key=key, leaf=leaf)


def rotation(
    machine: MachineId, old: int = 0, new: int = 1, *, ledger: Cut | None = None, mail: Cut | None = None
) -> bytes:
    """One of the five replaces a key by another; left out: all that it wrote counts."""
    before, after = rotated_key(machine, old), rotated_key(machine, new)
    everything = Cut(incarnation=1, sequence=1000 * (new + 1))
    said = Rotation(
        machine=machine,
        old=before.key.key_id,
        new=after.key.key_id,
        former_leaf=before.leaf,
        former_issuer=before.issuer,
        leaf=after.leaf,
        issuer=after.issuer,
        ledger=ledger or everything,
        mail=mail or everything,
    )
    return seal_rotation(before.key, said, fleet=keys().fleet)


def key_lost(
    machine: MachineId,
    old: int = 0,
    new: int = 1,
    *,
    ledger: Cut | None = None,
    mail: Cut | None = None,
    serial: int = 1,
    issuers: tuple[bytes, ...] = (),
    by: NodeIdentity | None = None,
) -> KeyLost:
    """What the root says when one of the five lost a key; ``by`` has the new one instead of the ``new``-th."""
    before, after = rotated_key(machine, old), by or rotated_key(machine, new)
    return KeyLost(
        machine=machine,
        old=before.key.key_id,
        new=after.key.key_id,
        former_leaf=before.leaf,
        former_issuer=before.issuer,
        leaf=after.leaf,
        issuer=after.issuer,
        issuers=issuers,
        ledger=ledger,
        mail=mail,
        reason="dead disk",
        by=A,
        time_ms=NOW.wall_ms,
        serial=serial.to_bytes(16, "big"),
    )


def sealed_loss(said: KeyLost) -> bytes:
    """The same, signed by the root."""
    return seal_statement(keys().root_key, said, fleet=keys().fleet)


def revocation(
    machine: MachineId,
    *,
    ledger: Cut | None = None,
    mail: Cut | None = None,
    reason: str = "stolen",
    serial: int = 1,
    root: bool = False,
) -> bytes:
    """A revocation of one of the five, by the issuer or the root."""
    said = Revocation(
        machine=machine,
        keys=(identity(machine).key.key_id,),
        reason=reason,
        ledger=ledger,
        mail=mail,
        serial=serial.to_bytes(16, "big"),
    )
    if root:
        return seal_statement(keys().root_key, said, fleet=keys().fleet)
    key = identity(A).issuer_key
    assert key is not None
    return seal_statement(key, said, fleet=keys().fleet, author=issuer_author(A))


@functools.cache
def directory(*machines: MachineId) -> Directory:
    """A directory that knows these machines."""
    known = Directory.found(keys().root)
    for machine in machines:
        known = known.with_chain(identity(machine).leaf, identity(machine).issuer)
    return known


class Actor:
    """A machine that says whatever a test wants it to say, properly signed.

    Attributes:
        start: start number of its heartbeats, records and relayed frames.
    """

    def __init__(self, machine: MachineId, *, incarnation: int = 1, start: int = 1, store: bytes = b"s" * 16) -> None:
        self.identity = identity(machine)
        self.machine = machine
        self.incarnation = incarnation
        self.start = start
        self.store = StoreId(store)
        self.boot = BootId((machine.encode() + bytes(16))[-16:])
        self.chains: dict[Chain, list[Entry]] = {LEDGER: [], MAIL: []}
        self._counter = 0

    # --- entries --------------------------------------------------------------------------------------------------

    def begin(
        self, chain: Chain = MAIL, *, previous: Known | None = None, countersignature: bytes | None = None
    ) -> Entry:
        """The first entry of a chain."""
        body = ChainStart(
            leaf=self.identity.leaf,
            issuer=self.identity.issuer,
            store=self.store,
            previous=previous,
            countersignature=countersignature,
        )
        return self.write(CHAIN_START, encode(body), chain=chain)

    def write(self, kind: str = "note", body: bytes = b"", *, chain: Chain = MAIL, time_ms: int = NOW.wall_ms) -> Entry:
        """The next entry of a chain."""
        held = self.chains[chain]
        entry = write_entry(
            self.identity.key,
            fleet=self.identity.fleet,
            author=self.machine,
            incarnation=self.incarnation,
            chain=chain,
            sequence=len(held) + 1,
            previous=held[-1].id if held else None,
            time_ms=time_ms,
            kind=kind,
            body=body,
        )
        held.append(entry)
        return entry

    def mail(self, count: int) -> list[Entry]:
        """A mail chain of so many entries."""
        if not self.chains[MAIL]:
            self.begin()
        while len(self.chains[MAIL]) < count:
            self.write("note", f"{len(self.chains[MAIL])}".encode())
        return self.chains[MAIL][:count]

    def say(self, to: str, subject: str = "hello", *, body: str = "") -> Entry:
        """A message in the mail chain."""
        if not self.chains[MAIL]:
            self.begin()
        return self.write(MESSAGE, encode(MessageBody(id=MESSAGE_ID, to=[to], subject=subject, body=body)))

    def receipt(self, *messages: EntryId, workspace: str = "") -> Entry:
        """A receipt in the mail chain."""
        if not self.chains[MAIL]:
            self.begin()
        items = [ReceiptItem(message=message, workspace=workspace, time_ms=NOW.wall_ms) for message in messages]
        return self.write(RECEIPT, encode(Receipt(read=items)))

    def fork_at(self, sequence: int, *, chain: Chain = MAIL) -> Actor:
        """The same machine with a copy of its disk, from which it went another way at that sequence."""
        twin = Actor(self.machine, incarnation=self.incarnation, start=self.start, store=self.store)
        twin.chains = {name: list(entries) for name, entries in self.chains.items()}
        twin.chains[chain] = twin.chains[chain][: sequence - 1]
        twin.write("note", b"another way", chain=chain)
        return twin

    def span(self, chain: Chain = MAIL, *, head: int | None = None) -> Span:
        """What this machine holds of its own chain."""
        held = self.chains[chain]
        top = len(held) if head is None else head
        return Span(
            author=self.machine, incarnation=self.incarnation, chain=chain, floor=1, head=top, id=held[top - 1].id
        )

    # --- frames ---------------------------------------------------------------------------------------------------

    def seal(self, context: str, payload: bytes) -> bytes:
        """An envelope of this machine."""
        own = self.identity
        return seal(own.key, context=context, fleet=own.fleet, author=self.machine, payload=payload)

    def hello(self, *, replaces: bool = False) -> wire.Hello:
        """Its greeting."""
        return wire.Hello(
            minor=0,
            machine=self.machine,
            start=self.start,
            boot=self.boot,
            leaf=self.identity.leaf,
            issuer=self.identity.issuer,
            version="1",
            replaces=replaces,
        )

    def heartbeat(self, *, counter: int | None = None, wall_ms: int = NOW.wall_ms, state: str = "up") -> Heartbeat:
        """Its next heartbeat."""
        self._counter += 1
        return Heartbeat(
            machine=self.machine,
            start=self.start,
            boot=self.boot,
            counter=self._counter if counter is None else counter,
            wall_ms=wall_ms,
            interval_ms=1_000,
            state="leaving" if state == "leaving" else "up",
        )

    def beat(self, *, counter: int | None = None, wall_ms: int = NOW.wall_ms, relayed: bool = False) -> wire.Beat:
        """The frame with its next heartbeat."""
        payload = encode(self.heartbeat(counter=counter, wall_ms=wall_ms))
        return wire.Beat(envelope=self.seal(contexts.HEARTBEAT, payload), relayed=relayed)

    def frontier(self, *spans: Span, counter: int = 1) -> wire.RecordFrame:
        """Its signed frontier."""
        record = FrontierRecord(machine=self.machine, start=self.start, counter=counter, spans=list(spans))
        return wire.RecordFrame(kind="frontier", envelope=self.seal(contexts.FRONTIER, encode(record)))

    def floor(self, entry: Entry, *, counter: int = 1) -> wire.RecordFrame:
        """Its signed floor: the mail chain can be had from this entry on."""
        record = FloorRecord(
            machine=self.machine,
            start=self.start,
            counter=counter,
            incarnation=self.incarnation,
            chain=MAIL,
            sequence=entry.header.sequence,
            id=entry.id,
        )
        return wire.RecordFrame(kind="floor", envelope=self.seal(contexts.FLOOR, encode(record)))

    def relay(
        self, frame: wire.Frame | bytes, *, to: MachineId, counter: int = 1, time_ms: int = NOW.wall_ms
    ) -> wire.Relay:
        """A frame for somebody to whom it has no link."""
        payload = wire.RelayPayload(
            source=self.machine,
            start=self.start,
            destination=to,
            counter=counter,
            time_ms=time_ms,
            frame=frame if isinstance(frame, bytes) else wire.encode_frame(frame),
        )
        return wire.Relay(envelope=self.seal(contexts.RELAY, encode(payload)))


def entries(*given: Entry) -> wire.EntriesFrame:
    """A frame with these entries."""
    return wire.EntriesFrame(entries=[wire.WireEntry(header=entry.raw, body=entry.body) for entry in given])
