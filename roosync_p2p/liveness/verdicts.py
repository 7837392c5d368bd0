"""The vocabulary of liveness: what is heard, what is asked, what is concluded (docs/protocol/liveness.md §3, §8)."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TypeAlias

from roosync_p2p.ids import MachineId

__all__ = [
    "AskHears",
    "Change",
    "Evidence",
    "Heard",
    "Path",
    "Question",
    "Reason",
    "Redial",
    "RedialOutcome",
    "State",
    "TellLost",
    "Verdict",
    "describe",
]


class Path(StrEnum):
    """By which way a heartbeat came."""

    DIRECT = "direct"
    RELAYED = "relayed"
    FOLDER = "folder"
    NONE = "none"


class State(StrEnum):
    """What is concluded about a machine."""

    ONLINE = "online"
    SUSPECT = "suspect"
    OFFLINE = "offline"
    LEAVING = "leaving"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"


class Reason(StrEnum):
    """Why, as a code for scripts; :func:`describe` has the words."""

    HEARD = "heard"
    LATE = "late"
    DISK_STALLED = "disk_stalled"
    LOOP_LAGGING = "loop_lagging"
    PEER_HEARS = "peer_hears"
    NO_HEARTBEATS = "no_heartbeats"
    ASKING_PEERS = "asking_peers"
    AWAITING_PROOF = "awaiting_proof"
    SILENT = "silent"
    REFUSED = "refused"
    LOST = "lost"
    NEVER_HEARD = "never_heard"
    NO_PROOF = "no_proof"
    FOLDER_STALLED = "folder_stalled"
    PROVING = "proving"
    FAREWELL = "farewell"
    TWO_BOOTS = "two_boots"
    OLD_START_ADVANCES = "old_start_advances"
    NOT_A_MEMBER = "not_a_member"
    SELF = "self"


_WORDS = {
    Reason.LATE: "heartbeats are late",
    Reason.DISK_STALLED: "its disk does not write",
    Reason.LOOP_LAGGING: "its event loop lags",
    Reason.PEER_HEARS: "only a peer hears it",
    Reason.NO_HEARTBEATS: "its link carries frames but no heartbeats",
    Reason.ASKING_PEERS: "asking the peers",
    Reason.AWAITING_PROOF: "silent, waiting to hear anybody",
    Reason.SILENT: "silent",
    Reason.REFUSED: "its address refuses connections",
    Reason.LOST: "those who heard it lost it",
    Reason.NEVER_HEARD: "not heard since this node started",
    Reason.NO_PROOF: "nothing proves that this node is connected",
    Reason.FOLDER_STALLED: "the shared folder stands still, and nothing else leads there",
    Reason.PROVING: "this node is connected again, waiting for signs of it",
    Reason.FAREWELL: "said goodbye",
    Reason.TWO_BOOTS: "two programs use one start number",
    Reason.OLD_START_ADVANCES: "an earlier start still runs beside the newest",
    Reason.NOT_A_MEMBER: "not a member",
}


class Heard(StrEnum):
    """What became of a heartbeat; all but ``NEW`` and ``DUPLICATE`` are worth a counter of that name."""

    NEW = "new"  # newer than any before: pass it on
    DUPLICATE = "duplicate"  # known already, by another way or a little late; may still freshen that way
    STALE = "heartbeat_stale"  # replayed or far too late: no effect
    UNBELIEVED = (
        "heartbeat_clock"  # relayed and new, but its signed time is far off: its order counts, it proves no life
    )
    CONFLICT = "heartbeat_conflict"  # excludes another signed heartbeat
    FOREIGN = "heartbeat_foreign"  # of a machine that is not a member


class RedialOutcome(StrEnum):
    """How one redial of a machine ended, over all its addresses (docs/protocol/liveness.md §5)."""

    OPENED = "opened"  # a link stands
    REFUSED = "refused"  # TCP refused at an address where this machine announces to listen
    SILENT = "silent"  # TCP accepted, no TLS within a second
    UNANSWERED = "unanswered"  # no TCP


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a machine is believed online, or the last sign of it.

    Attributes:
        path: the way of the evidence that counts, ``NONE`` when there is none within its limit.
        via: the member that relayed it.
        age_s: seconds since the best evidence was true, None when there never was any.
    """

    path: Path
    via: MachineId | None = None
    age_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What this node concludes about a machine, with its evidence. ``reason`` is a :class:`Reason` or a core's code."""

    machine: MachineId
    state: State
    evidence: Evidence
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A machine's state is another than the last one that was told.

    Attributes:
        before: the state last told.
        after: the verdict now.
        comebacks: how often it came online within the last minute; above the bound, this change was held back.
    """

    before: State
    after: Verdict
    comebacks: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Redial:
    """Try a new link beside whatever stands, now, and report ``redialled``."""

    machine: MachineId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AskHears:
    """Ask every linked peer whether it hears this machine directly; report each answer with ``hears``."""

    machine: MachineId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TellLost:
    """Tell every linked peer that the direct evidence of that start is gone."""

    machine: MachineId
    start: int


Question: TypeAlias = Redial | AskHears | TellLost


def describe(verdict: Verdict) -> str:
    """The verdict in one line for people: ``online, relayed by myia-po-2023, 2 s``."""
    parts: list[str] = [verdict.state]
    evidence = verdict.evidence
    if evidence.path is Path.RELAYED:
        parts.append(f"relayed by {evidence.via}")
    elif evidence.path is not Path.NONE:
        parts.append(evidence.path)
    if evidence.age_s is not None and verdict.reason != Reason.SELF:
        age = f"{evidence.age_s:.1f} s" if evidence.age_s < 1 else f"{evidence.age_s:.0f} s"
        parts.append(f"last heard {age} ago" if evidence.path is Path.NONE else age)
    if verdict.reason not in (Reason.HEARD, Reason.SELF):
        words = {str(reason): text for reason, text in _WORDS.items()}
        parts.append(words.get(verdict.reason, verdict.reason.replace("_", " ")))
    return ", ".join(parts)
