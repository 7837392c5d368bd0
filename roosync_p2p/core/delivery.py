"""Signed latest-wins records: what each machine holds, from where it can be had, who works there (gossip.md §4).

A machine signs its frontier when it moved, at once after a pause and then at most once a second. That record is the
proof of delivery; it spreads like everything else, so it also comes through a third machine. An author's floor says
from where its mail can still be had: newcomers begin there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import RecordRow
from roosync_p2p.core.told_sessions import SESSIONS, ToldSessions
from roosync_p2p.core.wire import RecordFrame, Versions
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.errors import MalformedError, UntrustedError
from roosync_p2p.gossip.frontier import FrontierRecord, check_spans
from roosync_p2p.gossip.latest import Latest, LatestRecord, RecordVersion
from roosync_p2p.gossip.sessions import OpenSession, SessionsRecord, check_sessions
from roosync_p2p.ids import Chain, EntryId, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import Verified, parse_envelope, seal

__all__ = ["FLOOR", "FRONTIER", "Delivery", "FloorRecord", "SealingRecord"]

FRONTIER: Final = "frontier"
FLOOR: Final = "floor"
SEALING: Final = "sealing"
# What counts only while its signer has the key it was signed with.
_OF_A_KEY: Final = frozenset({FRONTIER, SEALING, SESSIONS})
_X25519_BYTES: Final = 32


class FloorRecord(Record, frozen=True, kw_only=True):
    """From which entry on an author's chain can still be had."""

    machine: str
    start: int
    counter: int
    incarnation: int
    chain: str
    sequence: int
    id: bytes


class SealingRecord(Record, frozen=True, kw_only=True):
    """For which X25519 key messages to a machine are sealed (docs/protocol/messages.md §13)."""

    machine: str
    start: int
    counter: int
    public: bytes


_Content: TypeAlias = FrontierRecord | FloorRecord | SessionsRecord | SealingRecord


class Delivery:
    """The newest records of all machines, and this machine's own."""

    def __init__(self, desk: Desk, links: Links, exchange: Exchange, rows: Iterable[RecordRow]) -> None:
        self._desk = desk
        self._links = links
        self._exchange = exchange
        self._latest = Latest()
        self._runs: dict[MachineId, dict[ChainKey, tuple[int, int]]] = {}
        self._counter = 0
        self._dirty = True
        self._sealing: bytes | None = None  # the key to be announced
        self._announced: tuple[bytes, bytes] | None = None  # it, and the key that the record was signed with
        self._publish_at = 0.0
        self._start: int | None = None
        self._started = Ticket(0)
        self._spread_after = Ticket(0)  # all that was spread is durable with this
        self._unlike: dict[MachineId, None] = {}  # peers that may have records which this node lacks, in their order
        self._ask_at = 0.0  # the next of them, at the earliest
        self.sessions = ToldSessions(desk, self._say_sessions)
        for row in rows:
            if row.kind in _OF_A_KEY and self._given_up(row.envelope):
                continue
            record = LatestRecord(
                kind=row.kind,
                author=row.author,
                subject=row.subject,
                start=row.start,
                counter=row.counter,
                envelope=row.envelope,
            )
            self._latest.offer(record)
            if row.kind == FLOOR:
                floor = decode(parse_envelope(row.envelope, size_max=limits.RECORD_BYTES_MAX).payload, FloorRecord)
                self._exchange.floors.kept(_chain_of(row.author, floor), floor.sequence, EntryId(floor.id))

    def holds(self, machine: MachineId, key: ChainKey, sequence: int) -> bool:
        """Whether that machine has signed that it holds an entry, or held it until its author let it go."""
        first, head = self._run_of(machine, key)
        return first <= sequence <= head

    def head_of(self, machine: MachineId, key: ChainKey) -> int:
        """Up to where that machine has signed that it holds a chain; 0 if it has not."""
        return self._run_of(machine, key)[1]

    def heads_of(self, machine: MachineId) -> Mapping[ChainKey, int]:
        """The same of every chain; empty before its first word is here."""
        return {key: head for key, (_, head) in self._runs_of(machine).items()}

    def _run_of(self, machine: MachineId, key: ChainKey) -> tuple[int, int]:
        return self._runs_of(machine).get(key, (1, 0))

    def _runs_of(self, machine: MachineId) -> dict[ChainKey, tuple[int, int]]:
        if machine not in self._runs:
            record = self._latest.get(FRONTIER, machine)
            self._runs[machine] = {} if record is None else _runs(record.envelope)
        return self._runs[machine]

    def own(self, kind: str) -> bytes:
        """This machine's newest signed record of a kind without subject; empty before the first of this start."""
        record = self._latest.get(kind, self._desk.me)
        return b"" if record is None else record.envelope

    def own_floors(self) -> list[bytes]:
        """This machine's signed floors, of its newest lives."""
        floors = [record for record in self._latest.of(FLOOR, self._desk.me) if not self._given_up(record.envelope)]
        floors.sort(key=lambda record: (record.start, record.counter))
        return [record.envelope for record in floors[-limits.FOLDER_FLOORS_MAX :]]

    def sealing_key(self, machine: MachineId) -> bytes | None:
        """For which key messages to that machine are sealed; None if it announced none."""
        if machine == self._desk.me:
            return self._sealing
        record = self._latest.get(SEALING, machine)
        if record is None:
            return None
        return decode(parse_envelope(record.envelope, size_max=limits.RECORD_BYTES_MAX).payload, SealingRecord).public

    def versions(self) -> list[RecordVersion]:
        """Which records are held, in a canonical order."""
        return self._latest.versions()

    def forget(self, machine: MachineId) -> None:
        """That machine's key is given up: what it said of itself is passed on no more, and counts its starts anew."""
        for kind in sorted(_OF_A_KEY):
            self._latest.drop(kind, machine)
        self.sessions.forget(machine)
        self._runs.pop(machine, None)

    def _given_up(self, envelope: bytes) -> bool:
        given_up = self._desk.directory.given_up
        return bool(given_up) and parse_envelope(envelope, size_max=limits.RECORD_BYTES_MAX).key in given_up

    # --- own ------------------------------------------------------------------------------------------------------

    def announce(self, public: bytes) -> None:
        """Messages to this machine are sealed for that key from now on."""
        self._sealing = public

    def _announce(self) -> None:
        """Says so, once for each key, and again when this machine signs with another one."""
        signed_with = self._desk.identity.key.key_id
        if self._sealing is None or self._start is None or self._announced == (self._sealing, signed_with):
            return
        self._announced = (self._sealing, signed_with)
        self._counter += 1
        record = SealingRecord(machine=self._desk.me, start=self._start, counter=self._counter, public=self._sealing)
        self._publish(SEALING, "", contexts.SEALING, record)

    def frontier_moved(self) -> None:
        """What this node holds durably is more than it signed."""
        self._dirty = True

    def key_replaced(self) -> None:
        """This machine has another key: what it said of itself, it says again."""
        self._dirty = True
        if self.own(SESSIONS):
            self.sessions.told_before()

    def next_deadline(self) -> float | None:
        """When the frontier is to be signed again, or a peer asked for records (monotonic seconds)."""
        ask_at = self._ask_at if self._unlike else None
        say_at = None if self._start is None else self.sessions.next_deadline()
        return min((at for at in (self._sign_at(), ask_at, say_at) if at is not None), default=None)

    def _sign_at(self) -> float | None:
        return self._publish_at if self._dirty and self._start is not None else None

    def begin(self, start: int, *, after: Ticket) -> None:
        """Records are signed from now on, under a start number that is durable with that ticket."""
        self._start, self._started = start, after

    def silence(self) -> None:
        """Nothing is signed any more: this store is not its machine's."""
        self._start = None

    def tick(self) -> None:
        """Signs and sends the frontier, if it moved and it is time; asks the next peer for what is missing here."""
        self._ask_one()
        self._announce()
        if self._start is not None:
            self.sessions.tick()
        at = self._sign_at()
        if at is None or at > self._desk.now.monotonic_s or self._start is None:
            return
        self._dirty = False
        self._publish_at = self._desk.now.monotonic_s + limits.FRONTIER_RECORD_INTERVAL_S * self._desk.scale**2
        self._counter += 1
        record = FrontierRecord(
            machine=self._desk.me, start=self._start, counter=self._counter, spans=self._exchange.spans()
        )
        self._publish(FRONTIER, "", contexts.FRONTIER, record)

    @property
    def signs(self) -> bool:
        """Whether records are signed now."""
        return self._start is not None

    def raise_floor(self, chain: Chain, incarnation: int, sequence: int, entry: EntryId) -> Ticket:
        """Signs that this machine's entries of a chain can be had from ``sequence`` on, and lets go what is below.

        Everybody has to keep to it over a restart, so it is durable before anybody hears of it.
        """
        assert chain == MAIL, "the ledger chain is kept for ever"
        assert self._start is not None
        self._counter += 1
        record = FloorRecord(
            machine=self._desk.me,
            start=self._start,
            counter=self._counter,
            incarnation=incarnation,
            chain=chain,
            sequence=sequence,
            id=entry,
        )
        kept = self._publish(FLOOR, f"{incarnation}.{chain}", contexts.FLOOR, record, keep=True)
        self._exchange.floor_received((self._desk.me, incarnation, chain), sequence, entry)
        return kept

    def _say_sessions(self, sessions: list[OpenSession], more: int) -> None:
        assert self._start is not None
        self._counter += 1
        record = SessionsRecord(
            machine=self._desk.me, start=self._start, counter=self._counter, sessions=sessions, more=more
        )
        self._publish(SESSIONS, "", contexts.SESSIONS, record)

    def _publish(self, kind: str, subject: str, context: str, record: _Content, *, keep: bool = False) -> Ticket:
        envelope = seal(
            self._desk.identity.key,
            context=context,
            fleet=self._desk.identity.fleet,
            author=self._desk.me,
            payload=encode(record),
        )
        signed = LatestRecord(
            kind=kind,
            author=self._desk.me,
            subject=subject,
            start=record.start,
            counter=record.counter,
            envelope=envelope,
        )
        self._latest.offer(signed)
        self._runs.pop(self._desk.me, None)
        after = self._started
        if keep:
            after = self._spread_after = self._desk.persist(_row(signed))
        self._links.broadcast(RecordFrame(kind=kind, envelope=envelope), after=after, droppable=True)
        return after

    def spread(self, record: LatestRecord, *, source: MachineId | None = None) -> Ticket:
        """Keeps a record that was judged elsewhere, and tells everybody but the one that it came from."""
        self._latest.offer(record)
        ticket = self._spread_after = self._desk.persist(_row(record))
        frame = RecordFrame(kind=record.kind, envelope=record.envelope)
        # Whom it is about is told when it is shown out.
        self._links.broadcast(frame, after=ticket, but=(record.author, *(() if source is None else (source,))))
        return ticket

    # --- others' --------------------------------------------------------------------------------------------------

    def opened(self, peer: MachineId) -> None:
        """A link is up: compare what both hold."""
        self._compare(peer, answer=False)

    def closed(self, peer: MachineId) -> None:
        """The last link to a peer is gone."""
        self._unlike.pop(peer, None)

    def _compare(self, peer: MachineId, *, answer: bool) -> None:
        """Finds out who lacks what; ``answer``: at both ends.

        Where not every pair links, each end asks for itself, and one peer at a time: thirty that have the same records
        would all send them.
        """
        if self._desk.scale > 1.0:
            self._unlike.setdefault(peer)
        else:
            self._links.send(peer, Versions(versions=self._latest.versions(), answer=answer), droppable=True)

    def _ask_one(self) -> None:
        now_s = self._desk.now.monotonic_s
        if not self._unlike or now_s < self._ask_at:
            return
        peer = next(iter(self._unlike))
        del self._unlike[peer]
        self._ask_at = now_s + limits.RECORDS_ASKED_S
        self._links.send(peer, Versions(versions=self._latest.versions(), answer=False), droppable=True)

    def digest(self) -> bytes:
        """Digest of the versions held."""
        return self._latest.digest()

    def digest_received(self, peer: MachineId, digest: bytes) -> None:
        """A peer's digest: if it differs, the versions are compared."""
        if digest == self._latest.digest():
            self._unlike.pop(peer, None)
        else:
            self._compare(peer, answer=True)

    def versions_received(self, peer: MachineId, frame: Versions) -> None:
        """Sends the peer what it lacks.

        Raises:
            MalformedError: the list breaks its bound.
        """
        if len(frame.versions) > limits.FRONTIER_CHAINS_MAX:
            raise MalformedError(f"{len(frame.versions)} record versions in one frame", code="oversized")
        for record in self._latest.newer_than(frame.versions):
            held = RecordFrame(kind=record.kind, envelope=record.envelope)
            self._links.send(peer, held, after=self._spread_after, droppable=True)
        if frame.answer:
            self._links.send(peer, Versions(versions=self._latest.versions(), answer=False), droppable=True)

    def received(self, peer: MachineId, frame: RecordFrame, verified: Verified) -> LatestRecord | None:
        """A signed record came; it is returned if it bears this machine's own name and this run did not sign it.

        Raises:
            MalformedError: it breaks its schema or bounds.
            UntrustedError: it speaks of another machine than its signer.
        """
        record, content = _read(frame.kind, verified)
        if record.author == self._desk.me:
            own = record.start == self._start and record.counter <= self._counter
            if record.kind == SESSIONS and self._start is not None and record.start < self._start:
                self.sessions.told_before()
            return None if own else record
        if not self._latest.offer(record):
            self._desk.count("records.duplicate")
            return None
        self._keep(record, content)
        onward = [
            other
            for other in self._links.peers()
            if other not in (peer, record.author) and self._exchange.passes_on(record.author, other)
        ]
        for other in onward:
            self._links.send(other, frame, after=Ticket(0), droppable=True)
        return None

    def _keep(self, record: LatestRecord, content: _Content) -> None:
        if isinstance(content, SessionsRecord):
            self.sessions.heard(content)  # in memory: whoever signed it tells it again after a restart
            return
        self._runs.pop(record.author, None)
        self._desk.persist(_row(record))
        if isinstance(content, FloorRecord):
            key = _chain_of(record.author, content)
            self._exchange.floor_received(key, content.sequence, EntryId(content.id))
        elif isinstance(content, FrontierRecord):
            data: dict[str, object] = {"machine": record.author}
            self._desk.notify("frontier", data, after=self._desk.newest_ticket)


def _chain_of(author: MachineId, floor: FloorRecord) -> ChainKey:
    return author, floor.incarnation, Chain(floor.chain)


def _read(kind: str, verified: Verified) -> tuple[LatestRecord, _Content]:
    content: _Content
    subject = ""
    if kind == FRONTIER:
        content = decode(verified.payload, FrontierRecord, size_max=limits.RECORD_BYTES_MAX)
        check_spans(content.spans)
    elif kind == SESSIONS:
        content = decode(verified.payload, SessionsRecord, size_max=limits.SESSIONS_RECORD_BYTES_MAX)
        check_sessions(content)
    elif kind == SEALING:
        content = decode(verified.payload, SealingRecord, size_max=limits.RECORD_BYTES_MAX)
        if len(content.public) != _X25519_BYTES:
            raise MalformedError(f"{verified.author} announces a key of another length", code="bad_field")
    else:
        content = decode(verified.payload, FloorRecord, size_max=limits.RECORD_BYTES_MAX)
        possible = 1 <= content.incarnation <= limits.INCARNATION_MAX and 1 <= content.sequence <= limits.NUMBER_MAX
        if content.chain != MAIL or not possible or len(content.id) != 32:
            raise MalformedError(f"a floor of {verified.author} names an impossible entry", code="bad_field")
        subject = f"{content.incarnation}.{content.chain}"
    if content.machine != verified.author:
        raise UntrustedError("a record names another machine than its signer", code="wrong_source")
    if not 0 <= content.start <= limits.NUMBER_MAX or not 0 <= content.counter <= limits.NUMBER_MAX:
        raise MalformedError(f"a record of {verified.author} has an impossible number", code="bad_field")
    record = LatestRecord(
        kind=kind,
        author=MachineId(content.machine),
        subject=subject,
        start=content.start,
        counter=content.counter,
        envelope=verified.raw,
    )
    return record, content


def _row(record: LatestRecord) -> RecordRow:
    return RecordRow(
        kind=record.kind,
        author=record.author,
        subject=record.subject,
        start=record.start,
        counter=record.counter,
        envelope=record.envelope,
    )


def _runs(envelope: bytes) -> dict[ChainKey, tuple[int, int]]:
    """From where to where each chain was taken, by a record that was verified when it came."""
    payload = parse_envelope(envelope, size_max=limits.RECORD_BYTES_MAX).payload
    return {span.key: (span.floor, span.head) for span in decode(payload, FrontierRecord).spans}
