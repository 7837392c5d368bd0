"""Random histories of a few Raft nodes: loss, duplication, reordering, crashes that lose what was not synced, changes.

A history is made of small steps drawn from its seed, and the promises of Raft are checked after each. At its end the
world becomes kind, and within a bounded time there must be one leader and one log.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from roosync_p2p import limits
from roosync_p2p.consensus.messages import Append
from roosync_p2p.consensus.state import Refusal
from roosync_p2p.ids import LogIndex
from tests.consensus.checks import Checks, Violation
from tests.consensus.cluster import Cluster, Letter

__all__ = ["Chaos"]

NAMES = ("anna", "bert", "carl", "dora", "emil")
LETTERS_MAX = 30  # more, and half of them get lost: what comes much later than it was sent says nothing new


class Chaos:
    """One history.

    Attributes:
        counts: what happened, so that a test can see that enough did.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.cluster = Cluster(seed=str(seed))
        self.checks = Checks(self.cluster)
        self.cut: set[str] = set()
        self.counts: dict[str, int] = {}
        self.texts = 0
        names = NAMES[: self.dice.choice((2, 3, 3, 3, 4, 5))]
        voters = self.dice.randint(1, len(names))
        self.cluster.found(names[0], names[1:voters])
        for name in names[voters:]:
            self.cluster.start(name)
        # Some histories have a network that mostly delivers, some one that mostly does not.
        self.loss = self.dice.choice((0.0, 0.05, 0.3))
        self.duplication = self.dice.choice((0.0, 0.1, 0.3))
        self.order = self.dice.choice((0.0, 0.3, 1.0))  # how often a letter overtakes others
        self.append_loss = self.dice.choice(
            (0.0, 0.0, 0.6)
        )  # elections go well, and little of what leaders send arrives
        self.patience = self.dice.choice((0.1, 0.5, 0.9))  # how often nothing happens until a timer runs out
        self.pace = self.dice.choice((0.02, 0.1, 0.5))

    def run(self, steps: int) -> None:
        """So many steps, then the kind end.

        Raises:
            Violation: a promise of Raft was broken.
        """
        # How often each: in a calm history, in one of many leaders, in one of many changes.
        actions: list[tuple[Callable[[], None], tuple[int, int, int]]] = [
            (self._deliver, (60, 50, 60)),
            (self._sync, (30, 20, 30)),
            (self._pass_time, (14, 10, 10)),
            (self._propose, (12, 8, 4)),
            (self._read, (4, 1, 1)),
            (self._crash, (2, 3, 2)),
            (self._start, (3, 5, 4)),
            (self._lost, (1, 1, 1)),
            (self._coup, (0, 6, 1)),
            (self._change, (3, 0, 10)),
            (self._transfer, (1, 1, 1)),
            (self._gossip, (1, 0, 1)),
            (self._partition, (1, 2, 2)),
        ]
        kind = self.dice.randrange(3)
        weights = [often[kind] for _, often in actions]
        small = self.dice.random() < 0.5
        with pytest.MonkeyPatch.context() as patch:
            if small:  # so that a follower may have a part of what the leader has
                patch.setattr(limits, "APPEND_ITEMS_MAX", 1)
                patch.setattr(limits, "APPENDS_INFLIGHT_MAX", 2)
            for act in self.dice.choices([act for act, _ in actions], weights=weights, k=steps):
                act()
                self.cluster.collect()
                self.checks.look()
            self._end_kindly()

    def count(self, what: str) -> None:
        """One more of that."""
        self.counts[what] = self.counts.get(what, 0) + 1

    # --- steps ----------------------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        for _ in range(self.dice.randint(1, 8)):
            self._deliver_one()
            if self.dice.random() < 0.5:
                self.cluster.collect()

    def _deliver_one(self) -> None:
        letters = self.cluster.letters
        if len(letters) > LETTERS_MAX:
            self.cluster.letters = letters = sorted(self.dice.sample(letters, LETTERS_MAX // 2), key=letters.index)
        if not letters:
            return
        place = self.dice.randrange(len(letters)) if self.dice.random() < self.order else 0
        letter = letters[place]
        if self.dice.random() >= self.duplication:
            del letters[place]
        loss = self.append_loss if self.append_loss and isinstance(letter.message, Append) else self.loss
        if not self._is_cut(letter) and self.dice.random() >= loss:
            self.cluster.deliver(letter)

    def _sync(self) -> None:
        for node in self.cluster.nodes.values():
            if node.disk.queue and self.dice.random() < 0.5:
                node.sync(self.cluster.now_s)

    def _pass_time(self) -> None:
        """Time goes on; each clock may notice late, as if the process had been busy."""
        at = self.cluster.next_deadline()
        if at is not None and self.dice.random() < self.patience:
            self.cluster.now_s = max(self.cluster.now_s, at)
        else:
            self.cluster.now_s += self.dice.random() * self.pace
        for node in self.cluster.nodes.values():
            at = node.raft.next_deadline()
            if at is not None and at <= self.cluster.now_s and self.dice.random() < 0.8:
                node.raft.tick(self.cluster.now_s)

    def _propose(self) -> None:
        for name in self.cluster.leaders():
            self.texts += 1
            if isinstance(self.cluster.propose(name, str(self.texts)), int):
                self.count("proposals")

    def _read(self) -> None:
        for name in self.cluster.leaders():
            self.texts += 1
            read = f"read {self.texts}"
            self.checks.asks(read)
            self.cluster.nodes[name].raft.read(read, self.cluster.now_s)

    def _crash(self) -> None:
        if name := self._any():
            self._count_reads(name)
            self.cluster.crash(name)
            self.count("crashes")

    def _start(self) -> None:
        down = sorted(self.cluster.seats.keys() - self.cluster.nodes.keys())
        if down:
            self.cluster.start(self.dice.choice(down))

    def _lost(self) -> None:
        for node in self.cluster.nodes.values():
            if self.dice.random() < 0.7:
                node.raft.leader_lost(self.cluster.now_s)

    def _coup(self) -> None:
        """Nobody stands by the leader any more, and one campaigns; much of it may get through."""
        followers = sorted(self.cluster.nodes.keys() - set(self.cluster.leaders()))
        if not followers:
            return
        for node in self.cluster.nodes.values():
            node.raft.leader_lost(self.cluster.now_s)
        self.cut = set(self.cluster.leaders()) if self.dice.random() < 0.5 else set()
        raft = self.cluster.nodes[self.dice.choice(followers)].raft
        raft._state.election_at = self.cluster.now_s
        raft.tick(self.cluster.now_s)
        for _ in range(self.dice.randint(0, 60)):
            self.cluster.collect()
            self._deliver_one()
            self._sync()

    def _change(self) -> None:
        for name in self.cluster.leaders():
            raft = self.cluster.nodes[name].raft
            other = self.dice.choice(sorted(self.cluster.seats))
            raft.set_learners(self.dice.sample(sorted(self.cluster.seats.values()), 2), self.cluster.now_s)
            is_voter = self.cluster.seats[other] in raft.status.configuration.voters
            changed = self.cluster.remove(name, other) if is_voter else self.cluster.add(name, other)
            self.count("refused changes" if isinstance(changed, Refusal) else "changes")

    def _transfer(self) -> None:
        for name in self.cluster.leaders():
            raft = self.cluster.nodes[name].raft
            if raft.transfer(self.dice.choice(raft.status.configuration.voters), self.cluster.now_s) is None:
                self.count("transfers")

    def _gossip(self) -> None:
        giver, taker = self._any(), self._any()
        if giver and taker:
            items = self.cluster.nodes[giver].applied
            first = self.dice.randrange(len(items) + 1)
            self.cluster.nodes[taker].raft.committed(items[first:], LogIndex(len(items)), self.cluster.now_s)

    def _partition(self) -> None:
        self.cut = set(self.dice.sample(sorted(self.cluster.seats), self.dice.randint(0, 2)))

    # --- the end --------------------------------------------------------------------------------------------------

    def _end_kindly(self) -> None:
        """Everybody is up and hears everybody: whoever is a voter of the last configuration has one log soon."""
        self.cut = set()
        for name in sorted(self.cluster.seats.keys() - self.cluster.nodes.keys()):
            self.cluster.start(name)
        for _ in range(20):
            self.cluster.advance(1.0)
            self.checks.look()
        if len(leaders := self.cluster.leaders()) != 1:
            raise Violation(f"liveness: {leaders} lead")
        (leader,) = leaders
        node = self.cluster.nodes[leader]
        node.raft.set_learners(self.cluster.seats.values(), self.cluster.now_s)
        if isinstance(self.cluster.propose(leader, "last"), Refusal):
            raise Violation("liveness: the leader takes nothing")
        self.cluster.advance(3.0)
        self.checks.look()
        for name, other in self.cluster.nodes.items():
            if other.applied != node.applied or not self.cluster.applied(name)[-1:] == ["last"]:
                raise Violation(f"liveness: {name} did not get everything")
            self._count_reads(name)
        self.counts["terms"] = len(self.checks.leaders)
        self.counts["committed"] = len(self.checks.committed)
        self.counts["overwritten"] = len(self.checks.items) - len(self.checks.committed)

    def _count_reads(self, name: str) -> None:
        for index in self.cluster.nodes[name].reads.values():
            self.count("reads" if index is not None else "failed reads")

    def _any(self) -> str:
        return self.dice.choice(sorted(self.cluster.nodes)) if self.cluster.nodes else ""

    def _is_cut(self, letter: Letter) -> bool:
        return (letter.sender.machine in self.cut) is not (letter.to.machine in self.cut)
