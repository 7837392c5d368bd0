"""The tables of the in-memory store: how each row is kept, and what the reads make of them.

Rows are immutable and shared; only the containers are copied for a snapshot. ``apply`` trusts what ``check`` let
through, so that a batch is kept whole or not at all.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from typing import TypeAlias, TypeVar

from roosync_p2p import limits
from roosync_p2p.core.mail_rows import (
    AmendmentRow,
    AttachmentRow,
    BodyDropRow,
    FetchedRow,
    KeptRow,
    WatchRow,
    WordsRow,
)
from roosync_p2p.core.memory_aged import aged_messages
from roosync_p2p.core.memory_mail import MailTables, wanted
from roosync_p2p.core.memory_order import OrderTables
from roosync_p2p.core.ports import Aged, AgedQuery, InboxItem, InboxPage, InboxQuery
from roosync_p2p.core.rows import (
    AddressRow,
    ChainCutRow,
    ChainFloorRow,
    ChainHeads,
    DeliveryRow,
    EntryRow,
    ForkRow,
    IdempotencyRow,
    InviteRow,
    Loaded,
    MemberRow,
    MessageRow,
    MetaRow,
    PendingRow,
    ReceiptRow,
    RecordRow,
    Row,
)
from roosync_p2p.core.store_rules import (
    IMPORTANT_BASE,
    SHOWN_KINDS,
    PromiseBroken,
    format_cursor,
    parse_cursor,
    queried_limit,
    queried_statuses,
    rank_base,
    receipt_step,
)
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.ids import Chain, CommitNumber, EntryId, MachineId, MessageId

__all__ = ["ChainKey", "Tables"]

ChainKey: TypeAlias = tuple[MachineId, int, Chain]

_K = TypeVar("_K")
_L = TypeVar("_L")
_V = TypeVar("_V")


class Tables:
    """All rows of one store by their keys. The caller passes every batch through ``check`` before ``apply``."""

    def __init__(self) -> None:
        self.meta: dict[str, bytes] = {}
        self.chains: dict[ChainKey, dict[int, EntryRow]] = {}
        self.entries: dict[EntryId, EntryRow] = {}
        self.members: dict[MachineId, MemberRow] = {}
        self.records: dict[tuple[str, MachineId, str], RecordRow] = {}
        self.forks: dict[tuple[MachineId, int, Chain, int, bytes, bytes], ForkRow] = {}
        self.messages: dict[EntryId, MessageRow] = {}
        self.by_message_id: dict[MessageId, list[MessageRow]] = {}
        self.by_thread: dict[str, list[MessageRow]] = {}
        self.delivered: dict[int, DeliveryRow] = {}  # by rank
        self.ranks: dict[EntryId, dict[str, int]] = {}  # by entry and workspace
        self.arrivals: dict[int, int] = {0: 0, IMPORTANT_BASE: 0}  # by rank base
        self.receipts: dict[EntryId, dict[tuple[MachineId, str], ReceiptRow]] = {}
        self.idempotency: dict[str, IdempotencyRow] = {}
        self.invites: dict[bytes, InviteRow] = {}
        self.pending: dict[int, PendingRow] = {}
        self.addresses: dict[MachineId, dict[str, AddressRow]] = {}
        self.mail = MailTables()
        self.order = OrderTables()

    def copy(self) -> Tables:
        """Independent tables with the same rows."""
        twin = Tables()
        twin.meta = dict(self.meta)
        twin.chains = _copy_nested(self.chains)
        twin.entries = dict(self.entries)
        twin.members = dict(self.members)
        twin.records = dict(self.records)
        twin.forks = dict(self.forks)
        twin.messages = dict(self.messages)
        twin.by_message_id = {key: list(rows) for key, rows in self.by_message_id.items()}
        twin.by_thread = {key: list(rows) for key, rows in self.by_thread.items()}
        twin.delivered = dict(self.delivered)
        twin.ranks = _copy_nested(self.ranks)
        twin.arrivals = dict(self.arrivals)
        twin.receipts = _copy_nested(self.receipts)
        twin.idempotency = dict(self.idempotency)
        twin.invites = dict(self.invites)
        twin.pending = dict(self.pending)
        twin.addresses = _copy_nested(self.addresses)
        twin.mail = self.mail.copy()
        twin.order = self.order.copy()
        return twin

    # --- writing ------------------------------------------------------------------------------------------------

    def check(self, rows: Sequence[Row]) -> None:
        """Whether the batch can be applied whole.

        Raises:
            PromiseBroken: a second entry for a place, an entry at a second place, a delivery without its message,
                or an unknown receipt state.
        """
        places: dict[tuple[ChainKey, int], EntryId] = {}
        ids: dict[EntryId, tuple[ChainKey, int]] = {}
        messages = {row.entry for row in rows if isinstance(row, MessageRow)}
        cuts: dict[ChainKey, int] = {}
        for row in rows:
            if isinstance(row, ChainCutRow):
                key = _chain_key(row)
                cuts[key] = min(row.first, cuts.get(key, row.first))
                places = {place: id_ for place, id_ in places.items() if place[0] != key or place[1] < row.first}
            elif isinstance(row, EntryRow):
                place = (_chain_key(row), row.sequence)
                left = row.sequence >= cuts.get(place[0], row.sequence + 1)
                known = None if left else self.chains.get(place[0], {}).get(row.sequence)
                if places.setdefault(place, known.id if known else row.id) != row.id:
                    raise PromiseBroken(f"a second entry for {place}; the first one is kept")
                held = self.entries.get(row.id)
                if ids.setdefault(row.id, (_chain_key(held), held.sequence) if held else place) != place:
                    raise PromiseBroken(f"the entry of {ids[row.id]} appears again at {place}")
            elif isinstance(row, DeliveryRow):
                if row.entry not in self.messages and row.entry not in messages:
                    raise PromiseBroken("a delivery of a message that is not kept")
            elif isinstance(row, ReceiptRow):
                receipt_step(row.state)

    def apply(self, rows: Sequence[Row]) -> None:
        """Keeps a checked batch in order, but messages first, because deliveries refer to them."""
        for row in rows:
            if isinstance(row, MessageRow):
                self._put_message(row)
        for row in rows:
            self._apply_one(row)

    def _apply_one(self, row: Row) -> None:
        match row:
            case EntryRow():
                kept = self.entries.setdefault(row.id, row)
                self.chains.setdefault(_chain_key(row), {}).setdefault(row.sequence, kept)
            case ChainCutRow():
                self._cut_chain(row)
            case ChainFloorRow():
                self._raise_floor(row)
            case MetaRow():
                _put_or_remove(self.meta, row.key, row.value)
            case RecordRow():
                self._put_record(row)
            case MessageRow():
                pass  # kept before, see apply
            case DeliveryRow():
                self._put_delivery(row)
            case ReceiptRow():
                self._put_receipt(row)
            case MemberRow():
                self.members[row.machine] = row
            case ForkRow():
                key = (row.author, row.incarnation, row.chain, row.sequence, row.first, row.second)
                self.forks.setdefault(key, row)
            case IdempotencyRow():
                self.idempotency.setdefault(row.key, row)
            case InviteRow():
                _put_or_remove(self.invites, row.invite_id, row if row.data is not None else None)
            case PendingRow():
                _put_or_remove(self.pending, row.number, row if row.body is not None else None)
            case AddressRow():
                self._put_address(row)
            case KeptRow() | AmendmentRow() | WordsRow() | WatchRow() | BodyDropRow() | AttachmentRow() | FetchedRow():
                self.mail.apply(row, self.messages, self._drop_body)
            case _:
                self.order.apply(row)

    def _cut_chain(self, row: ChainCutRow) -> None:
        chain = self.chains.pop(_chain_key(row), {})
        before = {sequence: entry for sequence, entry in chain.items() if sequence < row.first}
        if before:
            self.chains[_chain_key(row)] = before

    def _raise_floor(self, row: ChainFloorRow) -> None:
        chain = self.chains.pop(_chain_key(row), {})
        left = {sequence: entry for sequence, entry in chain.items() if sequence >= row.first}
        if left:
            self.chains[_chain_key(row)] = left
        for sequence, entry in chain.items():
            if sequence < row.first and entry.kind not in SHOWN_KINDS:
                del self.entries[entry.id]

    def _drop_body(self, entry: EntryId) -> None:
        row = self.entries.get(entry)
        if row is not None:
            self.entries[entry] = bare = dataclasses.replace(row, body=None)
            chain = self.chains.get(_chain_key(row), {})
            if chain.get(row.sequence) == row:
                chain[row.sequence] = bare

    def _put_record(self, row: RecordRow) -> None:
        key = (row.kind, row.author, row.subject)
        known = self.records.get(key)
        if known is None or (row.start, row.counter) > (known.start, known.counter):
            self.records[key] = row

    def _put_message(self, row: MessageRow) -> None:
        if row.entry not in self.messages:
            self.messages[row.entry] = row
            self.by_message_id.setdefault(row.message_id, []).append(row)
            self.by_thread.setdefault(row.thread_id, []).append(row)

    def _put_delivery(self, row: DeliveryRow) -> None:
        ranks = self.ranks.setdefault(row.entry, {})
        if row.workspace not in ranks:
            base = rank_base(self.messages[row.entry].priority)
            self.arrivals[base] += 1
            ranks[row.workspace] = base + self.arrivals[base]
            self.delivered[ranks[row.workspace]] = row
        else:
            rank = ranks[row.workspace]
            self.delivered[rank] = dataclasses.replace(row, arrived_ms=self.delivered[rank].arrived_ms)

    def _put_receipt(self, row: ReceiptRow) -> None:
        receipts = self.receipts.setdefault(row.message, {})
        known = receipts.get((row.reader, row.workspace))
        if known is None or receipt_step(row.state) > receipt_step(known.state):
            receipts[(row.reader, row.workspace)] = row

    def _put_address(self, row: AddressRow) -> None:
        addresses = self.addresses.setdefault(row.machine, {})
        known = addresses.get(row.address)
        if known is None or row.seen_ms > known.seen_ms:
            addresses[row.address] = row
        for old in _newest_first(addresses)[limits.ADDRESSES_PER_MACHINE_MAX :]:
            del addresses[old.address]

    # --- reading ------------------------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Everything a core starts from, in the order of docs/protocol/store.md §3."""
        last = self.order.last_commit()
        return Loaded(
            meta=dict(self.meta),
            members=tuple(self.members[key] for key in sorted(self.members)),
            chains=tuple(_heads(key, self.chains[key]) for key in sorted(self.chains)),
            records=tuple(self.records[key] for key in sorted(self.records)),
            forks=tuple(self.forks[key] for key in sorted(self.forks)),
            invites=tuple(self.invite_rows()),
            pending=tuple(self.pending[key] for key in sorted(self.pending)),
            addresses=tuple(row for key in sorted(self.addresses) for row in _newest_first(self.addresses[key])),
            log=self.order.log_loaded(),
            state=self.order.state_pairs(),
            commits=last.number if last else CommitNumber(0),
            last_commit=last,
            watches=self.mail.watch_rows(),
            cited=self.mail.cited(self.messages),
            fetched=self.mail.fetched_rows(),
        )

    def run(self, key: ChainKey, first: int, count_max: int, bytes_max: int) -> list[EntryRow]:
        """Entries of one chain from ``first`` to the next gap or bound; at least one if it is there."""
        chain = self.chains.get(key, {})
        found: list[EntryRow] = []
        size = 0
        while len(found) < max(count_max, 1) and (row := chain.get(first + len(found))) is not None:
            size += len(row.header) + len(row.body or b"")
            if found and size > bytes_max:
                break
            found.append(row)
        return found

    def ordered_entries(self, ids: Iterable[EntryId]) -> dict[EntryId, tuple[bytes, bytes]]:
        """Header and body of each, in a chain or beside the chains."""
        found: dict[EntryId, tuple[bytes, bytes]] = {}
        for entry in ids:
            row = self.entries.get(entry)
            side = self.order.side_entries.get(entry)
            if row is not None and row.body is not None:
                found[entry] = (row.header, row.body)
            elif side is not None:
                found[entry] = (side.header, side.body)
        return found

    def deliveries_of(self, entry: EntryId) -> list[DeliveryRow]:
        """The deliveries of one message, ordered by workspace."""
        ranks = self.ranks.get(entry, {})
        return [self.delivered[ranks[workspace]] for workspace in sorted(ranks)]

    def invite_rows(self) -> list[InviteRow]:
        """The invites, ordered by id."""
        return [self.invites[key] for key in sorted(self.invites)]

    def mail_bytes(self) -> dict[MachineId, int]:
        """How many bytes are kept of each author's mail: headers, bodies, and the files that messages cite."""
        found: collections.Counter[MachineId] = collections.Counter()
        for row in self.entries.values():
            if row.chain == MAIL:
                found[row.author] += len(row.header) + len(row.body or b"")
        for cited in self.mail.cited(self.messages):
            found[cited.author] += sum(size for _, size in cited.blobs)
        return dict(found)

    def aged(self, query: AgedQuery) -> Aged:
        """What retention looks for."""
        return aged_messages(
            query, self.messages, self.entries, self.delivered, lambda entry: self.receipts.get(entry, {}), self.mail
        )

    def inbox(self, query: InboxQuery) -> InboxPage:
        """One page, by falling rank."""
        below, statuses, limit = parse_cursor(query.before), queried_statuses(query), queried_limit(query)
        inboxes = [
            (rank, row)
            for rank, row in sorted(self.delivered.items(), reverse=True)
            if query.workspaces is None or row.workspace in query.workspaces
        ]
        found = [
            (rank, item)
            for rank, row in inboxes
            for item in [InboxItem(message=self.messages[row.entry], delivery=row)]
            if rank < below and row.status in statuses and wanted(item, query)
        ]
        return InboxPage(
            items=tuple(item for _, item in found[:limit]),
            next=format_cursor(found[limit - 1][0]) if len(found) > limit else None,
            unread=sum(row.status == "unread" for _, row in inboxes),
        )


def _chain_key(row: EntryRow | ChainCutRow | ChainFloorRow) -> ChainKey:
    return (row.author, row.incarnation, row.chain)


def _heads(key: ChainKey, chain: dict[int, EntryRow]) -> ChainHeads:
    floor = min(chain)
    if max(chain) - floor + 1 != len(chain):
        raise PromiseBroken(f"the chain {key} has a gap")
    ids = b"".join(chain[sequence].id for sequence in range(floor, floor + len(chain)))
    return ChainHeads(author=key[0], incarnation=key[1], chain=key[2], floor=floor, ids=ids)


def _newest_first(addresses: dict[str, AddressRow]) -> list[AddressRow]:
    return sorted(addresses.values(), key=lambda row: (-row.seen_ms, row.address))


def _put_or_remove(table: dict[_K, _V], key: _K, value: _V | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _copy_nested(table: dict[_K, dict[_L, _V]]) -> dict[_K, dict[_L, _V]]:
    return {key: dict(inner) for key, inner in table.items()}
