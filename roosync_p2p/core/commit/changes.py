"""What a voter change is signed as: the epoch in it tells which epoch a configuration belongs to (ordering.md §7)."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.consensus.items import VoterChange, Voters
from roosync_p2p.ids import Epoch
from roosync_p2p.trust.envelopes import parse_envelope

__all__ = ["epoch_of_change"]


def epoch_of_change(change: Voters) -> Epoch:
    """The epoch of a change in the log. Its envelope was verified before it got there."""
    envelope = parse_envelope(change.envelope, size_max=limits.VOTER_ENVELOPE_BYTES_MAX)
    return Epoch(decode(envelope.payload, VoterChange).epoch)
