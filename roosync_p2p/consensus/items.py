"""What the replicated log holds: items, their three payloads, and their bytes (docs/protocol/consensus.md §2, §3.1).

An item is kept, sent and stored as the same canonical bytes. Its payload is decoded when somebody asks for it, so that
a log of 100,000 items is loaded by looking at the first two bytes of each. The index is the item's place and is not in
the bytes, except that the envelope of a voter change signs it.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import EntryId, Epoch, LogIndex, MachineId, StoreId, Term, parse_machine_id

__all__ = [
    "Batch",
    "LogItem",
    "Noop",
    "Payload",
    "Seat",
    "VoterChange",
    "Voters",
    "changes_voters",
    "encode_item",
    "make_item",
    "parse_item",
]

Number = Annotated[int, msgspec.Meta(ge=0, le=limits.NUMBER_MAX)]
WallMs = Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)]
Store = Annotated[StoreId, msgspec.Meta(min_length=16, max_length=16)]
_Entry = Annotated[EntryId, msgspec.Meta(min_length=32, max_length=32)]

_NOOP: Final = 0
_BATCH: Final = 1
_VOTERS: Final = 2
_KIND_AT: Final = 1  # the first byte says "list of n", the second is the kind


class Seat(NamedTuple):
    """Who takes part in consensus: one life of one machine's store. A restored store is another seat."""

    machine: MachineId
    store: Store

    def __str__(self) -> str:
        return f"{self.machine}/{self.store.hex()[:8]}"


class Noop(records.Record, frozen=True, kw_only=True, array_like=True):
    """The first item of a leader, by whose commit everything before it is committed (§5.4.2 of the Raft paper)."""


class Batch(records.Record, frozen=True, kw_only=True, array_like=True):
    """Entries in their order, with the leader's commit time."""

    time_ms: WallMs
    entries: Annotated[tuple[_Entry, ...], msgspec.Meta(min_length=1, max_length=limits.BATCH_ENTRIES_MAX)]


class Voters(records.Record, frozen=True, kw_only=True, array_like=True):
    """The voters from this item on.

    Attributes:
        time_ms: the leader's commit time.
        replaces: index of the configuration that was in force, 0 for none; under any other this item is void.
        voters: the new ones, ordered, each machine once.
        envelope: the leader's signature over a :class:`VoterChange`; checked by the core before the item gets in.
    """

    time_ms: WallMs
    replaces: Annotated[LogIndex, msgspec.Meta(ge=0, le=limits.NUMBER_MAX)]
    voters: Annotated[tuple[Seat, ...], msgspec.Meta(min_length=1, max_length=limits.VOTERS_MAX)]
    envelope: Annotated[bytes, msgspec.Meta(max_length=limits.VOTER_ENVELOPE_BYTES_MAX)] = b""


Payload: TypeAlias = Noop | Batch | Voters


class VoterChange(records.Record, frozen=True, kw_only=True, array_like=True):
    """What the envelope of a :class:`Voters` signs: the change and the only place where it may stand."""

    epoch: Number
    term: Number
    index: Number
    time_ms: WallMs
    replaces: Number
    voters: tuple[Seat, ...]

    @classmethod
    def of(cls, payload: Voters, *, epoch: Epoch, term: Term, index: LogIndex) -> VoterChange:
        """What the envelope of that payload has to be over when it stands at that place."""
        return cls(
            epoch=epoch,
            term=term,
            index=index,
            time_ms=payload.time_ms,
            replaces=payload.replaces,
            voters=payload.voters,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class LogItem:
    """One item at its place. ``data`` is what is stored and sent; two items are the same when these three are."""

    index: LogIndex
    term: Term
    data: bytes
    _payload: Payload | None = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def payload(self) -> Payload:
        """The decoded payload.

        Raises:
            MalformedError: the bytes were never checked and are not an item's.
        """
        if self._payload is None:
            object.__setattr__(self, "_payload", _decode(self.data)[1])
        assert self._payload is not None
        return self._payload


def encode_item(term: Term, payload: Payload) -> bytes:
    """The bytes of an item: a list of kind, term and the fields of the payload."""
    match payload:
        case Batch():
            assert 0 < len(payload.entries) <= limits.BATCH_ENTRIES_MAX
            return pack((_BATCH, term, payload.time_ms, payload.entries))
        case Voters():
            assert 0 < len(payload.voters) <= limits.VOTERS_MAX
            return pack((_VOTERS, term, payload.time_ms, payload.replaces, payload.voters, payload.envelope))
        case Noop():
            return pack((_NOOP, term))


def make_item(index: LogIndex, term: Term, payload: Payload) -> LogItem:
    """An item of our own."""
    return LogItem(index, term, encode_item(term, payload), payload)


def parse_item(index: LogIndex, data: bytes) -> LogItem:
    """An item from elsewhere, checked whole.

    Raises:
        MalformedError: not canonical, of an unknown kind, or a field is missing or out of bounds.
    """
    term, payload = _decode(data)
    return LogItem(index, term, data, payload)


def changes_voters(data: bytes) -> bool:
    """Whether the bytes of an item are those of a voter change, told without decoding."""
    return data[_KIND_AT] == _VOTERS


def _decode(data: bytes) -> tuple[Term, Payload]:
    value = unpack(data, size_max=limits.LOG_ITEM_BYTES_MAX)
    if not isinstance(value, list) or len(value) < 2:
        raise MalformedError("a log item is a list of kind, term and fields", code="bad_log_item")
    kind, term, *fields = value
    if type(kind) is not int or type(term) is not int or not 0 <= term <= limits.NUMBER_MAX:
        raise MalformedError("kind or term of a log item is no number", code="bad_log_item")
    payload: Payload
    if kind == _BATCH:
        payload = records.from_value(fields, Batch)
    elif kind == _VOTERS:
        payload = _checked(records.from_value(fields, Voters))
    elif kind == _NOOP:
        payload = records.from_value(fields, Noop)
    else:
        raise MalformedError(f"a log item of the unknown kind {kind}", code="bad_log_item")
    return Term(term), payload


def _checked(change: Voters) -> Voters:
    machines = [seat.machine for seat in change.voters]
    if any(parse_machine_id(machine) != machine for machine in machines):
        raise MalformedError("a voter's machine id is not in lower case", code="bad_machine_id")
    if machines != sorted(set(machines)):
        raise MalformedError("voters are not in order, or a machine is named twice", code="bad_log_item")
    return change
