"""The five messages of consensus and their bytes (docs/protocol/consensus.md §3.2).

Each begins with the epoch, the sender's term, the store it is for and the store it is from: a message to another life
of this store, or of another epoch, means nothing here. Who sent it is what the link or the relay's envelope proves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.consensus.items import LogItem, Store, parse_item
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import Epoch, LogIndex, Term

__all__ = [
    "Append",
    "AppendAnswer",
    "Message",
    "TimeoutNow",
    "VoteAnswer",
    "VoteRequest",
    "decode_message",
    "encode_message",
]

_Number = msgspec.Meta(ge=0, le=limits.NUMBER_MAX)
_Epoch = Annotated[Epoch, _Number]
_Term = Annotated[Term, _Number]
_Index = Annotated[LogIndex, _Number]
_Round = Annotated[int, _Number]


class _Head(records.Record, frozen=True, kw_only=True, array_like=True):
    """What every message begins with.

    Attributes:
        epoch: of the commit log.
        term: of the sender; of a pre-vote and of the answer that grants it, the one that the candidate would take.
        to: the store that this is for.
        by: the store that this is from.
    """

    epoch: _Epoch
    term: _Term
    to: Store
    by: Store


class VoteRequest(_Head, frozen=True, kw_only=True, array_like=True, tag=1):
    """A candidate asks for a vote.

    Attributes:
        last_index: of the candidate's log.
        last_term: of the item there.
        pre: it only asks whether it would get the vote (dissertation §9.6).
        transfer: the leader itself asked it to, so nobody stands by that leader (dissertation §4.2.3).
    """

    last_index: _Index
    last_term: _Term
    pre: bool
    transfer: bool


class VoteAnswer(_Head, frozen=True, kw_only=True, array_like=True, tag=2):
    """The answer. ``record`` is the signed record of a vote that was granted: the core fills it in and reads it."""

    granted: bool
    pre: bool
    record: Annotated[bytes, msgspec.Meta(max_length=limits.VOTE_RECORD_BYTES_MAX)] = b""


class Append(_Head, frozen=True, kw_only=True, array_like=True, tag=3):
    """The leader's items; without any, its heartbeat.

    Attributes:
        prev_index: the place before the first item.
        prev_term: of the item there.
        commit: how far the leader knows the log to be committed.
        round: of reads; an answer that carries it back shows that the sender still led when it was sent.
        items: consecutive, from ``prev_index`` + 1 on.
    """

    prev_index: _Index
    prev_term: _Term
    commit: _Index
    round: _Round
    items: tuple[LogItem, ...]


class AppendAnswer(_Head, frozen=True, kw_only=True, array_like=True, tag=4):
    """What a follower made of it.

    Attributes:
        ok: whether the item before matched; then everything up to ``match`` is the leader's, and durable.
        match: if not ``ok``, the ``prev_index`` that did not match.
        hint_index: if not ``ok``, the last place where the two logs may agree, for all that the follower can tell.
        hint_term: of its item there.
        commit: how far the follower knows the log to be committed.
        round: the one of the Append.
    """

    ok: bool
    match: _Index
    hint_index: _Index
    hint_term: _Term
    commit: _Index
    round: _Round


class TimeoutNow(_Head, frozen=True, kw_only=True, array_like=True, tag=5):
    """The leader asks a voter that has everything to campaign at once (dissertation §3.10)."""


Message: TypeAlias = VoteRequest | VoteAnswer | Append | AppendAnswer | TimeoutNow


class _AppendForm(_Head, frozen=True, kw_only=True, array_like=True, tag=3):
    """An :class:`Append` as it is on the wire, its items still bytes."""

    prev_index: _Index
    prev_term: _Term
    commit: _Index
    round: _Round
    items: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=limits.APPEND_ITEMS_MAX)]


_Form: TypeAlias = VoteRequest | VoteAnswer | _AppendForm | AppendAnswer | TimeoutNow
_TAGS: Final[dict[type[msgspec.Struct], int]] = {
    VoteRequest: 1,
    VoteAnswer: 2,
    Append: 3,
    AppendAnswer: 4,
    TimeoutNow: 5,
}


def encode_message(message: Message) -> bytes:
    """The canonical bytes of a message: a list of its kind and its fields in order."""
    fields = msgspec.structs.astuple(message)
    if type(message) is Append:
        *numbers, items = fields
        return pack((3, *numbers, [item.data for item in items]))
    return pack((_TAGS[type(message)], *fields))


def decode_message(data: bytes) -> Message:
    """The message in canonical bytes, the payloads of its items decoded too.

    Raises:
        MalformedError: too large, not canonical, of an unknown kind, or a field is missing or out of bounds.
    """
    value = unpack(data, size_max=limits.CONSENSUS_MESSAGE_BYTES_MAX)
    try:
        form: _Form = msgspec.convert(value, _Form, strict=True, builtin_types=(bytes,))
    except (msgspec.ValidationError, RecursionError) as error:
        raise MalformedError(f"a consensus message: {error}", code="bad_field") from error
    return _with_items(form) if isinstance(form, _AppendForm) else form


def _with_items(form: _AppendForm) -> Append:
    first = form.prev_index + 1
    items = tuple([parse_item(LogIndex(first + at), data) for at, data in enumerate(form.items)])
    _require_order(form, items)
    return Append(
        epoch=form.epoch,
        term=form.term,
        to=form.to,
        by=form.by,
        prev_index=form.prev_index,
        prev_term=form.prev_term,
        commit=form.commit,
        round=form.round,
        items=items,
    )


def _require_order(form: _AppendForm, items: Sequence[LogItem]) -> None:
    """Terms never fall along a log, and nobody appends an item of a term that it does not know."""
    term = form.prev_term
    for item in items:
        if item.term < term:
            raise MalformedError(f"the term falls from {term} to {item.term} within one log", code="bad_append")
        term = item.term
    if term > form.term:
        raise MalformedError(f"an item of term {term} from a leader of term {form.term}", code="bad_append")
