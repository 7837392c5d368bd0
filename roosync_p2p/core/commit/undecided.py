"""For whom a request waits that is not decided yet, in words and as facts (docs/protocol/ordering.md §4)."""

from __future__ import annotations

from collections.abc import Sequence

from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.quorum import majority
from roosync_p2p.core.commit.clock import CommitClock
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.commit.seat_facts import SeatFacts
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State

__all__ = ["undecided"]

_ANSWERING = (State.ONLINE, State.SUSPECT)


def undecided(order: Order, known: SeatFacts, clock: CommitClock) -> tuple[str, dict[str, object]]:
    """What an undecided request waits for.

    Returns:
        One clause for a person, and the details: ``leader`` (or None), ``voters``, ``missing`` (voters that are not
        heard), ``state``: ``checking``, ``new_epoch``, ``no_voters``, ``clock``, ``deciding``, ``unreachable``,
        ``only_vote``, ``no_quorum`` or ``electing``.
    """
    status = order.status
    voters = () if status is None else status.configuration.voters
    leader = None if status is None or status.leader is None else status.leader.machine
    missing = [voter.machine for voter in voters if not _is_there(voter, order, known)]
    state, text = _why(order, known, clock, voters, leader, missing)
    details: dict[str, object] = {
        "leader": leader,
        "voters": [voter.machine for voter in voters],
        "missing": list(missing),
        "state": state,
    }
    return text, details


def _why(
    order: Order,
    known: SeatFacts,
    clock: CommitClock,
    voters: Sequence[Seat],
    leader: MachineId | None,
    missing: Sequence[MachineId],
) -> tuple[str, str]:
    if order.me is None:
        return "checking", "this machine's start-up check has not ended"
    if order.raft is None:
        return (
            "new_epoch",
            "the fleet's log begins anew, and this machine is on its way there or cannot tell which it is",
        )
    if not voters:
        return "no_voters", "this machine has not heard yet who votes in this fleet"
    if order.leads and clock.unconfirmed():
        return "clock", "no other clock confirms this machine's, which is far past the newest commit time"
    there = len(voters) - len(missing)
    if there < majority(len(voters)):
        return _without_quorum(known, voters, there, missing)
    if leader is None:
        return "electing", f"{_names([voter.machine for voter in voters])} have to agree who leads"
    if leader != order.me.machine and known.verdict(leader).state not in _ANSWERING:
        return "unreachable", f"{leader} leads, and is not heard here"
    return "deciding", f"{'this machine' if leader == order.me.machine else leader} leads and has not decided it yet"


def _without_quorum(
    known: SeatFacts, voters: Sequence[Seat], there: int, missing: Sequence[MachineId]
) -> tuple[str, str]:
    if len(voters) == 1:
        if known.in_folder(missing[0]):
            way = "its answer comes at the pace of the shared folder, which alone leads there"
            return "only_vote", f"it waits for {missing[0]}, which holds the only vote; {way}"
        return "only_vote", f"it waits for {missing[0]}, which holds the only vote and is {_absence(known, missing[0])}"
    absent = _names([f"{machine} ({_absence(known, machine)})" for machine in missing])
    return (
        "no_quorum",
        f"it waits for {absent}: {there} of {len(voters)} voters are there, {majority(len(voters))} needed",
    )


def _absence(known: SeatFacts, machine: MachineId) -> str:
    if known.in_folder(machine):
        return "reached through the shared folder alone"
    state = known.verdict(machine).state
    return "not heard" if state is State.UNKNOWN else str(state)


def _is_there(voter: Seat, order: Order, known: SeatFacts) -> bool:
    if voter == order.me:
        return True
    seat = known.seat(voter.machine)
    return seat in (None, voter) and known.verdict(voter.machine).state in _ANSWERING


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
