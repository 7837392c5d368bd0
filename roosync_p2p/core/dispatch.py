"""Which part of a core a frame or a fact is for (docs/protocol/frames.md §1). Flat matches, nothing decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roosync_p2p.core import inputs, wire
from roosync_p2p.core.intake import Prepared, require_standing
from roosync_p2p.core.links import Link
from roosync_p2p.core.revocations import REVOCATION
from roosync_p2p.core.rotations import ROTATION
from roosync_p2p.errors import MalformedError, PeerFault
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["about_blobs", "about_here", "dispatch", "frame_of_link"]


def frame_of_link(core: NodeCore, link: Link, prepared: Prepared) -> None:
    """Takes a frame of a link to whom it concerns: of its other end, or of somebody for whom that passed it on.

    Raises:
        PeerFault: it is no good; nothing of it was taken.
    """
    frame = prepared.frame
    require_standing(prepared, core.desk.directory)
    if link.hello is None and not (isinstance(frame, wire.RecordFrame) and frame.kind in (REVOCATION, ROTATION)):
        raise MalformedError("a frame came before the greeting", code="no_greeting")
    if core.links.primary(link.machine) is link:
        core.presence.liveness.traffic(link.machine, core.desk.now)
    if isinstance(frame, wire.Relay):
        assert prepared.relay is not None
        if core.relaying.received(link, frame, prepared.relay):
            _relayed(core, link, prepared)
    elif isinstance(frame, wire.Beat):
        _heartbeat(core, link, frame, prepared)
    else:
        dispatch(core, link.machine, prepared)


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
            _record(core, peer, frame, prepared)
        case wire.Versions() as frame:
            core.delivery.versions_received(peer, frame)
        case wire.WantBlob() | wire.BlobFrame() as frame:
            core.attachments.received(peer, frame)
        case wire.Spare() as frame:
            core.meshing.received(peer, frame)
        case wire.Hears() | wire.AskHears() | wire.Lost() as frame:
            core.presence.received(peer, frame)
        case wire.Fork():
            core.watch.fork_evidence(prepared)
        case wire.OwnQuery():
            core.watch.own_query(peer)
        case wire.OwnAnswer():
            core.watch.own_answer(peer, prepared)
        case wire.RenewalRequest() | wire.Countersigned() | wire.LeafRequest() | wire.LeafAnswer() as frame:
            _from_issuers(core, peer, frame)
        case (
            wire.RaftFrame()
            | wire.OrderedFrame()
            | wire.WantOrdered()
            | wire.WantCommitted()
            | wire.Committed()
            | wire.WantEpochs()
            | wire.EpochsFrame()
            | wire.ReadIndexQuery()
            | wire.ReadIndexAnswer()
            | wire.LeavingSoon()
        ):
            if prepared.parts and isinstance(prepared.frame, wire.OrderedFrame):
                core.acceptance.received(peer, prepared)  # what fits its chain is an entry like any other
            core.commit.received(peer, prepared)
        case _:
            core.desk.count("frames.unknown")
    core.presence.act()


def _record(core: NodeCore, peer: MachineId, frame: wire.RecordFrame, prepared: Prepared) -> None:
    """A signed record without a history."""
    if frame.kind == REVOCATION:
        core.departures.heard(prepared.signed(), source=peer)
    elif frame.kind == ROTATION:
        core.rotations.heard(prepared.signed(), source=peer)
    else:
        core.watch.own_record(core.delivery.received(peer, frame, prepared.signed()))


def _from_issuers(
    core: NodeCore,
    peer: MachineId,
    frame: wire.RenewalRequest | wire.Countersigned | wire.LeafRequest | wire.LeafAnswer,
) -> None:
    """What a machine asks of an issuer, and what that answers."""
    match frame:
        case wire.RenewalRequest():
            core.renewals.requested(peer, frame)
        case wire.Countersigned():
            if core.renewals.answered(frame):
                core.became_ready()
        case wire.LeafRequest():
            core.certificates.requested(peer, frame)
        case wire.LeafAnswer():
            if not core.rotations.answered(frame):
                core.certificates.answered(frame)


def _heartbeat(core: NodeCore, link: Link, frame: wire.Beat, prepared: Prepared) -> None:
    """A heartbeat over a link, of the machine at its other end or passed on by it.

    Raises:
        PeerFault: it is no good.
    """
    beat = core.presence.beat_received(link, frame, prepared.signed())
    if beat.machine == core.me and core.presence.beating:
        if core.presence.liveness.verdict(core.me, core.desk.now).state is State.CONFLICT:
            core.watch.own_identity_elsewhere("another node runs under this machine's identity")
    elif beat.machine == core.me and beat.boot != core.boot:
        core.authorship.start_shown(beat.start)
    elif not frame.relayed:
        core.watch.tell_twins(link, frame)
    core.commit.heard(beat)
    core.presence.act()


def _relayed(core: NodeCore, link: Link, prepared: Prepared) -> None:
    """What is wrong inside a relayed frame is its source's fault, not that of the peer that passed it on.

    Raises:
        PeerFault: the peer is the source itself.
    """
    assert prepared.relay is not None
    source = MachineId(prepared.relay.source)
    try:
        if prepared.inner is None:
            fault = prepared.parts[1]
            assert isinstance(fault, PeerFault)
            raise fault
        dispatch(core, source, prepared.inner)
    except PeerFault as fault:
        if link.machine == source:
            raise
        core.watch.key_conflict(fault)
        core.desk.fault(fault)


def about_here(
    core: NodeCore,
    told: inputs.LocalAddresses
    | inputs.Health
    | inputs.Power
    | inputs.SealingKey
    | inputs.FolderOpened
    | inputs.FilesPublished
    | inputs.FolderLooked
    | inputs.FolderBlobRead
    | inputs.SessionsOpen,
) -> None:
    """What the shell says about this computer, its shared folder included."""
    match told:
        case inputs.LocalAddresses(addresses=addresses):
            core.presence.set_addresses(addresses)
        case inputs.Health(loop_lag_s=loop_lag_s, disk_lag_s=disk_lag_s):
            core.presence.set_health(loop_lag_s, disk_lag_s)
        case inputs.Power(on_battery=on_battery):
            core.commit.seats.on_battery = on_battery
        case inputs.SealingKey(public=public):
            core.delivery.announce(public)
        case inputs.FolderOpened(path=path):
            core.folder.opened(path)
        case inputs.FilesPublished():
            core.folder.published(told)
        case inputs.FolderBlobRead():
            core.folder.blob_read(told)
        case inputs.FolderLooked():
            core.folder.looked(told)
        case inputs.SessionsOpen(sessions=sessions):
            core.delivery.sessions.opened(sessions)


def about_blobs(
    core: NodeCore, told: inputs.BlobsFound | inputs.BlobAdded | inputs.BlobRead | inputs.ChunkKept
) -> None:
    """What the shell says about the blobs on this disk."""
    match told:
        case inputs.BlobsFound():
            core.attachments.found(told)
        case inputs.BlobAdded():
            core.attachments.added(told)
        case inputs.BlobRead():
            core.attachments.was_read(told)
        case inputs.ChunkKept():
            core.attachments.kept(told)
