"""Votes as signed records, so that a store that was rolled back cannot vote twice (docs/protocol/ordering.md §6).

Whoever asks for a vote gets it with the voter's signature, and keeps the newest of each voter. When a voter starts, it
is shown its own newest vote: one in a term that its disk knows nothing of proves that the disk lost something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.errors import UntrustedError
from roosync_p2p.ids import Epoch, MachineId, StoreId, Term
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import Verified, parse_envelope, seal

__all__ = ["VoteRecord", "Votes", "read_vote"]

_PREFIX: Final = "vote."

_Store = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=limits.NUMBER_MAX)]


class VoteRecord(Record, frozen=True, kw_only=True):
    """That a store voted in a term, and for which seat."""

    machine: str
    store: _Store
    epoch: _Number
    term: _Number
    candidate: str
    candidate_store: _Store


def read_vote(verified: Verified) -> VoteRecord:
    """The vote in a verified envelope.

    Raises:
        MalformedError: it breaks its schema.
        UntrustedError: it is of another machine than its signer.
    """
    vote = decode(verified.payload, VoteRecord, size_max=limits.RECORD_BYTES_MAX)
    if vote.machine != verified.author:
        raise UntrustedError("a vote names another machine than its signer", code="wrong_source")
    return vote


class Votes:
    """The newest votes that this node was given, and its own signature on those it gives."""

    def __init__(self, desk: Desk, meta: Mapping[str, bytes]) -> None:
        self._desk = desk
        self._newest: dict[MachineId, tuple[VoteRecord, bytes]] = {}
        for key, envelope in meta.items():
            if key.startswith(_PREFIX):
                payload = parse_envelope(envelope, size_max=limits.RECORD_BYTES_MAX).payload
                self._newest[MachineId(key.removeprefix(_PREFIX))] = (decode(payload, VoteRecord), envelope)

    def signed(
        self, *, store: StoreId, epoch: Epoch, term: Term, candidate: MachineId, candidate_store: StoreId
    ) -> bytes:
        """This machine's vote, as an envelope."""
        record = VoteRecord(
            machine=self._desk.me,
            store=store,
            epoch=epoch,
            term=term,
            candidate=candidate,
            candidate_store=candidate_store,
        )
        return seal(
            self._desk.identity.key,
            context=contexts.VOTE,
            fleet=self._desk.identity.fleet,
            author=self._desk.me,
            payload=encode(record),
        )

    def given(self, verified: Verified) -> None:
        """Keeps a vote that came with its voter's signature, if it is newer than the one that is held.

        Raises:
            PeerFault: it is no vote of its signer.
        """
        vote = read_vote(verified)
        machine = MachineId(vote.machine)
        held = self._newest.get(machine)
        if held is None or (vote.epoch, vote.term) > (held[0].epoch, held[0].term):
            self._newest[machine] = (vote, verified.raw)
            self._desk.persist(MetaRow(key=_PREFIX + machine, value=verified.raw))

    def of(self, machine: MachineId) -> bytes | None:
        """The newest vote of a machine that is held, as its envelope."""
        held = self._newest.get(machine)
        return None if held is None else held[1]
