"""The faults of an in-memory network, as values, and the counters that prove they were active."""

from __future__ import annotations

import dataclasses
import enum

__all__ = ["NetworkCounters", "NodeState", "PathFault"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PathFault:
    """What happens on the way from one node to another; the way back has its own.

    Attributes:
        cut: nothing passes. Frames stall as they do under TCP, and go on after healing if the link lived so long.
        delay_s: added to the network's latency.
        jitter_s: up to this is added, evenly distributed; the order within a link is kept.
        loss: probability that a transmission is lost; it is repeated after a growing pause, and holds up what follows.
        duplicate: probability that a frame arrives twice, which TCP never does.
        reorder: probability that a frame overtakes or is overtaken, which TCP never does.
    """

    cut: bool = False
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0


class NodeState(enum.Enum):
    """What a computer on the network does."""

    UP = "up"
    STOPPED = "stopped"  # the kernel accepts and acknowledges, the program does nothing (SIGSTOP, swapping)
    KILLED = "killed"  # the kernel resets the program's connections and refuses new ones (SIGKILL)
    VANISHED = "vanished"  # nothing answers any more (power, cable)


@dataclasses.dataclass(slots=True, kw_only=True)
class NetworkCounters:
    """Counts since the network was made; a test that injects a fault asserts that its counter moved."""

    frames_delivered: int = 0
    frames_stalled: int = 0  # by a cut
    frames_held: int = 0  # for a stopped node
    frames_dropped: int = 0  # droppable, for a slow peer
    frames_duplicated: int = 0
    frames_reordered: int = 0
    transmissions_lost: int = 0
    links_opened: int = 0
    links_reset: int = 0  # by a killed node, or by one that knows nothing of the link
    links_timed_out: int = 0  # after a long cut
    links_too_slow: int = 0
    dials_refused: int = 0
    dials_silent: int = 0
    dials_unanswered: int = 0
    dials_rejected: int = 0
