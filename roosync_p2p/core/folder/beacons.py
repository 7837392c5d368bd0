"""This machine's heartbeat file, and the others' (docs/protocol/folder.md §4 and §5).

The file is written at its cadence, and soon when there is news for somebody whom no link reaches. Of the others' only
the newest by (start, counter) is believed: a synchroniser that puts an old one back changes nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.core.delivery import FRONTIER, Delivery
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.folder.reaches import Reaches
from roosync_p2p.core.folder.reading import BeaconRead
from roosync_p2p.core.folder.records import NONCE_BYTES, Beacon
from roosync_p2p.core.presence import Presence
from roosync_p2p.core.told_sessions import SESSIONS
from roosync_p2p.gossip.folder_file import wrap
from roosync_p2p.gossip.folder_paths import heartbeat_path
from roosync_p2p.gossip.probes import Probes
from roosync_p2p.ids import BootId, KeyId, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import parse_envelope, seal

__all__ = ["Beacons"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A heartbeat file that was handed to the folder."""

    nonce: bytes
    at_s: float


class _Told(NamedTuple):
    """The signed records in a file."""

    frontier: bytes
    sessions: bytes


_NOTHING: Final = _Told(frontier=b"", sessions=b"")


class Beacons:
    """Heartbeat files out and in.

    Args:
        start: this node's start number.
    """

    def __init__(
        self,
        desk: Desk,
        presence: Presence,
        delivery: Delivery,
        reaches: Reaches,
        *,
        boot: BootId,
        start: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._presence = presence
        self._delivery = delivery
        self._reaches = reaches
        self._boot = boot
        self._start = start
        self.probes = Probes()
        self._counter = 0
        self._written: _Written | None = None
        self._last_s = -math.inf
        self._told = _NOTHING
        self._key: KeyId | None = None  # with which the newest file is signed
        self._newest: dict[MachineId, tuple[int, int]] = {}
        self._keys: dict[MachineId, KeyId] = {}

    @property
    def newest(self) -> Mapping[MachineId, tuple[int, int]]:
        """(start, counter) of the newest file of each machine that was believed in this start."""
        return self._newest

    # --- out ------------------------------------------------------------------------------------------------------

    def due_at(self) -> float:
        """When the next file is to be written (monotonic seconds)."""
        if not self._is_own(self._presence.sent):
            return math.inf  # heartbeats start after the start-up check, and again when this machine has another key
        if self._key not in (None, self._desk.identity.key.key_id):
            return -math.inf  # what lies there is signed with a key that nobody takes any more
        at_s = self._last_s + self._reaches.cadence_s()
        if self._told != self._to_tell() and self._reaches.needs_folder():
            at_s = min(at_s, self._last_s + limits.FOLDER_NEWS_S)
        return at_s

    def make(self) -> tuple[str, bytes]:
        """The path and the bytes of a new file; call :meth:`published` once it is there."""
        now_s = self._desk.now.monotonic_s
        self._counter += 1
        self._last_s = now_s
        self._told = self._to_tell()
        self._key = self._desk.identity.key.key_id
        self._written = _Written(nonce=self._desk.entropy.bytes(NONCE_BYTES), at_s=now_s)
        beacon = Beacon(
            machine=self._desk.me,
            start=self._start(),
            boot=self._boot,
            counter=self._counter,
            cadence_ms=round(self._reaches.cadence_s() * 1000),
            nonce=self._written.nonce,
            heartbeat=self._presence.sent,
            frontier=self._told.frontier,
            floors=[floor for floor in self._delivery.own_floors() if self._is_own(floor)],
            sessions=self._told.sessions,
            echoes=[(echo.machine, echo.nonce, echo.held_ms) for echo in self.probes.echoes(now_s)],
        )
        envelope = seal(
            self._desk.identity.key,
            context=contexts.FOLDER_HEARTBEAT,
            fleet=self._desk.identity.fleet,
            author=self._desk.me,
            payload=encode(beacon),
        )
        return heartbeat_path(self._desk.me), wrap(envelope)

    def _is_own(self, envelope: bytes) -> bool:
        """Whether something of this machine is signed, with the key that it has now."""
        if not envelope or not self._desk.directory.given_up:
            return bool(envelope)
        signed = parse_envelope(envelope, size_max=limits.RECORD_BYTES_MAX)
        return signed.key == self._desk.identity.key.key_id

    def published(self) -> None:
        """The file that was made last is in the folder."""
        if self._written is not None:
            self.probes.wrote(self._written.nonce, self._written.at_s)

    def again(self) -> None:
        """It could not be written: the next one is due as if there were none."""
        self._last_s = -math.inf
        self._told = _NOTHING

    def _to_tell(self) -> _Told:
        mine = (self._delivery.own(kind) for kind in (FRONTIER, SESSIONS))
        return _Told(*(envelope if self._is_own(envelope) else b"" for envelope in mine))

    # --- in -------------------------------------------------------------------------------------------------------

    def news(self, read: BeaconRead) -> bool:
        """Whether a file of another machine is newer than all before; an older one was rolled back, and is counted."""
        machine = read.name.owner
        version = (read.beacon.start, read.beacon.counter)
        known = self._newest.get(machine)
        if known is not None and version <= known:
            if version < known:
                self._desk.count("folder.rolled_back")
            return False
        self._newest[machine] = version
        self._keys[machine] = read.heartbeat.key_id
        return True

    def key_of(self, machine: MachineId) -> KeyId | None:
        """With which key that machine signed the newest file that was read of it here."""
        return self._keys.get(machine)

    def proved_s(self, read: BeaconRead) -> float | None:
        """Takes the probe in a newer file; since when the file must have been made, if its echo proves that."""
        return self.probes.saw(
            read.name.owner,
            nonce=read.beacon.nonce,
            cadence_s=read.beacon.cadence_ms / 1000,
            echo=read.beacon.echo_of(self._desk.me),
            at_s=self._desk.now.monotonic_s,
        )
