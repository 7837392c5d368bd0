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
from roosync_p2p.core.wire import (
    Beat,
    Countersigned,
    EntriesFrame,
    Fork,
    Frame,
    OwnAnswer,
    RecordFrame,
    Relay,
    RelayPayload,
    WireEntry,
    decode_frame,
)
from roosync_p2p.entries.entry import CHAIN_START, Entry, Header, read_entry
from roosync_p2p.entries.incarnations import ChainStart, read_chain_start
from roosync_p2p.errors import MalformedError, PeerFault, StaleError, UntrustedError
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import Verified, parse_envelope, verify

__all__ = ["RECORD_CONTEXTS", "Part", "Prepared", "prepare", "signatures_in"]

Part: TypeAlias = "Entry | Verified | PeerFault"
Certificates: TypeAlias = "tuple[bytes, bytes]"

RECORD_CONTEXTS: Final = {"frontier": contexts.FRONTIER, "floor": contexts.FLOOR}


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
    """

    frame: Frame | None
    size: int
    parts: tuple[Part, ...] = ()
    certificates: tuple[Certificates, ...] = ()
    inner: Prepared | None = None
    relay: RelayPayload | None = None

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
            parts, _ = _entries(headers, directory)
            if frame.heartbeat is not None:
                parts = (*parts, _verified(frame.heartbeat, contexts.HEARTBEAT, directory, limits.HEARTBEAT_BYTES_MAX))
            return Prepared(frame=frame, size=size, parts=parts)
        case Beat():
            beat = _verified(frame.envelope, contexts.HEARTBEAT, directory, limits.HEARTBEAT_BYTES_MAX)
            return Prepared(frame=frame, size=size, parts=(beat,))
        case RecordFrame():
            context = RECORD_CONTEXTS.get(frame.kind)
            if context is None:
                return Prepared(frame=None, size=size)
            record = _verified(frame.envelope, context, directory, limits.RECORD_BYTES_MAX)
            return Prepared(frame=frame, size=size, parts=(record,))
        case Countersigned(envelope=bytes() as envelope):
            answer = _verified(envelope, contexts.INCARNATION, directory, limits.RECORD_BYTES_MAX)
            return Prepared(frame=frame, size=size, parts=(answer,))
        case Relay():
            return _relayed(frame, size, directory)
        case _:
            return Prepared(frame=frame, size=size)


def signatures_in(data: bytes) -> int:
    """A cheap upper estimate of the signatures in a frame, to decide whether a worker thread is worth its hop."""
    return 1 + len(data) // 400


def _verified(envelope: bytes, context: str, directory: Directory, size_max: int) -> Verified | PeerFault:
    try:
        return verify(envelope, context=context, directory=directory, size_max=size_max)
    except PeerFault as fault:
        return fault


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
                known = known.with_chain(*introduced)
                learned.append(introduced)
            parts.append(_entry(item, known))
        except PeerFault as fault:
            parts.append(fault)
    return tuple(parts), tuple(learned)


def _introduced(item: WireEntry, known: Directory) -> Certificates | None:
    """The certificates in the first entry of a machine that nobody here knows yet."""
    if item.body is None:
        return None
    envelope = parse_envelope(item.header, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    if envelope.author in known.members:
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
