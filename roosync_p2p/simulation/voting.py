"""Changes of voters and of the lead, made through whoever leads, as a person or the autopilot would."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.raft import Raft
from roosync_p2p.core import inputs
from roosync_p2p.core.authorship import Phase
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.dice import Dice
    from roosync_p2p.simulation.fleet import Fleet

__all__ = ["Voting"]


class Voting:
    """Acts on the consensus of the member that leads; each of its verbs says whether something was begun.

    ``lacking`` names members that get no vote.
    """

    def __init__(self, fleet: Fleet, *, lacking: Callable[[], Collection[str]] = tuple) -> None:
        self._fleet = fleet
        self._lacking = lacking

    def leader(self) -> Member | None:
        """A member that believes that it leads, the one of the newest term."""
        leading = [member for member in self._fleet.running() if member.node().commit.order.leads]
        return max(leading, key=lambda member: (_raft(member).epoch, _raft(member).status.term), default=None)

    def taking_part(self) -> list[Member]:
        """Members whose word in the consensus counts: those whose start-up check has ended, and that are no copies.

        Of a home that was copied nobody knows which of its two stores has what their one seat acknowledged.
        """
        return [
            member
            for member in self._fleet.running()
            if member.node().commit.order.me is not None and member.node().authorship.phase is not Phase.CONFLICT
        ]

    def seats(self) -> dict[str, Seat]:
        """The seats of those, by name."""
        found = {member.name: member.node().commit.order.me for member in self.taking_part()}
        return {name: seat for name, seat in found.items() if seat is not None}

    def voters(self) -> tuple[Seat, ...]:
        """The configuration in force at the leader; nobody without one."""
        leader = self.leader()
        return () if leader is None else _raft(leader).status.configuration.voters

    def has_majority(self) -> bool:
        """Whether those could commit something, by the longest log of anybody who may lead.

        A change of voters that only reached somebody whose vote is gone decides nothing.
        """
        seats = self.seats()
        able = [raft for name in seats if (raft := _raft(self._fleet.members[name])).may_campaign]
        longest = max(able, key=lambda raft: (raft.epoch, raft.last_term, raft.last_index), default=None)
        if longest is None:
            return False
        voters = longest.status.configuration.voters
        return sum(seat in seats.values() for seat in voters) > len(voters) // 2

    def furthest(self) -> Member | None:
        """Whoever has applied the most, of those whose word counts."""
        return max(self.taking_part(), key=_reached, default=None)

    def grow(self, size: int) -> bool:
        """One step towards so many voters."""
        voters = self.voters()
        if not voters or len(voters) == size:
            return False
        if len(voters) > size:
            return self.remove(voters[-1])
        outside = self._outside(voters)
        return bool(outside) and self.add(outside[0])

    def repair(self) -> bool:
        """Removes a seat of which nobody will ever hear again: its store was rolled back."""
        there = [member.core.commit.order.me for member in self._fleet.insiders() if member.core is not None]
        gone = [seat for seat in self.voters() if seat not in there]
        return bool(gone) and self.remove(gone[0])

    def change(self, dice: Dice) -> bool:
        """Somebody becomes a voter, or is one no longer."""
        voters = self.voters()
        outside = self._outside(voters)
        if outside and (len(voters) <= 1 or dice.chance(0.5)):
            return self.add(dice.choose(outside))
        return len(voters) > 1 and self.remove(dice.choose(voters))

    def hand_over(self, dice: Dice) -> bool:
        """The leader hands its lead to another voter."""
        leader = self.leader()
        others = [seat for seat in self.voters() if leader is not None and seat != leader.node().commit.order.me]
        return bool(others) and self.transfer(dice.choose(others))

    def others(self) -> list[Member]:
        """The running voters besides the leader."""
        leader, voters, seats = self.leader(), self.voters(), self.seats()
        return [
            self._fleet.members[name]
            for name, seat in seats.items()
            if seat in voters and leader is not None and name != leader.name
        ]

    def _outside(self, voters: Collection[Seat]) -> list[Seat]:
        """Who could become a voter: nobody makes one of a machine whose program lacks the rules in force."""
        lacking = self._lacking()
        return [seat for name, seat in self.seats().items() if seat not in voters and name not in lacking]

    # --- single steps ---------------------------------------------------------------------------------------------

    def add(self, seat: Seat) -> bool:
        """That seat becomes a voter."""
        return self._change(add=seat, remove=None)

    def remove(self, seat: Seat) -> bool:
        """That seat is a voter no longer."""
        return self._change(add=None, remove=seat)

    def transfer(self, seat: Seat) -> bool:
        """The lead goes to that voter."""
        leader = self.leader()
        if leader is None:
            return False
        done = _raft(leader).transfer(seat, leader.clock.now().monotonic_s) is None
        _follow(leader)
        return done

    def transfer_to(self, member: Member) -> bool:
        """The lead goes to that member, if it votes."""
        seat = None if member.core is None else member.core.commit.order.me
        return seat is not None and self.transfer(seat)

    def _change(self, *, add: Seat | None, remove: Seat | None) -> bool:
        leader = self.leader()
        if leader is None or not leader.node().commit.clock.may_stamp():
            return False
        raft = _raft(leader)
        done = raft.change_voters(
            add=add,
            remove=remove,
            replaces=raft.status.configuration.index,
            time_ms=leader.node().commit.clock.stamp_ms(),
            now_s=leader.clock.now().monotonic_s,
        )
        _follow(leader)
        return isinstance(done, int)


def _reached(member: Member) -> tuple[int, int]:
    commit = member.node().commit
    return commit.order.epoch, commit.applier.number


def _follow(leader: Member) -> None:
    """Performs what the consensus wants done now."""
    leader.node().commit.order.drain()
    leader.feed(inputs.Tick())


def _raft(member: Member) -> Raft:
    raft = member.node().commit.order.raft
    assert raft is not None
    return raft
