"""What was decided, epoch by epoch: when the root begins a new one, what stands behind its base is another log.

Each branch has checkers of its own. What users were told before the base holds in the next branch too; what they were
told behind it is given up with the branch, as the root said.
"""

from __future__ import annotations

from collections.abc import Iterator

from roosync_p2p.simulation.checkers.commits import CommitChecker
from roosync_p2p.simulation.checkers.replication import ReplicationChecker
from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["Branch", "Branches"]


class Branch:
    """The log of one epoch, from its first item on, and what came of it."""

    def __init__(self, commits: CommitChecker) -> None:
        self.replication = ReplicationChecker()
        self.commits = commits


class Branches:
    """By epoch. Each computer stands in one."""

    def __init__(self) -> None:
        self._branches = {0: Branch(CommitChecker())}
        self._epochs: dict[str, int] = {}

    def __iter__(self) -> Iterator[Branch]:
        return iter(self._branches.values())

    @property
    def newest(self) -> int:
        """The epoch that somebody has reached."""
        return max(self._branches)

    def at(self, epoch: int) -> Branch:
        """The branch of an epoch."""
        return self._branches[epoch]

    def epoch_of(self, name: str) -> int:
        """Where a computer stands."""
        return self._epochs.get(name, 0)

    def of(self, name: str) -> Branch:
        """The branch in which a computer stands."""
        return self._branches[self.epoch_of(name)]

    def stands(self, name: str, epoch: int) -> None:
        """Its disk says so."""
        self._epochs[name] = epoch

    def moves(self, name: str, epoch: int, *, base: int, kept: int, at_s: float) -> list[Violation]:
        """A computer goes over to an epoch that begins behind that number, and keeps so many items of its log."""
        before = self.of(name)
        if epoch not in self._branches:
            self._branches[epoch] = Branch(before.commits.up_to(base))
        self._epochs[name] = epoch
        return self._branches[epoch].replication.found(name, before.replication.log(name)[:kept], at_s)
