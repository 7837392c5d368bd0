"""Entries in and out: acceptance, pushes, offers, pulls, repair (docs/protocol/gossip.md §2 and §3).

New entries are pushed at once to those who hold everything before them. Everything else is pulled: whoever sees in a
peer's frontier, offer or digest that something is missing asks one holder for it. So nothing depends on a push, and
nothing is sent twice because several could send it. What is told to others is only what is durable.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import ReadEntries, ReadId, Ticket
from roosync_p2p.core.floors import Floors
from roosync_p2p.core.forks import Forks
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import ChainCutRow, EntryRow
from roosync_p2p.core.wire import Digest, EntriesFrame, FrontierFrame, Have, Want, WireEntry
from roosync_p2p.entries.chains import ChainKey, Chains, Fit
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.errors import MalformedError
from roosync_p2p.gossip.frontier import Span, check_spans, digest_of
from roosync_p2p.gossip.mesh import first_in_order
from roosync_p2p.gossip.pulls import Pulls
from roosync_p2p.ids import Chain, EntryId, MachineId
from roosync_p2p.mailbox.amendments import KIND as AMENDMENT
from roosync_p2p.mailbox.message import KIND as MESSAGE

__all__ = ["Exchange"]

_MORTAL: Final = frozenset({MESSAGE, AMENDMENT})  # kinds whose bodies retention drops
OFFER_DELAY_S: Final = 0.1  # offers of what came from elsewhere are gathered this long
HEADER_BYTES_TYPICAL: Final = 400  # an entry's size on the wire beyond its body

_Continuation: TypeAlias = "Callable[[tuple[EntryRow, ...]], None]"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """A chain that grew under a ticket."""

    ticket: Ticket
    key: ChainKey
    head: int


class Exchange:
    """What this node holds of all chains, and the conversation about it with each peer."""

    def __init__(
        self,
        desk: Desk,
        links: Links,
        chains: Chains,
        forks: Forks,
        *,
        hears: Callable[[MachineId], frozenset[MachineId]],
        cut: Callable[[ChainKey], int | None] = lambda _key: None,
        meta: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        self._desk = desk
        self._links = links
        self._chains = chains
        self._forks = forks
        self._hears = hears
        self._cut = cut
        self._durable: dict[ChainKey, int] = {key: state.head for key, state in chains.states.items()}
        self._growing: collections.deque[_Growth] = collections.deque()
        self._pulls: Pulls[MachineId] = Pulls()
        self._offers: set[ChainKey] = set()
        self._offer_at: float | None = None
        self._digest_at = 0.0
        self._reads: dict[ReadId, _Continuation] = {}
        self._next_read = 1
        self._behind: dict[MachineId, bool] = {}
        self.floors = Floors(desk, chains, meta, stop=self._stop)
        self._shown: dict[tuple[MachineId, ChainKey], EntryId] = {}  # newest entry of a settled chain, by who holds it
        self._astray: dict[tuple[MachineId, ChainKey], EntryId] = {}  # of those, what is on the branch that was dropped

    # --- what is held ---------------------------------------------------------------------------------------------

    def spans(self) -> list[Span]:
        """The durable frontier."""
        return [self._span(key) for key in sorted(self._durable) if self._counts(key) and self._begins(key)]

    def held(self, key: ChainKey, sequence: int) -> EntryId | None:
        """Which entry is held in that place; None if none is."""
        return self._chains.state(key).id_at(sequence)

    def durable_head(self, key: ChainKey) -> int:
        """Sequence of the newest durable entry of a chain; 0 when there is none."""
        return self._durable.get(key, 0)

    def own_heads(self, incarnation: int) -> list[tuple[str, int, int]]:
        """How far the chains of this machine's life are durable, for its heartbeats: chain, incarnation, sequence."""
        heads = [(chain, self.durable_head((self._desk.me, incarnation, chain))) for chain in (LEDGER, MAIL)]
        return [(chain, incarnation, head) for chain, head in heads if head > 0]

    def heads(self) -> dict[ChainKey, int]:
        """Sequence of the newest entry of every chain that is held, durable or on its way there.

        Where that lies before its author's floor, of the one before the floor: what is between is not looked for.
        """
        return {key: self.floors.after(key) for key in self._chains.states}

    def own_mail(self) -> list[tuple[int, int, int]]:
        """Of this machine's mail, by life: incarnation, first and last entry that are held in the chain."""
        return [
            (key[1], self.floor(key), self._durable[key])
            for key in sorted(self._durable)
            if key[0] == self._desk.me and key[2] == MAIL and self._begins(key)
        ]

    def floor(self, key: ChainKey) -> int:
        """Sequence of the first entry of a chain that is held in it."""
        return self._chains.state(key).floor

    def _begins(self, key: ChainKey) -> bool:
        """Whether the entry that a chain begins with here is durable."""
        return self._durable[key] >= self._chains.state(key).floor

    def _counts(self, key: ChainKey) -> bool:
        """Whether anything of a chain is before the cut of its author."""
        cut = self._cut(key)
        return cut is None or cut > self._chains.state(key).floor

    def linked(self, machine: MachineId, peer: MachineId) -> bool:
        """Whether that machine and a linked peer hear each other directly, as far as the peer says."""
        return machine in self._hears(peer)

    def passes_on(self, author: MachineId, peer: MachineId) -> bool:
        """Whether it falls to this node to pass something of that author on to a linked peer at once.

        Where not every pair links, of those that have both the first in an order that all compute alike; what came
        from further away is offered, and repaired by comparing digests.
        """
        if self.linked(author, peer):
            return False
        if self._desk.scale == 1.0:
            return True
        relays = self._hears(author) & self._hears(peer)
        near = self._links.primary(author) is not None and self._desk.me in relays
        return near and first_in_order(relays, self._desk.me, source=author, target=peer)

    def behind(self) -> bool:
        """Whether some linked peer holds entries that are not here yet."""
        return bool(self._pulls.waiting())

    @property
    def reads_waiting(self) -> int:
        """How many reads of the store are not answered yet."""
        return len(self._reads)

    def agreed(self, peer: MachineId) -> bool:
        """Whether the last digests of both ends were equal."""
        return not self._behind.get(peer, True)

    # --- entries in -----------------------------------------------------------------------------------------------

    def received(self, source: MachineId | None, entries: Iterable[Entry]) -> list[Entry]:
        """Takes verified entries from a peer, or from the shared folder (None); returns those that were accepted.

        The caller has checked with ``Authorship.surfaced`` that own entries among them may be kept.
        """
        accepted = []
        for entry in entries:
            if source is not None:
                self._offered(source, entry.place, entry.header.sequence, delay_s=0.0)
            if self._accept(source, entry):
                accepted.append(entry)
        for key in dict.fromkeys(entry.place for entry in accepted):
            self._pulls.progressed(key, self.floors.after(key), self._now)
        return accepted

    def wrote(self, entry: Entry, ticket: Ticket) -> None:
        """An own entry: on its way to the disk, and to everybody from there."""
        self._grown(entry, ticket)
        self._push(entry, ticket, source=None)

    def _accept(self, source: MachineId | None, entry: Entry) -> bool:
        fit = self._chains.fit(entry)
        match Fit.NEXT if fit is Fit.AHEAD and self.floors.skips_to(entry) else fit:
            case Fit.NEXT if self._after_fork(entry):
                self._desk.count("entries.after_fork")
            case Fit.NEXT if not self._forks.keeps(entry):
                self._went_astray(source, entry.place)
            case Fit.NEXT if entry.body is None and not self._outlived(entry):
                # Whoever dropped the body has nothing to give: it is asked of somebody else.
                self._desk.count("entries.no_body")
            case Fit.NEXT if self.floors.is_other(entry):
                self._desk.count("entries.wrong_floor")
            case Fit.NEXT if not self._begun(entry):
                self._desk.count("entries.not_begun")
            case Fit.NEXT:
                self.floors.begin_with(entry)
                self._chains.append(entry)
                ticket = self._desk.persist(EntryRow.of(entry, self._desk.now.wall_ms), lingers=entry.chain == LEDGER)
                self._grown(entry, ticket)
                self._push(entry, ticket, source=source or entry.author)
                return True
            case Fit.AHEAD:
                self._desk.count("entries.ahead")
            case Fit.FORK:
                self._prove_fork(source, entry)
            case Fit.BROKEN:
                # Our head is on another branch than the sender's: its entry in that place is the proof.
                if source is not None:
                    self._ask_one(source, entry.place, entry.header.sequence - 1)
            case Fit.KNOWN | Fit.BELOW:
                self._desk.count("entries.duplicate")
        return False

    def _begun(self, entry: Entry) -> bool:
        """Whether the entry's incarnation is vouched for: a floor spares a chain's beginning, no countersignature.

        The ledger chain is kept for ever, so its first entry with the countersignature can always be had.
        """
        author, incarnation, _ = entry.place
        state = self._chains.state(entry.place)
        skipped = entry.header.sequence > 1 and (not state.ids or state.head < entry.header.sequence - 1)
        return not skipped or incarnation == 1 or bool(self._chains.state((author, incarnation, LEDGER)).ids)

    def _after_fork(self, entry: Entry) -> bool:
        stop = self._forks.stop(entry.place)
        return stop is not None and entry.header.sequence >= stop

    def _stop(self, key: ChainKey) -> int | None:
        """From which entry on a chain is not taken: behind a fork, or behind the cut of a machine that is out."""
        return min((at for at in (self._forks.stop(key), self._cut(key)) if at is not None), default=None)

    def floor_received(self, key: ChainKey, sequence: int, entry: EntryId) -> None:
        """An author signed from where its chain can be had."""
        self.floors.received(key, sequence, entry, durable=self.durable_head(key))

    def _outlived(self, entry: Entry) -> bool:
        """Whether its body may be gone everywhere by its age (docs/protocol/messages.md §9)."""
        header = entry.header
        old = header.time_ms + round(limits.UNREAD_LIFE_S * 1000) <= self._desk.now.wall_ms
        return old and header.chain == MAIL and header.kind in _MORTAL

    def _prove_fork(self, source: MachineId | None, entry: Entry) -> None:
        """Another entry stands in its place here. A person settles a fork where it began: that is walked back to."""
        key, sequence = entry.place, entry.header.sequence
        if self._forks.full(entry.author):
            return
        if self._forks.traced(key, sequence):
            if self._forks.settled(key):
                self._went_astray(source, key)
            return
        parent = self._chains.state(key).id_at(sequence - 1)
        parts = sequence == 1 or parent in (None, entry.header.previous)
        if not parts and source is not None:
            self._ask_one(source, key, sequence - 1)
        if not parts and (self._forks.frozen(entry.author) or self._forks.settled(key)):
            return

        def stored(rows: tuple[EntryRow, ...]) -> None:
            if rows and rows[0].sequence == entry.header.sequence and rows[0].id != entry.id:
                self._forks.found(rows[0].header, entry)

        self.read(entry.place, entry.header.sequence, 1, stored)

    def _went_astray(self, peer: MachineId | None, key: ChainKey) -> None:
        """What a peer holds of a settled chain is the branch that was dropped: it has nothing that is missing here."""
        self._desk.count("entries.other_branch")
        if peer is not None:
            self._astray[peer, key] = self._shown.get((peer, key), EntryId(b""))
            self._pulls.forget_holder(peer, key, self._now)

    def cut_off(self, key: ChainKey, first: int) -> list[EntryId]:
        """From ``first`` on another branch of a chain goes on; what was held, which is kept beside it."""
        taken = self._chains.cut(key, first)
        if not taken:
            return []
        author, incarnation, chain = key
        self._desk.persist(ChainCutRow(author=author, incarnation=incarnation, chain=chain, first=first))
        self._growing = collections.deque(grown for grown in self._growing if grown.key != key or grown.head < first)
        if key in self._chains.states:
            self._durable[key] = min(self._durable.get(key, 0), first - 1)
        else:
            self._durable.pop(key, None)
        self._offers.discard(key)
        return taken

    def _ask_one(self, peer: MachineId, key: ChainKey, sequence: int) -> None:
        author, incarnation, chain = key
        self._links.send(peer, Want(author=author, incarnation=incarnation, chain=chain, first=sequence, count=1))

    # --- durable, and what others are told ---------------------------------------------------------------------------

    def persisted(self, ticket: Ticket) -> bool:
        """Moves the durable frontier; whether it moved."""
        moved: set[ChainKey] = set()
        while self._growing and self._growing[0].ticket <= ticket:
            growth = self._growing.popleft()
            self._durable[growth.key] = growth.head
            moved.add(growth.key)
        for key in moved:
            self.floors.follow(key, self._durable[key])
        if moved:
            self._offers |= moved
            if self._offer_at is None:
                self._offer_at = self._now + OFFER_DELAY_S
        return bool(moved)

    def _grown(self, entry: Entry, ticket: Ticket) -> None:
        self._growing.append(_Growth(ticket=ticket, key=entry.place, head=entry.header.sequence))

    def _push(self, entry: Entry, ticket: Ticket, *, source: MachineId | None) -> None:
        """At once to peers that lack nothing before it, unless its author is linked with them anyway."""
        for peer in self._links.peers():
            known = self._pulls.held_by(peer, entry.place)
            if peer in (source, entry.author) or known != entry.header.sequence - 1:
                continue
            if source is not None and not self.passes_on(entry.author, peer):
                continue
            link = self._links.primary(peer)
            assert link is not None
            self._links.push_on(link.id, WireEntry(header=entry.raw, body=entry.body), after=ticket)
            self._pulls.sent(peer, entry.place, entry.header.sequence)

    # --- frontiers, offers, digests -------------------------------------------------------------------------------

    def opened(self, peer: MachineId) -> None:
        """A link is up: compare frontiers."""
        self._behind[peer] = True
        self._links.send(peer, FrontierFrame(spans=self.spans(), answer=False), droppable=True)

    def closed(self, peer: MachineId) -> None:
        """The last link to a peer is gone."""
        self._behind.pop(peer, None)
        for place in [place for place in self._shown if place[0] == peer]:
            del self._shown[place]
            self._astray.pop(place, None)
        self._pulls.forget_peer(peer, self._now)

    def digest_received(self, peer: MachineId, frontier: bytes) -> None:
        """A peer's digest: if it differs, the whole frontiers are compared."""
        same = frontier == self.digest()
        self._behind[peer] = not same
        if not same:
            self._links.send(peer, FrontierFrame(spans=self.spans(), answer=True), droppable=True)

    def frontier_received(self, peer: MachineId, frame: FrontierFrame) -> None:
        """A peer's whole frontier.

        Raises:
            MalformedError: the spans break their bounds.
        """
        self.offered(peer, frame.spans, delay_s=0.0)
        self._behind[peer] = digest_of(frame.spans) != self.digest()
        if frame.answer:
            self._links.send(peer, FrontierFrame(spans=self.spans(), answer=False), droppable=True)

    def offered(self, peer: MachineId, spans: list[Span], *, delay_s: float = limits.WANT_DELAY_S) -> None:
        """A peer says what it holds: proves nothing, but is a reason to ask.

        Raises:
            MalformedError: the spans break their bounds.
        """
        check_spans(spans)
        for span in spans:
            key = span.key
            if self._forks.settled(key):
                self._shown[peer, key] = EntryId(span.id)
                if self._astray.get((peer, key)) == span.id:
                    continue
            self._offered(peer, key, span.head, delay_s=delay_s)
            held = self._chains.state(key).id_at(span.head)
            if held is not None and held != span.id and not self._forks.full(key[0]):
                self._ask_one(peer, key, span.head)

    def _offered(self, peer: MachineId, key: ChainKey, head: int, *, delay_s: float) -> None:
        """Notes what a peer holds, as far as it would be accepted: behind a fork there is nothing to ask for."""
        stop = self._stop(key)
        taken = head if stop is None else min(head, stop - 1)
        if taken > 0:
            mine = self.floors.after(key)
            self._pulls.offered(peer, key, taken, mine=mine, at=self._now + delay_s, now_s=self._now)

    def digest(self) -> bytes:
        """Digest of the durable frontier."""
        return digest_of(self.spans())

    def next_deadline(self) -> float | None:
        """When offers, pulls or digests are due (monotonic seconds)."""
        times = (self._offer_at, self._pulls.next_deadline(), self._digest_at if self._links.peers() else None)
        return min((at for at in times if at is not None), default=None)

    def tick(self, records: Callable[[], bytes]) -> None:
        """Sends the offers, wants and digests that are due. ``records``: digest of the latest records."""
        if self._offer_at is not None and self._offer_at <= self._now:
            self._offer_at = None
            spans = [self._span(key) for key in sorted(self._offers) if self._counts(key) and self._begins(key)]
            self._links.broadcast(Have(spans=spans), droppable=True)
            self._offers.clear()
        waiting = {key: self.floors.after(key) for key in self._pulls.waiting()}
        for pull in self._pulls.due(self._now, waiting):
            author, incarnation, chain = pull.key
            self._links.send(pull.peer, Want(author=author, incarnation=incarnation, chain=chain, first=pull.first))
        if self._digest_at <= self._now:
            self._digest_at = self._now + limits.DIGEST_INTERVAL_S * self._desk.scale
            self._links.broadcast(Digest(frontier=self.digest(), records=records()), droppable=True)

    # --- entries out ----------------------------------------------------------------------------------------------

    def wanted(self, peer: MachineId, want: Want) -> None:
        """A peer asks for entries: one frame of them comes from the disk; it asks again for more.

        Raises:
            MalformedError: impossible numbers.
        """
        if want.incarnation < 1 or want.first < 1 or want.count < 0:
            raise MalformedError("a want names an impossible entry", code="bad_field")
        key: ChainKey = (MachineId(want.author), want.incarnation, Chain(want.chain))
        cut = self._cut(key)
        if self._durable.get(key, 0) < want.first or (cut is not None and want.first >= cut):
            return
        if len(self._reads) >= limits.READS_WAITING_MAX:
            self._desk.count("wants.dropped")
            return

        def stored(rows: tuple[EntryRow, ...]) -> None:
            if not rows:
                return
            entries = [WireEntry(header=r.header, body=r.body) for r in rows if cut is None or r.sequence < cut]
            self._links.send(peer, EntriesFrame(entries=entries), droppable=True)
            if not want.count:
                self._pulls.sent(peer, key, rows[-1].sequence)

        self.read(key, want.first, want.count or limits.ENTRIES_PER_FRAME_MAX, stored)

    def read(self, key: ChainKey, first: int, count: int, then: _Continuation) -> None:
        """Reads entries from the store and goes on with them when they come."""
        read = ReadId(self._next_read)
        self._next_read += 1
        self._reads[read] = then
        author, incarnation, chain = key
        self._desk.emit(
            ReadEntries(
                read=read,
                author=author,
                incarnation=incarnation,
                chain=chain,
                first=first,
                count_max=min(count, limits.ENTRIES_PER_FRAME_MAX),
                bytes_max=limits.ENTRIES_FRAME_BYTES_TARGET,
            )
        )

    def entries_read(self, read: ReadId, rows: tuple[EntryRow, ...]) -> None:
        """The answer of the store."""
        then = self._reads.pop(read, None)
        if then is not None:
            then(rows)

    # --- small things ---------------------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return self._desk.now.monotonic_s

    def _head(self, key: ChainKey) -> int:
        return self._chains.state(key).head

    def _span(self, key: ChainKey) -> Span:
        author, incarnation, chain = key
        state = self._chains.state(key)
        head = self._durable.get(key, state.floor - 1)
        cut = self._cut(key)
        if cut is not None:  # what is held beyond does not count, and not everybody holds it
            head = max(min(head, cut - 1), state.floor - 1)
        floor = self.floors.begun(key)
        return Span(
            author=author,
            incarnation=incarnation,
            chain=chain,
            floor=floor,
            head=head,
            id=state.id_at(head) or b"",
        )
