"""From the facts about one machine to a verdict, and when it could change next (docs/protocol/liveness.md §3, §5).

Pure: no fact is changed here, so a verdict can be asked for at any moment. Each limit is computed by one expression,
used both to compare and to set the timer: a timer that fires at a limit always finds it crossed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from roosync_p2p import limits
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.folder import FolderSense
from roosync_p2p.liveness.heartbeat import Health
from roosync_p2p.liveness.patience import Patience
from roosync_p2p.liveness.profile import Profile
from roosync_p2p.liveness.proof import Proof
from roosync_p2p.liveness.track import Basis, Track
from roosync_p2p.liveness.verdicts import Evidence, Path, Reason, State, Verdict

__all__ = [
    "Surroundings",
    "ask_again_at",
    "ask_first_at",
    "expired",
    "illness",
    "judge",
    "lost_at",
    "next_limit",
    "redial_at",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a verdict depends on besides its machine.

    Attributes:
        patience: what this node grants because it is late itself.
        proof: whether it is connected.
        profile: cadence and limits of this fleet.
        folder: what the shared folder shows.
    """

    patience: Patience
    proof: Proof
    profile: Profile
    folder: FolderSense


def judge(track: Track, around: Surroundings, at_s: float) -> Verdict:
    """The verdict at a moment that is not before the last event."""
    basis = track.best_basis(around.patience, at_s)
    if track.conflict is not None:
        return _verdict(track, State.CONFLICT, track.conflict.reason, basis, at_s)
    if track.leaving:
        return _verdict(track, State.LEAVING, Reason.FAREWELL, basis, at_s)
    if basis is None:
        return _judge_expired(track, around, at_s)
    if at_s >= basis.suspect_at:
        return _verdict(track, State.SUSPECT, Reason.LATE, basis, at_s)
    sick = None if track.newest is None else illness(track.newest.health)
    if sick is not None:
        return _verdict(track, State.SUSPECT, sick[0], basis, at_s)
    return _verdict(track, State.ONLINE, Reason.HEARD, basis, at_s)


def expired(track: Track, around: Surroundings, at_s: float) -> bool:
    """Whether the machine is judged without evidence of this node's own."""
    settled = track.conflict is not None or track.leaving
    return not settled and track.best_basis(around.patience, at_s) is None


def illness(health: Health) -> tuple[Reason, float] | None:
    """A zombie: heartbeats go on while what they stand for does not. What, and for how many seconds; None: it is well.

    By its own word, so it is also how a node judges itself.
    """
    disk_s, loop_s = health.disk_lag_ms / 1000, health.loop_lag_ms / 1000
    if disk_s >= limits.DISK_STALLED_S:
        return Reason.DISK_STALLED, disk_s
    if loop_s >= limits.LOOP_STALLED_S:
        return Reason.LOOP_LAGGING, loop_s
    return None


def _judge_expired(track: Track, around: Surroundings, at_s: float) -> Verdict:
    fresh = track.state is State.UNKNOWN and track.last_sent_s is None  # neither heard nor asked about
    if fresh and at_s < ask_first_at(track, around.patience):
        return _verdict(track, State.UNKNOWN, Reason.NEVER_HEARD, None, at_s)
    # 1. A peer that hears the machine directly contradicts offline, and only that.
    reporter = _hearing_peer(track, at_s)
    if reporter is not None:
        return _reported(track, reporter, at_s)
    # 2. Frames without heartbeats keep a machine from being called offline; they never bring it back.
    if track.state in (State.ONLINE, State.SUSPECT) and _link_speaks(track, around.patience, at_s):
        return _verdict(track, State.SUSPECT, Reason.NO_HEARTBEATS, None, at_s)
    # 3. What only the shared folder showed, only the shared folder can show to be gone.
    why = _why_gone(track)
    if track.last_sent_s is not None and around.folder.proves_gone(track.machine, track.last_sent_s):
        return _verdict(track, State.OFFLINE, why, None, at_s)
    if not track.offline and _only_in_folder(track):
        return _verdict(track, State.UNKNOWN, _no_proof(around), None, at_s)
    #    An offline that was proved before stands.
    if track.offline:
        return _verdict(track, State.OFFLINE, why, None, at_s)
    # 4. What is unknown becomes offline when its dial is refused, or after this node was connected for a whole limit.
    if track.state is State.UNKNOWN and track.refused_s is None:
        return _judge_unknown(track, around, why, at_s)
    # 5. Else it needs the peers' silence and a proof at this moment.
    if _peers_may_answer(track, at_s):
        asking = State.UNKNOWN if track.state is State.UNKNOWN else State.SUSPECT
        return _verdict(track, asking, Reason.ASKING_PEERS, None, at_s)
    if track.refused_s is not None and not track.linked and at_s < _met_others_at(track, around.patience):
        # This node has only just started: it has not had the time to hear of the machine from anybody else.
        return _verdict(track, State.UNKNOWN, Reason.NEVER_HEARD, None, at_s)
    if track.refused_s is not None and at_s < around.proof.cut_off_at(around.profile):
        return _verdict(track, State.OFFLINE, why, None, at_s)
    if around.proof.stands(around.profile, at_s):
        return _verdict(track, State.OFFLINE, why, None, at_s)
    if at_s < around.proof.expected_until(around.profile):
        return _verdict(track, State.SUSPECT, Reason.AWAITING_PROOF, None, at_s)
    return _verdict(track, State.UNKNOWN, _no_proof(around), None, at_s)


def _only_in_folder(track: Track) -> bool:
    """Whether the last sign of life came through the shared folder, and no dial was refused since."""
    sighting = track.in_folder
    return sighting is not None and track.refused_s is None and sighting.sent_s > track.linked_sent_s


def _no_proof(around: Surroundings) -> Reason:
    return Reason.FOLDER_STALLED if around.folder.stalled else Reason.NO_PROOF


def _judge_unknown(track: Track, around: Surroundings, why: Reason, at_s: float) -> Verdict:
    if _link_speaks(track, around.patience, at_s):  # its link opened a moment ago: its first heartbeat is on its way
        return _verdict(track, State.UNKNOWN, Reason.NO_HEARTBEATS, None, at_s)
    if track.last_sent_s is None and at_s < _never_heard_at(track, around.patience):
        return _verdict(track, State.UNKNOWN, Reason.NEVER_HEARD, None, at_s)
    if track.proved_since_s is None or at_s >= around.proof.cut_off_at(around.profile):
        return _verdict(track, State.UNKNOWN, _no_proof(around), None, at_s)
    if at_s < _proved_at(track, around.patience) or _peers_may_answer(track, at_s):
        return _verdict(track, State.UNKNOWN, Reason.PROVING, None, at_s)
    return _verdict(track, State.OFFLINE, why, None, at_s)


def _why_gone(track: Track) -> Reason:
    if track.refused_s is not None:
        return Reason.REFUSED
    if track.last_sent_s is None:
        return Reason.NEVER_HEARD
    return Reason.LOST if track.lost_by_peer else Reason.SILENT


def _hearing_peer(track: Track, at_s: float) -> MachineId | None:
    best = track.best_report()
    if best is None or at_s >= _report_ends(track, best[1]):
        return None
    return best[0]


def _link_speaks(track: Track, patience: Patience, at_s: float) -> bool:
    if track.link_up_s is None or (track.refused_s is not None and track.life_s <= track.refused_s):
        return False
    return at_s < _link_silent_at(track, patience)


def _peers_may_answer(track: Track, at_s: float) -> bool:
    """Whether a peer was asked, or is about to be, and may still say that it hears the machine."""
    asked_s = track.asked_first_s
    return asked_s is None or (bool(track.awaited) and at_s < _answers_end(track, asked_s))


def _verdict(track: Track, state: State, reason: str, basis: Basis | None, at_s: float) -> Verdict:
    if basis is None:
        age_s = None if track.last_sent_s is None else max(at_s - track.last_sent_s, 0.0)
        evidence = Evidence(path=Path.NONE, age_s=age_s)
    else:
        evidence = Evidence(path=basis.path, via=basis.via, age_s=max(at_s - basis.sent_s, 0.0))
    return Verdict(machine=track.machine, state=state, evidence=evidence, reason=reason)


def _reported(track: Track, reporter: MachineId, at_s: float) -> Verdict:
    report = track.reports[reporter]
    assert report.sent_s is not None
    evidence = Evidence(path=Path.RELAYED, via=reporter, age_s=max(at_s - report.sent_s, 0.0))
    return Verdict(machine=track.machine, state=State.SUSPECT, evidence=evidence, reason=Reason.PEER_HEARS)


# --- moments ------------------------------------------------------------------------------------------------------


def ask_first_at(track: Track, patience: Patience) -> float:
    """When peers are to be asked whether they hear the machine: once its best evidence is suspect."""
    if track.refused_s is not None:
        return -math.inf
    bases = [basis for basis in _bases(track, patience) if basis is not None]
    if bases:
        return max(basis.suspect_at for basis in bases)
    if track.last_sent_s is not None:
        return -math.inf  # its evidence was voided
    return patience.crossing(track.known_since_s, track.profile.relayed_suspect_s)


def _bases(track: Track, patience: Patience) -> tuple[Basis | None, ...]:
    return track.direct_basis(patience), track.relayed_basis(patience), track.folder_basis(patience)


def ask_again_at(track: Track) -> float | None:
    """When to ask again while nobody but peers hears it; None before the first time."""
    if track.asked_last_s is None:
        return None
    return track.asked_last_s + limits.HEARS_AGAIN_INTERVALS * track.profile.interval_s


def redial_at(track: Track, patience: Patience) -> float | None:
    """When a standing link is to be redialled because it is silent; None without one."""
    if track.link_up_s is None or track.leaving:
        return None
    silent_at = patience.crossing(track.life_s, track.profile.suspect_s)
    if track.redial_asked_s is None:
        return silent_at
    return max(silent_at, track.redial_asked_s + track.profile.offline_s)


def lost_at(track: Track, patience: Patience) -> float | None:
    """When the peers are to be told that direct evidence is gone, long ago if it was voided; None: nothing to tell."""
    if track.lost_told or track.leaving:
        return None
    return -math.inf if track.direct is None else patience.crossing(track.direct.sent_s, track.profile.offline_s)


def next_limit(track: Track, around: Surroundings, at_s: float) -> float | None:
    """The first moment after this one at which the verdict or a question could change without a new fact."""
    return min((limit for limit in _limits(track, around) if limit is not None and limit > at_s), default=None)


def _limits(track: Track, around: Surroundings) -> Iterator[float | None]:
    patience = around.patience
    yield track.damper.release_s
    yield redial_at(track, patience)
    yield lost_at(track, patience)
    if track.leaving or track.conflict is not None:
        return
    for basis in _bases(track, patience):
        if basis is not None:
            yield basis.suspect_at
            yield basis.offline_at
    yield ask_first_at(track, patience)
    best = track.best_report()
    if best is not None:
        yield _report_ends(track, best[1])
    if track.link_up_s is not None:
        yield _link_silent_at(track, patience)
    if track.state is State.SUSPECT:
        yield ask_again_at(track)
        yield around.proof.expected_until(around.profile)
    if track.asked_first_s is not None:
        yield _answers_end(track, track.asked_first_s)
    if track.last_sent_s is None:
        yield _never_heard_at(track, patience)
    if not track.linked:
        yield _met_others_at(track, patience)
    if track.proved_since_s is not None:
        yield _proved_at(track, patience)
        yield around.proof.cut_off_at(around.profile)


def _report_ends(track: Track, sent_s: float) -> float:
    return sent_s + track.profile.offline_s


def _link_silent_at(track: Track, patience: Patience) -> float:
    return patience.crossing(track.life_s, track.profile.offline_s)


def _answers_end(track: Track, asked_s: float) -> float:
    # Whoever had no link to this start of it may be kept out by a firewall: peers get the whole time to answer.
    if track.refused_s is not None and track.direct_version[0] >= track.starts.start:
        return asked_s + limits.REFUSED_ANSWER_S
    return asked_s + min(limits.HEARS_WAIT_S, track.profile.offline_s - track.profile.suspect_s)


def _never_heard_at(track: Track, patience: Patience) -> float:
    return patience.crossing(track.known_since_s, track.profile.relayed_offline_s)


def _met_others_at(track: Track, patience: Patience) -> float:
    return patience.crossing(track.known_since_s, track.profile.offline_s)


def _proved_at(track: Track, patience: Patience) -> float:
    assert track.proved_since_s is not None
    return patience.crossing(track.proved_since_s, track.profile.offline_s)
