"""Whole cores for weeks of virtual time: one machine always on, the others awake now and then, asleep without a word.

    python -m tests.core.commit.weeks --days 30                    founded by a laptop, the harder case
    python -m tests.core.commit.weeks --days 30 --founder server

A day of six machines takes one to two minutes. Prints the share of time without a quorum; exit code 1 from one percent
on, or where a request of the machine that is always on was never decided.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from typing import Final

from roosync_p2p.core.commands import OrderEntry
from roosync_p2p.errors import RoosyncError
from roosync_p2p.liveness.profile import ANALYSIS
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet
from tests.helpers.ordered_fleet import acquire

__all__ = ["SERVER", "Weeks"]

SERVER: Final = "server"
MINUTE_S: Final = 60.0
DAY_S: Final = 24 * 3600.0
AWAKE_S: Final = 20 * MINUTE_S
EVERY_S: Final = 210 * MINUTE_S
LOOK_S: Final = MINUTE_S
ASK_EVERY_S: Final = 30 * MINUTE_S
SETTLE_S: Final = 5 * MINUTE_S  # the founder and the server are awake then


class Weeks:
    """The fleet, its calendar, and what was seen.

    Args:
        laptops: how many besides the server.
        founder: who founded the fleet, and so has the only vote at first.

    Attributes:
        without_quorum_s: how long less than a majority of the voters was awake.
        waits_s: how long each of the server's requests waited.
    """

    def __init__(self, *, laptops: int, founder: str = SERVER, seed: int = 1) -> None:
        names = [SERVER, *(f"laptop-{number}" for number in range(1, laptops + 1))]
        names.sort(key=lambda name: name != founder)
        dice = random.Random(seed)
        self._wakes_s = {name: 0.0 if name == founder else dice.uniform(0, EVERY_S) for name in names}
        self._fleet = Fleet(names, dice=Dice.of(seed, "weeks"), profile=ANALYSIS)
        for member in self._fleet.members.values():
            member.start()
        self._fleet.run(SETTLE_S)
        self.without_quorum_s = 0.0
        self.waits_s: list[float] = []
        self.asked = 0

    def run(self, days: float) -> None:
        """Lets virtual time pass, minute by minute."""
        end_s = self._fleet.now_s + days * DAY_S
        ask_s = self._fleet.now_s
        while self._fleet.now_s < end_s:
            self._follow_the_calendar()
            if self._fleet.now_s >= ask_s:
                self._ask()
                ask_s += ASK_EVERY_S
            self._fleet.run(LOOK_S)
            if not self.quorum:
                self.without_quorum_s += LOOK_S

    @property
    def voters(self) -> list[str]:
        """Who votes by the longest log there is, of machines that are awake or not."""
        logs = [member.node().commit.order.raft for member in self._fleet.members.values()]
        longest = max((raft for raft in logs if raft is not None), key=lambda raft: (raft.commit, raft.last_index))
        return [seat.machine for seat in longest.status.configuration.voters]

    @property
    def quorum(self) -> bool:
        """Whether more than half of the voters are awake."""
        voters = self.voters
        return 2 * sum(name not in self._fleet.asleep for name in voters) > len(voters)

    @property
    def unanswered(self) -> int:
        """Requests of the server that wait."""
        return self.asked - len(self.waits_s)

    def agree(self) -> bool:
        """Whether machines that are awake and equally far have equal states."""
        logs = [member.node().commit for member in self._fleet.running()]
        found = {(log.applier.number, log.state.digest, log.applier.root) for log in logs}
        return len(found) == len({number for number, _, _ in found})

    def _follow_the_calendar(self) -> None:
        for name, first_s in self._wakes_s.items():
            if name == SERVER:
                continue
            awake = (self._fleet.now_s - first_s) % EVERY_S < AWAKE_S
            if awake and name in self._fleet.asleep:
                self._fleet.wake(name)
            elif not awake and name not in self._fleet.asleep:
                self._fleet.sleep(name)

    def _ask(self) -> None:
        at_s, self.asked = self._fleet.now_s, self.asked + 1

        def answered(answer: dict[str, object] | RoosyncError) -> None:
            assert isinstance(answer, dict), answer
            self.waits_s.append(self._fleet.now_s - at_s)

        body = acquire(f"claim {self.asked}", ttl_s=3600.0, queue=True)
        self._fleet.members[SERVER].request(
            OrderEntry(kind="claim.acquire", body=body, timeout_s=40 * DAY_S, not_after_s=None), answered
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line says; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--laptops", type=int, default=5)
    parser.add_argument("--founder", default="laptop-1")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    weeks, began = Weeks(laptops=chosen.laptops, founder=chosen.founder, seed=chosen.seed), time.monotonic()
    for day in range(1, chosen.days + 1):
        weeks.run(1)
        print(
            f"day {day}: {weeks.without_quorum_s / (day * DAY_S):.3%} of the time without a quorum, "
            f"voters {', '.join(weeks.voters)}; {weeks.asked} requests, {weeks.unanswered} wait, "
            f"longest {max(weeks.waits_s, default=0) / MINUTE_S:.1f} min; {time.monotonic() - began:.0f} s",
            flush=True,
        )
        if not weeks.agree():
            print("states differ")
            return 1
    return int(weeks.without_quorum_s >= 0.01 * chosen.days * DAY_S or weeks.unanswered > 0)


if __name__ == "__main__":
    raise SystemExit(main())
