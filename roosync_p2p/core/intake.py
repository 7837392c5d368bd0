"""From the bytes of a frame to verified parts, before the core sees them (docs/protocol/frames.md §2).

:func:`prepare` is pure: the node runs it in worker threads against a snapshot of the directory, the simulation inline.
It says by which key each part was signed; whether that key still has authority is decided by the core, again, when it
handles the result.
"""

from __future__ import annotations

import dataclasses
from typing import Final, TypeAlias

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.consensus.items import LogItem, VoterChange, Voters, changes_voters, parse_item
from roosync_p2p.consensus.messages import Append, Message, VoteAnswer, decode_message
from roosync_p2p.core.wire import (
    Beat,
    Committed,
    Countersigned,
    EntriesFrame,
    EpochsFrame,
    Fork,
    Frame,
    OrderedFrame,
    OwnAnswer,
    RaftFrame,
    RecordFrame,
    Relay,
    RelayPayload,
    WireEntry,
    decode_frame,
)
from roosync_p2p.entries.entry import CHAIN_START, Entry, Header, read_entry
from roosync_p2p.entries.incarnations import ChainStart, read_chain_start
from roosync_p2p.errors import MalformedError, PeerFault, SignatureFault, StaleError, UntrustedError
from roosync_p2p.ids import Epoch, KeyId, LogIndex, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import Verified, parse_envelope, verify
from roosync_p2p.trust.rotations import verify_rotation

__all__ = ["RECORD_CONTEXTS", "Part", "Prepared", "prepare", "require_standing", "signatures_in"]

Part: TypeAlias = "Entry | Verified | PeerFault"
Certificates: TypeAlias = "tuple[bytes, bytes]"

RECORD_CONTEXTS: Final = {
    "frontier": contexts.FRONTIER,
    "floor": contexts.FLOOR,
    "sessions": contexts.SESSIONS,
    "revocation": contexts.STATEMENT,
    "sealing": contexts.SEALING,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A frame whose signatures were checked.

    Attributes:
        frame: the frame, or None if this version does not know its name.
        size: bytes on the wire.
        parts: what was signed in it, in the frame's order; an error in the place of what did not verify.
        certificates: (leaf, issuer) of machines that the frame itself introduced, verified to the root.
        inner: the frame inside a relayed one; None if it is no good, and then the fault stands behind the envelope in
            ``parts``: it is the source's, not that of whoever passed it on unread.
        relay: what the source of a relayed frame signed.
        message: the decoded message of a consensus frame; the signatures of voter changes in it are verified.
        items: the decoded items of a frame of committed ones; the same.
    """

    frame: Frame | None
    size: int
    parts: tuple[Part, ...] = ()
    certificates: tuple[Certificates, ...] = ()
    inner: Prepared | None = None
    relay: RelayPayload | None = None
    message: Message | None = None
    items: tuple[LogItem, ...] = ()

    def signed(self) -> Verified:
        """The one signed part of a frame that has just one.

        Raises:
            PeerFault: it did not verify.
        """
        part = self.parts[0]
        if isinstance(part, PeerFault):
            raise part
        assert isinstance(part, Verified)
        return part


def prepare(data: bytes, directory: Directory) -> Prepared:
    """Parses a frame and verifies everything signed in it.

    Raises:
        PeerFault: the frame as a whole is no good. A single bad part of a good frame is an error in ``parts``.
    """
    return _prepared(decode_frame(data), len(data), directory)


def _prepared(frame: Frame | None, size: int, directory: Directory) -> Prepared:
    match frame:
        case EntriesFrame():
            parts, certificates = _entries(frame.entries, directory)
            return Prepared(frame=frame, size=size, parts=parts, certificates=certificates)
        case Fork():
            halves = [WireEntry(header=frame.first, body=None), WireEntry(header=frame.second, body=None)]
            parts, certificates = _entries(halves, directory)
            return Prepared(frame=frame, size=size, parts=parts, certificates=certificates)
        case OwnAnswer():
            headers = [WireEntry(header=header, body=None) for header in frame.headers]
            known = directory
            for leaf, issuer in frame.former[: limits.FORMER_KEYS_SHOWN_MAX]:
                known = known.with_former(leaf, issuer)
            parts, _ = _entries(headers, known)
            if frame.heartbeat is not None:
                parts = (*parts, _verified(frame.heartbeat, contexts.HEARTBEAT, directory, limits.HEARTBEAT_BYTES_MAX))
            if frame.vote is not None:
                parts = (*parts, _verified(frame.vote, contexts.VOTE, directory, limits.RECORD_BYTES_MAX))
            return Prepared(frame=frame, size=size, parts=parts)
        case Beat():
            beat = _verified(frame.envelope, contexts.HEARTBEAT, directory, limits.HEARTBEAT_BYTES_MAX)
            return Prepared(frame=frame, size=size, parts=(beat,))
        case RecordFrame(kind="rotation", envelope=envelope):
            return Prepared(frame=frame, size=size, parts=(verify_rotation(envelope, directory),))
        case RecordFrame():
            context = RECORD_CONTEXTS.get(frame.kind)
            if context is None:
                return Prepared(frame=None, size=size)
            record = _verified(frame.envelope, context, directory, limits.RECORD_BYTES_MAX)
            return Prepared(frame=frame, size=size, parts=(record,))
        case Countersigned(envelope=bytes() as envelope):
            answer = _verified(envelope, contexts.INCARNATION, directory, limits.RECORD_BYTES_MAX)
            return Prepared(frame=frame, size=size, parts=(answer,))
        case OrderedFrame():
            parts, certificates = _entries(frame.entries, directory)
            return Prepared(frame=frame, size=size, parts=parts, certificates=certificates)
        case RaftFrame():
            message = decode_message(frame.message)
            return Prepared(frame=frame, size=size, parts=_consensus(message, directory), message=message)
        case Committed():
            items = _committed(frame, directory)
            return Prepared(frame=frame, size=size, items=items)
        case EpochsFrame():
            if len(frame.statements) > limits.EPOCHS_PER_FRAME_MAX:
                raise MalformedError(f"{len(frame.statements)} statements in one frame", code="oversized")
            said = [
                _verified(envelope, contexts.STATEMENT, directory, limits.ENTRY_BODY_BYTES_MAX)
                for envelope in frame.statements
            ]
            return Prepared(frame=frame, size=size, parts=tuple(said))
        case Relay():
            return _relayed(frame, size, directory)
        case _:
            return Prepared(frame=frame, size=size)


def require_standing(prepared: Prepared, directory: Directory) -> None:
    """Returns if no key that signed something new in a frame was given up since it was verified.

    Raises:
        UntrustedError: one was (``key_revoked``).
    """
    for part in prepared.parts:
        if isinstance(part, Verified):
            require_standing_key(part, directory)
    if prepared.inner is not None:
        require_standing(prepared.inner, directory)


def require_standing_key(verified: Verified, directory: Directory) -> None:
    """Returns if the key that signed this was not given up since, or what it signs lasts.

    Raises:
        UntrustedError: it was (``key_revoked``).
    """
    if verified.key_id in directory.given_up and verified.context not in contexts.LASTING:
        raise UntrustedError(f"the key of {verified.author} was revoked or replaced", code="key_revoked")


def signatures_in(data: bytes) -> int:
    """A cheap upper estimate of the signatures in a frame, to decide whether a worker thread is worth its hop."""
    return 1 + len(data) // 400


def _verified(envelope: bytes, context: str, directory: Directory, size_max: int) -> Verified | PeerFault:
    try:
        return verify(envelope, context=context, directory=directory, size_max=size_max)
    except PeerFault as fault:
        return fault


def _consensus(message: Message, directory: Directory) -> tuple[Part, ...]:
    """Verifies what is signed inside a message; the vote of an answer is its only part."""
    if isinstance(message, Append):
        for item in message.items:
            _check_voters(item, message.epoch, directory)
    if isinstance(message, VoteAnswer) and message.record:
        return (_verified(message.record, contexts.VOTE, directory, limits.RECORD_BYTES_MAX),)
    return ()


def _committed(frame: Committed, directory: Directory) -> tuple[LogItem, ...]:
    if len(frame.items) > limits.APPEND_ITEMS_MAX or not 1 <= frame.first <= limits.NUMBER_MAX:
        raise MalformedError("a frame of committed items breaks its bounds", code="oversized")
    items = tuple(parse_item(LogIndex(frame.first + at), data) for at, data in enumerate(frame.items))
    for item in items:
        _check_voters(item, Epoch(frame.epoch), directory)
    return items


def _check_voters(item: LogItem, epoch: Epoch, directory: Directory) -> None:
    """A voter change carries the signature of the leader that made it, over it and its place.

    Raises:
        PeerFault: the envelope does not verify, or is over another change.
    """
    if not changes_voters(item.data):
        return
    change = item.payload
    assert isinstance(change, Voters)
    verified = verify(
        change.envelope, context=contexts.VOTERS, directory=directory, size_max=limits.VOTER_ENVELOPE_BYTES_MAX
    )
    signed = decode(verified.payload, VoterChange)
    # Items of earlier epochs are replicated in later ones.
    made = VoterChange.of(change, epoch=Epoch(signed.epoch), term=item.term, index=item.index)
    if item.index == 1 and any(
        seat.machine not in {issuer.machine for issuer in directory.issuers.values()} for seat in change.voters
    ):
        raise UntrustedError("a commit log begins with its founder, whom the root made an issuer", code="not_founder")
    if signed != made or signed.epoch > epoch:
        raise SignatureFault("a voter change is signed for another place or other voters", code="wrong_voters")


def _entries(wire: list[WireEntry], directory: Directory) -> tuple[tuple[Part, ...], tuple[Certificates, ...]]:
    if len(wire) > limits.ENTRIES_PER_FRAME_MAX:
        raise MalformedError(f"{len(wire)} entries in one frame", code="oversized")
    known = directory
    learned: list[Certificates] = []
    parts: list[Part] = []
    for item in wire:
        try:
            introduced = _introduced(item, known)
            if introduced is not None:
                known = known.with_introduced(*introduced)
                learned.append(introduced)
            parts.append(_entry(item, known))
        except PeerFault as fault:
            parts.append(fault)
    return tuple(parts), tuple(learned)


def _introduced(item: WireEntry, known: Directory) -> Certificates | None:
    """The certificates in the first entry of a machine, or of a former key of one, that nobody here knows yet."""
    if item.body is None:
        return None
    envelope = parse_envelope(item.header, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    author, key_id = MachineId(envelope.author), KeyId(envelope.key)
    if (author, key_id) in known.former or (author in known.members and key_id not in known.given_up):
        return None
    header = decode(envelope.payload, Header, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    if header.kind != CHAIN_START:
        return None
    start = decode(item.body, ChainStart, size_max=limits.ENTRY_BODY_BYTES_MAX)
    return start.leaf, start.issuer


def _entry(item: WireEntry, known: Directory) -> Entry:
    if len(item.header) > limits.ENTRY_HEADER_BYTES_MAX:
        raise MalformedError(f"an entry header of {len(item.header)} bytes", code="oversized")
    verified = verify(item.header, context=contexts.ENTRY, directory=known, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    entry = read_entry(verified, item.body)
    if entry.header.kind == CHAIN_START and entry.body is not None:
        read_chain_start(entry, known)
    return entry


def _relayed(frame: Relay, size: int, directory: Directory) -> Prepared:
    outer = verify(frame.envelope, context=contexts.RELAY, directory=directory, size_max=limits.FRAME_BYTES_MAX)
    payload = decode(outer.payload, RelayPayload)
    if payload.source != outer.author:
        raise UntrustedError("a relayed frame names another source than its signer", code="wrong_source")
    if payload.counter < 0 or payload.start < 0 or payload.time_ms < 0:
        raise MalformedError("a relayed frame has an impossible number", code="bad_field")
    try:
        inner = decode_frame(payload.frame)
        if isinstance(inner, Relay):  # before it is looked into: they may be nested deeper than Python's stack
            raise StaleError("a relayed frame inside a relayed frame: one hop is the limit", code="too_many_hops")
        unpacked = _prepared(inner, len(payload.frame), directory)
    except PeerFault as fault:
        return Prepared(frame=frame, size=size, parts=(outer, fault), relay=payload)
    return Prepared(frame=frame, size=size, parts=(outer,), inner=unpacked, relay=payload)
