"""What a verdict rests on, told whole to people who ask why (docs/protocol/liveness.md §3).

Nothing is judged here: :mod:`~roosync_p2p.liveness.judgement` does that, with this node's patience. Here each piece of
evidence is compared with its plain limits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.judgement import Surroundings
from roosync_p2p.liveness.track import Sighting, Track
from roosync_p2p.liveness.verdicts import Path

__all__ = ["Facts", "Said", "Seen", "facts_of"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest heartbeat that came one way.

    Attributes:
        standing: ``good``, ``late`` (beyond the limit of suspicion), ``past`` (it counts no more), or ``known``: it
            brings nothing newer than what came by a nearer way.
    """

    path: Path
    via: MachineId | None
    age_s: float
    standing: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a peer said of its own direct evidence.

    Attributes:
        heard_age_s: how old that is now; None if it said that it has none.
        said_age_s: when it said so.
    """

    machine: MachineId
    heard_age_s: float | None
    said_age_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a machine's life. Ages in seconds, None where it never happened or does not stand.

    Attributes:
        seen: every evidence that there is, the freshest first.
        last_sign_age_s: of the newest sign of life, also when its evidence was voided since.
        said: what peers said since its evidence was last good.
        asked_age_s: since when the peers are asked for it; ``awaited``: those that may still answer.
        link_age_s: for how long its link stands; ``link_lost_age_s``: since the last one ended.
        refused_age_s: since its own address refused a dial, which nothing has contradicted.
        proved: whether anything proves now that this node is connected itself.
    """

    seen: tuple[Seen, ...]
    last_sign_age_s: float | None
    said: tuple[Said, ...]
    asked_age_s: float | None
    awaited: tuple[MachineId, ...]
    link_age_s: float | None
    link_lost_age_s: float | None
    refused_age_s: float | None
    proved: bool


def facts_of(track: Track, around: Surroundings, at_s: float) -> Facts:
    """The facts about one machine at a moment that is not before the last event."""

    def age(since_s: float | None) -> float | None:
        return None if since_s is None else max(at_s - since_s, 0.0)

    said = (
        Said(machine=machine, heard_age_s=age(report.sent_s), said_age_s=max(at_s - report.at_s, 0.0))
        for machine, report in sorted(track.reports.items())
    )
    return Facts(
        seen=tuple(sorted(_seen(track, at_s), key=lambda seen: seen.age_s)),
        last_sign_age_s=age(track.last_sent_s),
        said=tuple(said),
        asked_age_s=age(track.asked_first_s),
        awaited=tuple(sorted(track.awaited)),
        link_age_s=age(track.link_up_s),
        link_lost_age_s=age(track.link_down_s) if track.link_up_s is None else None,
        refused_age_s=age(track.refused_s),
        proved=around.proof.stands(around.profile, at_s),
    )


def _seen(track: Track, at_s: float) -> Iterator[Seen]:
    profile, machine, newest = track.profile, track.machine, track.direct_version
    if track.direct is not None:
        yield _one(Path.DIRECT, None, track.direct, (profile.suspect_s, profile.offline_s), at_s)
    for via, sighting in track.relayed.items():
        relayed = _one(Path.RELAYED, via, sighting, (profile.relayed_suspect_s, profile.relayed_offline_s), at_s)
        yield _beside(relayed, sighting, track, known=sighting.version <= newest)
    if track.in_folder is not None:
        limits_s = track.sense.suspect_s(machine), track.sense.offline_s(machine)
        known = track.in_folder.version <= newest or track.in_folder.sent_s <= track.linked_sent_s
        yield _beside(_one(Path.FOLDER, None, track.in_folder, limits_s, at_s), track.in_folder, track, known=known)


def _beside(seen: Seen, sighting: Sighting, track: Track, *, known: bool) -> Seen:
    """With what came by a nearer way, and with a refused dial, which voids what was made before it."""
    if track.refused_s is not None and sighting.sent_s <= track.refused_s:
        return dataclasses.replace(seen, standing="past")
    return dataclasses.replace(seen, standing="known") if known else seen


def _one(path: Path, via: MachineId | None, sighting: Sighting, limits_s: tuple[float, float], at_s: float) -> Seen:
    age_s = max(at_s - sighting.sent_s, 0.0)
    standing = "good" if age_s < limits_s[0] else "late" if age_s < limits_s[1] else "past"
    return Seen(path=path, via=via, age_s=age_s, standing=standing)
