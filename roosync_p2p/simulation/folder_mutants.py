"""Spoilt parts of the shared folder: one rule of docs/protocol/folder.md left out each, and the node else as it is.

The functions below stand in the place of the node's own while a mutant is at work, and so reach into what is private to
it.
"""

from __future__ import annotations

from typing import Final

from roosync_p2p.core.acceptance import Acceptance
from roosync_p2p.core.folder import reading
from roosync_p2p.core.folder.beacons import Beacons
from roosync_p2p.core.folder.publisher import Publisher
from roosync_p2p.core.folder.reading import BeaconRead
from roosync_p2p.core.intake import Prepared
from roosync_p2p.core.presence import Presence
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.gossip import folder_file
from roosync_p2p.gossip.folder_paths import FolderName, SegmentFile
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.liveness.verdicts import Heard, Path
from roosync_p2p.simulation.order_mutants import Exchange

__all__ = ["SPOILT_FOLDER"]


def _takes_any_file(self: Beacons, read: BeaconRead) -> bool:
    """Whatever heartbeat file differs from the last one is the newest."""
    version = (read.beacon.start, read.beacon.counter)
    different = self._newest.get(read.name.owner) != version
    self._newest[read.name.owner] = version
    return different


def _anybodys(_name: FolderName, _machine: str) -> None:
    """It does not matter in whose part a file lies."""


def _as_it_is(data: bytes, *, size_max: int) -> bytes:  # noqa: ARG001 - the function's signature
    """A file is whole as soon as it is there."""
    return data[folder_file.HEADER_BYTES :]


def _has_its_time(self: Publisher, name: SegmentFile) -> bool:
    """What was written was there long enough."""
    return name.chain != LEDGER or name.author != self._desk.me


def _as_over_a_link(
    self: Presence,
    heartbeat: Heartbeat,
    envelope: bytes,
    *,
    cadence_s: float,  # noqa: ARG001 - the method's signature
    proved_s: float | None,  # noqa: ARG001
) -> float | None:
    """What the folder shows of a machine counts, and is passed on, as if it had come over a link just now."""
    now, machine = self._desk.now, MachineId(heartbeat.machine)
    if self.liveness.heard(heartbeat, path=Path.DIRECT, via=None, age_s=0.0, now=now) is Heard.NEW:
        self._remember(machine, heartbeat, envelope, direct=True)
    return None


_received = Acceptance.received


def _trusts_the_folder(self: Acceptance, peer: MachineId | None, prepared: Prepared) -> None:
    """Entries of a file were good when somebody wrote it: who was revoked since is not asked."""
    revocations = self._revocations
    if peer is not None:
        _received(self, peer, prepared)
        return
    honest = type(revocations).allows
    setattr(type(revocations), "allows", lambda _self, _entry: True)  # noqa: B010 - for this file
    self._exchange._cut, cut = (lambda _key: None), self._exchange._cut  # noqa: SLF001 - a mutant
    try:
        _received(self, peer, prepared)
    finally:
        setattr(type(revocations), "allows", honest)  # noqa: B010 - as it was
        self._exchange._cut = cut  # noqa: SLF001 - a mutant


SPOILT_FOLDER: Final[dict[str, tuple[Exchange, ...]]] = {
    "folder-entries-of-revoked": ((Acceptance, "received", _trusts_the_folder),),
    "folder-half-written": ((reading, "unwrap", _as_it_is),),
    "folder-heartbeat-as-direct": ((Presence, "from_folder", _as_over_a_link),),
    "folder-older-heartbeat": ((Beacons, "news", _takes_any_file),),
    "folder-part-unchecked": ((reading, "_require_owner", _anybodys),),
    "folder-removed-too-early": ((Publisher, "_everybody_has", _has_its_time),),
}
