"""One signed fact: a header that is signed, and a body that travels beside it (docs/protocol/entries.md §1).

The header alone makes the chain: a body may be dropped later, or be missing on the way, and signature, links and id
still hold. What a kind means is decided elsewhere; here an unknown kind is as good as any.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import Chain, EntryId, FleetId, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import Verified, parse_envelope, seal
from roosync_p2p.trust.keys import SigningKey

__all__ = [
    "CHAIN_START",
    "LEDGER",
    "MAIL",
    "Entry",
    "Header",
    "check_body",
    "read_entry",
    "stored_entry",
    "write_entry",
]

LEDGER: Final = Chain("ledger")
MAIL: Final = Chain("mail")
CHAIN_START: Final = "chain.start"

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class Header(Record, frozen=True, kw_only=True):
    """What the author signs.

    ``previous`` is the id of the entry before it in the same incarnation and chain, empty for the first.
    ``body`` is the SHA-256 of the body, ``size`` its length in bytes. ``time_ms`` is the author's wall clock.
    """

    author: str
    incarnation: int
    chain: str
    sequence: int
    previous: bytes
    time_ms: int
    kind: str
    size: int
    body: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A header whose signature was verified, its id, the bytes that arrived, and the body if it is here."""

    header: Header
    id: EntryId
    raw: bytes
    body: bytes | None

    @property
    def author(self) -> MachineId:
        return MachineId(self.header.author)

    @property
    def chain(self) -> Chain:
        return Chain(self.header.chain)

    @property
    def place(self) -> tuple[MachineId, int, Chain]:
        """Which chain of which incarnation this belongs to."""
        return self.author, self.header.incarnation, self.chain


def write_entry(
    key: SigningKey,
    *,
    fleet: FleetId,
    author: MachineId,
    incarnation: int,
    chain: Chain,
    sequence: int,
    previous: EntryId | None,
    time_ms: int,
    kind: str,
    body: bytes,
) -> Entry:
    """Signs one entry.

    The caller owns the chain: it passes the next sequence and the id of its head, and persists the entry before
    anybody sees it. Two different entries for one place are a fork that cannot be taken back.

    Raises:
        MalformedError: the body is larger than ``limits.ENTRY_BODY_BYTES_MAX``.
    """
    if len(body) > limits.ENTRY_BODY_BYTES_MAX:
        raise MalformedError(
            f"{len(body)} bytes, where {limits.ENTRY_BODY_BYTES_MAX} are allowed; nothing was written",
            code="oversized",
        )
    header = Header(
        author=author,
        incarnation=incarnation,
        chain=chain,
        sequence=sequence,
        previous=previous or b"",
        time_ms=time_ms,
        kind=kind,
        size=len(body),
        body=sha256(body),
    )
    raw = seal(key, context=contexts.ENTRY, fleet=fleet, author=author, payload=encode(header))
    signed = parse_envelope(raw, size_max=limits.ENTRY_HEADER_BYTES_MAX).signed_bytes()
    return Entry(header=header, id=EntryId(sha256(signed)), raw=raw, body=body)


def read_entry(verified: Verified, body: bytes | None) -> Entry:
    """The entry in a verified envelope.

    Raises:
        MalformedError: the header does not parse or breaks a bound, or the body is not the one that was signed.
    """
    header = decode(verified.payload, Header, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    _check_header(header, verified)
    if body is not None:
        check_body(header, body)
    return Entry(header=header, id=EntryId(verified.digest), raw=verified.raw, body=body)


def stored_entry(raw: bytes, body: bytes | None) -> Entry:
    """An entry as this machine's own store kept it: verified when it came, so its signature is not checked again.

    Raises:
        MalformedError: these are not the bytes of an entry and its body: the disk changed them.
    """
    envelope = parse_envelope(raw, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    header = decode(envelope.payload, Header, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    if body is not None:
        check_body(header, body)
    return Entry(header=header, id=EntryId(sha256(envelope.signed_bytes())), raw=raw, body=body)


def check_body(header: Header, body: bytes) -> None:
    """Whether these bytes are the body that was signed.

    Raises:
        MalformedError: they are not.
    """
    if len(body) != header.size or sha256(body) != header.body:
        raise MalformedError(
            f"the body of {header.author} {header.chain} {header.sequence} is not the one that was signed",
            code="wrong_body",
        )


def _check_header(header: Header, verified: Verified) -> None:
    def wrong(what: str) -> MalformedError:
        return MalformedError(f"an entry header of {verified.author} has a bad {what}", code="bad_header")

    if header.author != verified.author:
        raise wrong("author: another machine signed it")
    if header.chain not in (LEDGER, MAIL):
        raise wrong("chain")
    if not 1 <= header.incarnation <= limits.INCARNATION_MAX or not 1 <= header.sequence <= limits.NUMBER_MAX:
        raise wrong("number")
    if not 0 <= header.time_ms <= limits.WALL_MS_MAX:
        raise wrong("time")
    if (header.sequence == 1) != (header.kind == CHAIN_START):
        raise wrong(f"kind: the first entry, and only it, is {CHAIN_START}")
    if len(header.previous) != (0 if header.sequence == 1 else 32) or len(header.body) != 32:
        raise wrong("hash")
    if not 0 <= header.size <= limits.ENTRY_BODY_BYTES_MAX:
        raise wrong("size")
    if not _NAME.fullmatch(header.kind):
        raise wrong("kind")
