"""Verdicts against the truth: no false offline, honest evidence, and whoever is gone is noticed in time."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

from roosync_p2p import limits
from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["Circumstances", "Detection", "EvidenceSample", "LivenessChecker"]

SLACK_S = 0.005  # rounding of ages on the wire and in answers, and one undisturbed way
# How long a frame may take over a bad way without anybody being able to know: the first heartbeat over a new link has
# nothing to be compared with, so what its way took is not part of its age.
BAD_WAY_SLACK_S = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """The truth at the moment of a verdict *offline*.

    Attributes:
        beating_for_s: for how long the judged machine has been sending heartbeats without a gap; 0 if it is not.
        ways_for_s: for how long each way from it to the judge has been usable: the direct one, and for each third
            machine the least of both halves and of that machine's own running.
        gone: what happened to the judged machine, in words; empty if it runs.
        offline_s: the limit in force.
    """

    beating_for_s: float
    ways_for_s: dict[str, float]
    gone: str
    offline_s: float

    def open_way(self) -> str | None:
        """A way by which the judge could have heard the machine during the whole limit, if there was one."""
        if self.beating_for_s < self.offline_s:
            return None
        return next((way for way, for_s in sorted(self.ways_for_s.items()) if for_s >= self.offline_s), None)

    def explanation(self) -> str:
        """Why the verdict is right or excusable."""
        if self.gone:
            return self.gone
        return "returned a moment ago" if self.beating_for_s < self.offline_s else "cut off"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSample:
    """A verdict that was asked for, and the truth at that moment.

    ``true_age_s``: since the judged machine last sent a heartbeat; None if it never did. ``unlinked_for_s``: since
    when the judge has had no link to it; 0 while there is one, None if there never was any. ``undisturbed``: the way of
    the evidence has long been without any fault.
    """

    judge: str
    machine: str
    path: str
    via: str | None
    age_s: float | None
    true_age_s: float | None
    unlinked_for_s: float | None
    undisturbed: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A test of completeness: after something happened, what a judge must say at a given moment."""

    what: str
    judge: str
    machine: str
    wanted: Sequence[str]
    state: str
    after_s: float


class LivenessChecker:
    """Fed with verdicts, samples and detections."""

    def __init__(self) -> None:
        self.explained: collections.Counter[str] = collections.Counter()
        self.false_verdicts = 0
        self.samples = 0
        self.detections = 0

    def offline(self, judge: str, machine: str, truth: Circumstances, at_s: float) -> list[Violation]:
        """A node called a machine offline: false if it ran and could be heard all the time."""
        way = truth.open_way()
        if truth.gone or way is None:
            self.explained[truth.explanation()] += 1
            return []
        self.false_verdicts += 1
        text = f"{judge} calls {machine} offline, which beats for {truth.beating_for_s:.2f} s and can be heard {way}"
        return [Violation(checker="liveness", at_s=at_s, text=text)]

    def leaving(self, judge: str, machine: str, *, left: bool, at_s: float) -> list[Violation]:
        """A node says that a machine took its leave."""
        if left:
            return []
        text = f"{judge} says {machine} is leaving, and it never said goodbye"
        return [Violation(checker="liveness", at_s=at_s, text=text)]

    def sample(self, sample: EvidenceSample, at_s: float) -> list[Violation]:
        """Evidence is never younger than the truth, and direct only where there is a link."""
        self.samples += 1
        who = f"{sample.judge} on {sample.machine}"
        if sample.age_s is None or sample.path == "none":
            return []
        wrong = []
        slack_s = SLACK_S if sample.undisturbed else BAD_WAY_SLACK_S
        if sample.path == "folder":  # clocks that were never compared over a link are believed within this
            slack_s = limits.CLOCK_TOLERANCE_S
        if sample.true_age_s is None or sample.age_s < sample.true_age_s - slack_s:
            wrong.append(f"{who}: evidence is {sample.age_s:.3f} s old, the last heartbeat {sample.true_age_s} s")
        if sample.path == "direct" and (
            sample.unlinked_for_s is None or sample.age_s < sample.unlinked_for_s - slack_s
        ):
            wrong.append(
                f"{who}: direct evidence of {sample.age_s:.3f} s, the link ended {sample.unlinked_for_s} s ago"
            )
        if sample.via in (sample.judge, sample.machine):
            wrong.append(f"{who}: relayed by {sample.via}")
        return [Violation(checker="evidence", at_s=at_s, text=text) for text in wrong]

    def detected(self, found: Detection, at_s: float) -> list[Violation]:
        """What must be known by now."""
        self.detections += 1
        if found.state in found.wanted:
            return []
        text = (
            f"{found.machine} {found.what} {found.after_s:.2f} s ago, {found.judge} says {found.state}, "
            f"not {' or '.join(found.wanted)}"
        )
        return [Violation(checker="detection", at_s=at_s, text=text)]
