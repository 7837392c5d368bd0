"""A fleet of real cores in virtual time that agrees on one order, and what a test wants to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roosync_p2p.core import inputs
from roosync_p2p.core.commands import OrderEntry, ReadLedger
from roosync_p2p.core.commit.commit_log import CommitLog
from roosync_p2p.core.rows import CommitRow
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import CommitNumber
from roosync_p2p.ledger.bodies import ClaimAcquire, ClaimRelease, OrderedBody
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.observer import NOBODY, Observer

__all__ = ["OrderedFleet", "acquire", "release"]

SETTLE_S = 5.0


def acquire(name: str, *, session: str = "s1", ttl_s: float = 3600.0, queue: bool = False) -> ClaimAcquire:
    """The body of a claim."""
    return ClaimAcquire(name=name, ttl_ms=round(ttl_s * 1000), session=session, queue=queue)


def release(name: str, *, session: str = "s1") -> ClaimRelease:
    """The body that gives it back."""
    return ClaimRelease(name=name, session=session)


class OrderedFleet:
    """Machines that found a fleet together; the first is its founder and first voter.

    Args:
        names: of the machines.
        voters: who votes besides the founder, from the beginning and for good; without any the autopilot decides.
        autopilot: whether it does.
        later: machines that are not admitted yet.
        folder: whether they have a shared folder.
    """

    def __init__(
        self,
        *names: str,
        voters: Sequence[str] = (),
        autopilot: bool | None = None,
        later: Sequence[str] = (),
        observer: Observer = NOBODY,
        folder: bool = False,
    ) -> None:
        self.fleet = Fleet(
            [*names, *later],
            dice=Dice.of(0, "ordered fleet"),
            admitted=len(names),
            autopilot=not voters if autopilot is None else autopilot,
            observer=observer,
            folder=folder,
        )
        for member in self.fleet.members.values():
            member.start()
        self.run(SETTLE_S)
        for name in voters:
            self.add_voter(name)

    def cut_all(self) -> list[int]:
        """Cuts every link; the layers for :meth:`heal_all`."""
        return [self.fleet.isolate(name) for name in self.fleet.members]

    def heal_all(self, layers: list[int]) -> None:
        """Takes those cuts away."""
        for layer in layers:
            self.fleet.paths.remove(layer)

    def run(self, seconds: float) -> None:
        """Lets virtual time pass."""
        self.fleet.run(seconds)

    def member(self, name: str) -> Member:
        """A computer."""
        return self.fleet.members[name]

    def log(self, name: str) -> CommitLog:
        """The commit log of a running node."""
        return self.member(name).node().commit

    def leader(self) -> str:
        """Who leads in its own eyes; of several the one in the newest term."""
        leading = [
            (log.order.raft.status.term, member.name)
            for member in self.fleet.running()
            if (log := member.node().commit).order.leads and log.order.raft is not None
        ]
        return max(leading)[1]

    def voters(self, name: str) -> list[str]:
        """The voters as a node knows them."""
        raft = self.log(name).order.raft
        assert raft is not None
        return [seat.machine for seat in raft.status.configuration.voters]

    def add_voter(self, name: str) -> None:
        """The leader gives a machine a vote."""
        leader = self.leader()
        log, seat = self.log(leader), self.log(name).order.me
        raft = log.order.raft
        assert raft is not None
        if name not in self.voters(leader):
            index = raft.change_voters(
                add=seat,
                replaces=raft.status.configuration.index,
                time_ms=log.clock.stamp_ms(),
                now_s=self.member(leader).clock.now().monotonic_s,
            )
            assert isinstance(index, int), index
            log.order.drain()
            self.member(leader).feed(inputs.Tick())
            self.run(0.5)

    # --- requests -------------------------------------------------------------------------------------------------

    def ask(
        self,
        name: str,
        kind: str,
        body: OrderedBody,
        *,
        timeout_s: float = 5.0,
        key: str | None = None,
        withdraw: bool = False,
    ) -> list[dict[str, Any] | RoosyncError]:
        """A request; the list has its answer once there is one."""
        answers: list[dict[str, Any] | RoosyncError] = []
        command = OrderEntry(
            kind=kind,
            body=body,
            timeout_s=timeout_s,
            not_after_s=timeout_s if withdraw else None,
            withdraw=withdraw,
            idempotency_key=key,
        )
        self.member(name).request(command, answers.append)
        return answers

    def done(self, name: str, kind: str, body: OrderedBody, *, key: str | None = None) -> dict[str, Any]:
        """A request that is decided within a second, and its answer."""
        answers = self.ask(name, kind, body, key=key)
        self.run(1.0)
        assert len(answers) == 1, "not answered within a second"
        answer = answers[0]
        assert isinstance(answer, dict), answer
        return answer

    def read(self, name: str) -> dict[str, Any]:
        """A linearizable read."""
        answers: list[dict[str, object] | RoosyncError] = []
        self.member(name).request(ReadLedger(timeout_s=0.3), answers.append)
        self.run(0.4)
        (answer,) = answers
        assert isinstance(answer, dict), answer
        return answer

    # --- what everybody has ---------------------------------------------------------------------------------------

    def commits(self, name: str) -> list[CommitRow]:
        """What a disk says about every commit number."""
        return self.member(name).disk.commits(CommitNumber(1), 100_000)

    def agreement(self) -> set[tuple[int, bytes, bytes]]:
        """Number, digest and Merkle root of every running node: one when they agree."""
        logs = [member.node().commit for member in self.fleet.running()]
        return {(log.applier.number, log.state.digest, log.applier.root) for log in logs}
