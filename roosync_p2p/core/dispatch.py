"""Which part of a core a frame is for (docs/protocol/frames.md §1). One flat match, nothing decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roosync_p2p.core import wire
from roosync_p2p.core.intake import Prepared
from roosync_p2p.ids import MachineId

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["dispatch"]


def dispatch(core: NodeCore, peer: MachineId, prepared: Prepared) -> None:
    """Takes a frame of a greeted peer, over a link or relayed, to whom it concerns.

    Raises:
        PeerFault: it is no good; nothing of it was taken.
    """
    match prepared.frame:
        case wire.EntriesFrame():
            core.acceptance.received(peer, prepared)
        case wire.Have(spans=spans):
            core.exchange.offered(peer, spans)
        case wire.Want() as want:
            core.exchange.wanted(peer, want)
        case wire.Digest(frontier=frontier, records=records):
            core.exchange.digest_received(peer, frontier)
            core.delivery.digest_received(peer, records)
        case wire.FrontierFrame() as frame:
            core.exchange.frontier_received(peer, frame)
        case wire.RecordFrame() as frame:
            core.watch.own_record(core.delivery.received(peer, frame, prepared.signed()))
        case wire.Versions() as frame:
            core.delivery.versions_received(peer, frame)
        case wire.Hears() as frame:
            core.presence.hears_received(peer, frame)
        case wire.AskHears() as frame:
            core.presence.asked(peer, frame)
        case wire.Lost() as frame:
            core.presence.lost_received(peer, frame)
        case wire.Fork():
            core.watch.fork_evidence(prepared)
        case wire.OwnQuery():
            core.watch.own_query(peer)
        case wire.OwnAnswer():
            core.watch.own_answer(peer, prepared)
        case wire.RenewalRequest() as frame:
            core.renewals.requested(peer, frame)
        case wire.Countersigned() as frame:
            if core.renewals.answered(frame):
                core.became_ready()
        case (
            wire.RaftFrame()
            | wire.WantOrdered()
            | wire.OrderedFrame()
            | wire.WantCommitted()
            | wire.Committed()
            | wire.WantEpochs()
            | wire.EpochsFrame()
            | wire.ReadIndexQuery()
            | wire.ReadIndexAnswer()
        ):
            core.commit.received(peer, prepared)
        case _:
            core.desk.count("frames.unknown")
    core.presence.act()
