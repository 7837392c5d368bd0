"""Who takes part: single-server changes, learners, and handing over leadership (dissertation chapters 3.10 and 4).

One voter is added or removed at a time, so any majority of the old configuration and any of the new one have a voter
in common. A change is in force where it is in the log. It needs an item committed in the leader's own term first: the
published algorithm lacked that, and two leaders could each have committed a change that the other did not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.consensus.items import Seat, VoterChange, Voters, make_item
from roosync_p2p.consensus.replication import advance_commit, append_own, send_timeout_now, sync_progress
from roosync_p2p.consensus.state import Refusal, Role, State
from roosync_p2p.ids import LogIndex, Term

__all__ = ["Seal", "bootstrap", "change_voters", "set_learners", "transfer"]

Seal = Callable[[bytes], bytes]


def change_voters(
    state: State,
    *,
    add: Seat | None,
    remove: Seat | None,
    replaces: LogIndex,
    time_ms: int,
    seal: Seal,
    now_s: float,
) -> LogIndex | Refusal:
    """Appends the configuration with one voter more or less."""
    assert (add is None) is not (remove is None), "one change at a time"
    refusal = _refuse_change(state, replaces) or _refuse_voter(state, add, remove)
    if refusal is not None:
        return refusal
    voters = [seat for seat in state.voters if seat != remove]
    if add is not None:
        voters = sorted([*voters, add])
    index = append_own(state, _sealed(state, tuple(voters), replaces=replaces, time_ms=time_ms, seal=seal))
    sync_progress(state, now_s)
    advance_commit(state)  # a smaller majority may have everything already
    return index


def _refuse_change(state: State, replaces: LogIndex) -> Refusal | None:
    if state.role is not Role.LEADER:
        return Refusal.NOT_LEADER
    if state.transfer_to is not None:
        return Refusal.TRANSFERRING
    if state.log.configuration.index > state.commit:
        return Refusal.CHANGE_PENDING
    if state.commit < state.led_from:
        return Refusal.NOTHING_COMMITTED
    if state.log.configuration.index != replaces:
        return Refusal.STALE_CONFIGURATION
    return None


def _refuse_voter(state: State, add: Seat | None, remove: Seat | None) -> Refusal | None:
    voters = state.voters
    if add is not None:
        if any(seat.machine == add.machine for seat in voters):
            return Refusal.ALREADY_A_VOTER
        return Refusal.TOO_MANY_VOTERS if len(voters) >= limits.VOTERS_MAX else None
    if remove not in voters:
        return Refusal.NOT_A_VOTER
    return Refusal.LAST_VOTER if len(voters) == 1 else None


def _sealed(state: State, voters: tuple[Seat, ...], *, replaces: LogIndex, time_ms: int, seal: Seal) -> Voters:
    bare = Voters(time_ms=time_ms, replaces=replaces, voters=voters)
    index = LogIndex(state.log.last_index + 1)
    change = VoterChange.of(bare, epoch=state.hard.epoch, term=state.term, index=index)
    return Voters(time_ms=time_ms, replaces=replaces, voters=voters, envelope=seal(records.encode(change)))


def bootstrap(state: State, *, time_ms: int, seal: Seal, now_s: float) -> LogIndex:
    """The first configuration of a fleet, or of an epoch: this node alone, without asking anybody."""
    assert state.role is Role.FOLLOWER
    assert state.log.last_index == state.commit, "the log was not cut at the base of the epoch"
    state.set_hard(Term(state.term + 1), None)
    replaces = state.log.configuration.index
    payload = _sealed(state, (state.me,), replaces=replaces, time_ms=time_ms, seal=seal)
    item = make_item(LogIndex(state.log.last_index + 1), state.term, payload)
    state.log.append(item)
    state.restart_election_timer(now_s)  # at once: nobody else is to be waited for
    return item.index


def set_learners(state: State, seats: Iterable[Seat], now_s: float) -> None:
    """To whom a leader sends besides the voters: candidates for a seat. They count for nothing."""
    learners = tuple(dict.fromkeys(seats))
    if learners == state.learners:
        return
    state.learners = learners
    if state.role is Role.LEADER:
        sync_progress(state, now_s)


def transfer(state: State, to: Seat, now_s: float) -> Refusal | None:
    """Makes another voter lead. Until it does, or a shortest election time has passed, nothing is proposed."""
    if state.role is not Role.LEADER:
        return Refusal.NOT_LEADER
    if to == state.me:
        return Refusal.ALREADY_LEADER
    if to not in state.voters:
        return Refusal.NOT_A_VOTER
    state.transfer_to = to
    state.transfer_ends_at = now_s + state.timing.election_min_s
    peer = state.progress[to]
    peer.dirty = True
    if peer.match == state.log.last_index:
        send_timeout_now(state, peer)
    return None
