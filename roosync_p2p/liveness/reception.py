"""Taking a heartbeat into what is known about its machine (docs/protocol/liveness.md §4, §7)."""

from __future__ import annotations

from roosync_p2p.clock import Now
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.heartbeat import Heartbeat, precedence
from roosync_p2p.liveness.starts import Place
from roosync_p2p.liveness.track import Conflict, Sighting, Track
from roosync_p2p.liveness.verdicts import Heard

__all__ = ["receive", "receive_in_folder"]


def receive(
    track: Track, heartbeat: Heartbeat, *, via: MachineId | None, age_s: float, own_offset_s: float, now: Now
) -> Heard:
    """Updates the track with a heartbeat of its machine; ``via`` is None for a direct one."""
    direct = via is None
    place = track.starts.place(heartbeat, direct=direct, now=now)
    if direct and place is not Place.OLD_START:
        track.life_s = now.monotonic_s
    if (refused := _placed(track, heartbeat, place)) is not None:
        return refused
    if place is Place.KNOWN and _says_nothing(track, heartbeat, via):
        return Heard.STALE if _far_behind(track, heartbeat) else Heard.DUPLICATE
    newer = place is not Place.KNOWN
    if newer:
        track.newest = heartbeat
    sighting = _sighting(track, heartbeat, direct=direct, age_s=age_s, own_offset_s=own_offset_s, now=now)
    if sighting is None:
        return Heard.UNBELIEVED if newer else Heard.STALE
    if via is None:
        track.saw_direct(sighting)
    else:
        track.saw_relayed(via, sighting)
    if sighting.version == track.starts.version:
        track.leaving = heartbeat.state == "leaving"
    if newer:
        track.lost_by_peer = False
        return Heard.NEW
    return Heard.STALE if _far_behind(track, heartbeat) else Heard.DUPLICATE


def receive_in_folder(
    track: Track, heartbeat: Heartbeat, *, proved_s: float | None, own_offset_s: float, now: Now
) -> Heard:
    """The same with the heartbeat in a machine's newest file of the shared folder.

    ``proved_s``: it was made after that, as the echo of this node's probe proves (monotonic seconds).
    """
    place = track.starts.place(heartbeat, direct=False, now=now)
    if (refused := _placed(track, heartbeat, place)) is not None:
        return refused
    if place is Place.KNOWN and track.in_folder is not None and precedence(heartbeat) <= track.in_folder.version:
        return Heard.DUPLICATE
    newer = place is not Place.KNOWN
    if newer:
        track.newest = heartbeat
    sent_s = track.sent_times.relayed(
        heartbeat,
        age_s=0.0,
        own_offset_s=own_offset_s,
        now=now,
        behind_s_max=track.sense.offline_s(track.machine),
        proved_s=proved_s,
    )
    if sent_s is None:
        return Heard.UNBELIEVED if newer else Heard.STALE
    track.saw_in_folder(Sighting(precedence(heartbeat), sent_s))
    if precedence(heartbeat) == track.starts.version:
        track.leaving = heartbeat.state == "leaving"
    return Heard.NEW if newer else Heard.DUPLICATE


def _placed(track: Track, heartbeat: Heartbeat, place: Place) -> Heard | None:
    """What the start that a heartbeat belongs to means; a result where it says nothing more."""
    match place:
        case Place.CONFLICT:
            assert track.starts.conflict is not None
            _contradict(track, track.starts.conflict, heartbeat)
            return Heard.CONFLICT
        case Place.OLD_START:
            return Heard.STALE
        case Place.NEW_START:
            _begin(track, heartbeat)
    return None


def _contradict(track: Track, reason: str, heartbeat: Heartbeat) -> None:
    if track.conflict is None or track.conflict.ends_above is not None:
        ends_above = max(track.starts.start, heartbeat.start)
        track.conflict = Conflict(reason=reason, ends_above=ends_above)


def _begin(track: Track, heartbeat: Heartbeat) -> None:
    """A restart ends what was said of the earlier program."""
    conflict = track.conflict
    if conflict is not None and conflict.ends_above is not None and heartbeat.start > conflict.ends_above:
        track.conflict = None
    track.relayed.clear()
    track.refused_s = None


def _says_nothing(track: Track, heartbeat: Heartbeat, via: MachineId | None) -> bool:
    """Whether this way brought this one, or a newer one, before."""
    if via is None:
        return precedence(heartbeat) <= track.direct_version
    known = track.relayed.get(via)
    return known is not None and precedence(heartbeat) <= known.version


def _far_behind(track: Track, heartbeat: Heartbeat) -> bool:
    behind_s = (track.starts.counter - heartbeat.counter) * heartbeat.interval_ms / 1000
    return behind_s > track.profile.relayed_offline_s


def _sighting(
    track: Track, heartbeat: Heartbeat, *, direct: bool, age_s: float, own_offset_s: float, now: Now
) -> Sighting | None:
    if direct:
        if track.link_up_s is None and track.link_down_s is not None:
            age_s = max(age_s, now.monotonic_s - track.link_down_s)  # it was still being verified as the link closed
        sent_s: float | None = track.sent_times.direct(heartbeat, age_s=age_s, link_up_s=track.link_up_s, now=now)
    else:
        sent_s = track.sent_times.relayed(heartbeat, age_s=age_s, own_offset_s=own_offset_s, now=now)
    return None if sent_s is None else Sighting(precedence(heartbeat), sent_s)
