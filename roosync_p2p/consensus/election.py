"""Elections: pre-vote, vote, and standing by a leader (Raft paper §5.2, §5.4.1; dissertation §4.2.3, §9.6).

Everybody answers a request, voter in its own eyes or not: the candidate may know of a newer configuration (§4.1). Who
campaigns is a voter by its own log, or is being removed; so an empty log never does.
"""

from __future__ import annotations

from roosync_p2p.consensus import quorum
from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.messages import VoteAnswer, VoteRequest
from roosync_p2p.consensus.replication import lead
from roosync_p2p.consensus.state import Role, State
from roosync_p2p.ids import Term

__all__ = [
    "count_own_vote",
    "leader_lost",
    "on_timeout_now",
    "on_vote_answer",
    "on_vote_request",
    "wait_on",
]

_HASTY_ATTEMPTS = 5  # after these it is no split vote, but a majority that is not there


def wait_on(state: State, now_s: float) -> None:
    """Time passed for one that does not lead."""
    if now_s >= state.election_at and state.may_campaign:
        if state.role is Role.CANDIDATE and state.writes.hard_stored != state.hard:
            # Its requests have not even left. A newer term would only give a slow disk one more thing to write.
            state.election_at = now_s + state.timing.election_min_s
        elif state.voters == (state.me,):
            _campaign(state, now_s, transfer=False)
        else:
            _ask_before(state, now_s)


def leader_lost(state: State, now_s: float) -> None:
    """The leader is known to be gone: it is not stood by any more, and soon somebody campaigns."""
    # Who cannot campaign goes on believing in it: if that was wrong, no heartbeat would come to correct it.
    if state.role is not Role.FOLLOWER or state.leader is None or not state.may_campaign:
        return
    state.leader = None
    state.hurry = _HASTY_ATTEMPTS
    state.election_at = min(state.election_at, now_s + state.between(0.0, state.timing.lost_max_s))


def on_timeout_now(state: State, now_s: float) -> None:
    """The leader of this very term hands over: no pre-vote, and no standing by it (dissertation §3.10)."""
    if state.role is Role.FOLLOWER and state.may_campaign:
        state.counters["asked_to_lead"] += 1
        _campaign(state, now_s, transfer=True)


# --- the candidate ----------------------------------------------------------------------------------------------------


def _ask_before(state: State, now_s: float) -> None:
    """Pre-vote: asks whether a campaign would be won, and changes nothing by that."""
    hurry = state.hurry
    state.follow(state.term, None, now_s)
    state.role = Role.PRE_CANDIDATE
    if hurry:
        state.hurry = hurry - 1
        state.election_at = now_s + state.between(state.timing.retry_min_s, state.timing.retry_max_s)
    state.votes[state.me] = True
    _request_votes(state, Term(state.term + 1), pre=True, transfer=False)
    _count(state, now_s)


def _campaign(state: State, now_s: float, *, transfer: bool) -> None:
    """A new term with a vote for itself, which counts when it is on disk."""
    hurry = state.hurry
    state.follow(Term(state.term + 1), None, now_s)
    state.hurry = hurry
    state.role = Role.CANDIDATE
    state.election_at = now_s + state.between(state.timing.election_min_s, state.timing.election_max_s)
    state.set_hard(state.term, state.me)
    _request_votes(state, state.term, pre=False, transfer=transfer)


def _request_votes(state: State, term: Term, *, pre: bool, transfer: bool) -> None:
    for seat in state.voters:
        if seat != state.me:
            request = VoteRequest(
                epoch=state.hard.epoch,
                term=term,
                to=seat.store,
                by=state.me.store,
                last_index=state.log.last_index,
                last_term=state.log.last_term,
                pre=pre,
                transfer=transfer,
            )
            state.send(seat, request)


def count_own_vote(state: State, now_s: float) -> None:
    """Something became durable: perhaps the vote of a candidate for itself."""
    if state.role is Role.CANDIDATE and state.writes.hard_stored == state.hard:
        state.votes[state.me] = True
        _count(state, now_s)


def on_vote_answer(state: State, sender: Seat, answer: VoteAnswer, now_s: float) -> None:
    """An answer that is not of a newer term, but for a pre-vote that was granted."""
    if answer.pre:
        term = Term(state.term + 1) if answer.granted else answer.term
        relevant = state.role is Role.PRE_CANDIDATE and answer.term == term
    else:
        relevant = state.role is Role.CANDIDATE and answer.term == state.term
    if relevant:
        state.votes.setdefault(sender, answer.granted)
        _count(state, now_s)


def _count(state: State, now_s: float) -> None:
    result = quorum.tally(state.voters, state.votes)
    if result is quorum.Election.WON:
        if state.role is Role.PRE_CANDIDATE:
            _campaign(state, now_s, transfer=False)
        else:
            lead(state, now_s)
    elif result is quorum.Election.LOST:
        split = state.role is Role.CANDIDATE
        hurry = state.hurry
        state.follow(state.term, None, now_s)
        state.hurry = hurry
        if split or hurry:
            # Who lost a vote tries again soon: the next pre-vote disturbs nobody, and two seldom collide twice.
            state.election_at = now_s + state.between(state.timing.retry_min_s, state.timing.retry_max_s)


# --- the voter --------------------------------------------------------------------------------------------------------


def on_vote_request(state: State, sender: Seat, request: VoteRequest, now_s: float) -> None:
    """Somebody campaigns, or asks whether it would win; of any term."""
    newer = request.term > state.term
    if newer and not request.transfer and state.stands_by_leader(now_s):
        # A voter that was removed, or that hears nothing, must not take the leader from those who do.
        state.counters["stood_by_leader"] += 1
        return
    if newer and not request.pre:
        state.follow(request.term, None, now_s)
    granted = request.term >= state.term and _would_vote(state, sender, request)
    # A pre-vote is granted for the candidate's next term; a refusal tells mine, so that one who is behind learns it.
    term = request.term if request.pre and granted else state.term
    answer = VoteAnswer(
        epoch=state.hard.epoch, term=term, to=request.by, by=state.me.store, granted=granted, pre=request.pre
    )
    state.send(sender, answer)
    if granted and not request.pre:
        state.set_hard(state.term, sender)
        state.restart_election_timer(now_s)


def _would_vote(state: State, sender: Seat, request: VoteRequest) -> bool:
    free = state.hard.vote == sender or (state.hard.vote is None and state.leader is None)
    if request.pre and request.term > state.term:
        free = True
    return free and not state.damaged and state.log.up_to_date(request.last_index, request.last_term)
