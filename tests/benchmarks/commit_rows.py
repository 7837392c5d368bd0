"""The figures of an ordered log, the same for everybody who keeps one: rows in the same words, taken in the same way.

Three nodes on loopback. A commit is a small write, timed by who asked for it, from the call to the answer that it is in
the log for good. Nodes, and the program that asks, share the cores of one machine.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Figure, Report, distribution

__all__ = ["SECTION", "VALUE_BYTES", "Committing", "add_rows"]

SECTION: Final = "Commits: three nodes on loopback"
VALUE_BYTES: Final = 300  # of one write; about what a claim is


class Committing(Protocol):
    """Three running nodes. Each method leaves all three running."""

    @property
    def who(self) -> str:
        """Its name in the table."""

    @property
    def note(self) -> str:
        """What has to be known to compare it."""

    def one_at_a_time(self, count: int, *, at_leader: bool) -> list[float]:
        """Seconds of each of so many commits, asked one after the other at the leader, or at a follower."""

    def in_flight(self, count: int, at_once: int) -> list[tuple[float, float]]:
        """The moments of call and answer of so many commits, asked at the leader with so many under way at once."""

    def failover(self) -> float:
        """Seconds from SIGKILL of the leader to the next commit that another node answers."""

    def fill(self, count: int) -> None:
        """Makes it so many commits."""

    def restart(self) -> float:
        """Seconds from the start of the process of a follower that was killed until it answers with the newest state.

        Infinite if it keeps nothing over a restart.
        """


def add_rows(report: Report, plan: Plan, subject: Committing) -> None:
    """Measures everything, the harmless first."""
    for at_leader, where in ((False, "a follower"), (True, "the leader")):
        subject.one_at_a_time(plan.commits // 10, at_leader=at_leader)  # to warm up
        _add(
            report,
            subject,
            f"a commit, one at a time, asked at {where}",
            subject.one_at_a_time(plan.commits, at_leader=at_leader),
        )
    _in_flight(report, plan, subject)
    _add(
        report,
        subject,
        "leader killed (SIGKILL), until the next commit",
        [subject.failover() for _ in range(plan.failovers)],
    )
    began = time.monotonic()
    subject.fill(plan.commits_kept)
    filled_s = time.monotonic() - began
    note = f"{plan.commits_kept / filled_s:,.0f} a second while they were made"
    took = [subject.restart() for _ in range(plan.restarts)]
    if max(took) == float("inf"):
        report.skip(SECTION, subject.who, "restart: it keeps nothing over a restart")
    else:
        _add(report, subject, f"restart of a node with {plan.commits_kept:,} commits, until it answers", took, note)


def _in_flight(report: Report, plan: Plan, subject: Committing) -> None:
    calls = subject.in_flight(plan.commits_at_once, plan.commits_in_flight)
    per_s = len(calls) / (max(end for _, end in calls) - min(begin for begin, _ in calls))
    values = {**distribution([end - begin for begin, end in calls], 1000), "per s": per_s}
    what = f"a commit, {plan.commits_in_flight} in flight, asked at the leader"
    report.add(Figure(section=SECTION, what=what, who=subject.who, unit="ms", values=values, note=subject.note))


def _add(report: Report, subject: Committing, what: str, took: list[float], note: str = "") -> None:
    values = distribution(took, 1000)
    report.add(Figure(section=SECTION, what=what, who=subject.who, unit="ms", values=values, note=note or subject.note))
