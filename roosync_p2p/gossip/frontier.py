"""Who has what: the frontier of a node, its digest, and its signed form (docs/protocol/gossip.md §1).

A frontier names for every chain the run that a node holds durably. Two nodes compare 32 bytes, and only when those
differ the whole frontier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import Record
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import Chain, MachineId, parse_machine_id

__all__ = ["FrontierRecord", "Span", "check_spans", "covers", "digest_of"]


class Span(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is held of one chain: from ``floor`` to ``head``, and the id of the head (empty when nothing is held)."""

    author: str
    incarnation: int
    chain: str
    floor: int
    head: int
    id: bytes

    @property
    def key(self) -> ChainKey:
        """Which chain this is about."""
        return MachineId(self.author), self.incarnation, Chain(self.chain)


class FrontierRecord(Record, frozen=True, kw_only=True):
    """A machine's signed word on what it holds; the newest by (start, counter) counts.

    It proves delivery: a message whose entry it covers is in that machine's store.
    """

    machine: str
    start: int
    counter: int
    spans: list[Span]


def check_spans(spans: Iterable[Span]) -> None:
    """Bounds of spans from elsewhere.

    Raises:
        MalformedError: too many, or one that no honest node writes.
    """
    count = 0
    for span in spans:
        count += 1
        named = parse_machine_id(span.author) == span.author and span.chain in (LEDGER, MAIL)
        numbered = 1 <= span.incarnation <= limits.INCARNATION_MAX and 1 <= span.floor <= limits.NUMBER_MAX
        possible = named and numbered and span.floor - 1 <= span.head <= limits.NUMBER_MAX
        if not possible or len(span.id) != (0 if span.head < span.floor else 32):
            raise MalformedError(f"a frontier names an impossible run of {span.author}", code="bad_frontier")
    if count > limits.FRONTIER_CHAINS_MAX:
        raise MalformedError(f"a frontier of {count} chains", code="oversized")


def digest_of(spans: Iterable[Span]) -> bytes:
    """32 bytes that are equal exactly when the frontiers are; floors do not count, since they differ rightly."""
    rows = sorted((span.author, span.incarnation, span.chain, span.head, span.id) for span in spans)
    return sha256(pack(rows))


def covers(frontier: Mapping[ChainKey, int], key: ChainKey, sequence: int) -> bool:
    """Whether a frontier (heads by chain) holds that entry."""
    return frontier.get(key, 0) >= sequence
