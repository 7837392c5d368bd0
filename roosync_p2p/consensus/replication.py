"""Replication: the leader's items reach the others, and what a majority stored is committed (Raft paper §5.3, §5.4).

The leader sends when it is drained, so that what was proposed meanwhile goes together. Its Appends may leave before
its own disk has the items (dissertation §10.2.1): its own copy counts only when it is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from roosync_p2p import limits
from roosync_p2p.consensus import reads
from roosync_p2p.consensus.items import LogItem, Noop, Payload, Seat, make_item
from roosync_p2p.consensus.messages import Append, AppendAnswer, TimeoutNow
from roosync_p2p.consensus.progress import Progress, ProgressState, Standing
from roosync_p2p.consensus.state import Role, State
from roosync_p2p.ids import LogIndex, Term

__all__ = [
    "advance_commit",
    "append_own",
    "lead",
    "lead_on",
    "on_append",
    "on_append_answer",
    "refuse_old_leader",
    "replicate",
    "send_timeout_now",
    "sync_progress",
    "take_committed",
]


# --- the leader -------------------------------------------------------------------------------------------------------


def lead(state: State, now_s: float) -> None:
    """A majority voted for this node: it leads its term, and says so by its first item."""
    state.role = Role.LEADER
    state.leader = state.me
    state.votes.clear()
    state.hurry = 0
    state.round = 0
    state.progress.clear()
    state.transfer_to = None
    state.retiring = False
    state.led_from = LogIndex(state.log.last_index + 1)
    state.heartbeat_at = now_s + state.timing.heartbeat_s
    sync_progress(state, now_s)
    append_own(state, Noop())


def append_own(state: State, payload: Payload) -> LogIndex:
    """Adds an item of this leader's term to its log; it is sent at the next drain."""
    item = make_item(LogIndex(state.log.last_index + 1), state.term, payload)
    state.log.append(item)
    for peer in state.progress.values():
        peer.dirty = True
    return item.index


def sync_progress(state: State, now_s: float) -> None:
    """To whom this leader sends, after the voters or the learners changed. Matches that are known stay known."""
    wanted = dict.fromkeys(state.learners, Standing.LEARNER) | dict.fromkeys(state.voters, Standing.VOTER)
    wanted.pop(state.me, None)
    for seat, peer in list(state.progress.items()):
        if seat in wanted or peer.standing is Standing.DEPARTING:
            continue
        if peer.standing is Standing.VOTER:
            peer.standing = Standing.DEPARTING
            state.departed_at = now_s + state.timing.departed_s
        else:
            del state.progress[seat]
    following = LogIndex(state.log.last_index + 1)
    for seat, standing in wanted.items():
        known = state.progress.get(seat)
        if known is None:
            state.progress[seat] = Progress(seat, standing, next_index=following, heard_s=now_s)
        elif known.standing is not standing:
            known.standing = standing
            known.heard_s = max(known.heard_s, now_s)  # as a voter it is given the time to answer


def lead_on(state: State, now_s: float) -> None:
    """Time passed for a leader: heartbeats, retries, a transfer that did not come about, a majority that is gone."""
    if state.transfer_to is not None and now_s >= state.transfer_ends_at:
        state.transfer_to = None
    if now_s < state.heartbeat_at:
        return
    state.heartbeat_at = now_s + state.timing.heartbeat_s
    # Check-quorum (dissertation §6.2): clients must not wait for a leader that can commit nothing.
    if now_s - state.quorum_heard_s(now_s) >= state.timing.election_max_s:
        state.counters["resigned_without_majority"] += 1
        state.follow(state.term, None, now_s)
        return
    for peer in list(state.progress.values()):
        if peer.standing is Standing.DEPARTING and now_s >= state.departed_at:
            del state.progress[peer.seat]
        else:
            is_due = peer.standing is not Standing.LEARNER or now_s >= _learner_due_at(state, peer)
            peer.forced = peer.forced or is_due


def beat_at(state: State) -> float:
    """When a leader that has nothing new to send sends the next time. There is somebody to send to."""
    if any(peer.standing is not Standing.LEARNER for peer in state.progress.values()):
        return state.heartbeat_at
    return max(state.heartbeat_at, min(_learner_due_at(state, peer) for peer in state.progress.values()))


def _learner_due_at(state: State, peer: Progress) -> float:
    # A learner that lost sight of its leader while nothing was decided would look for it until something is.
    return peer.sent_s + (state.timing.learner_retry_s if peer.unanswered else state.timing.learner_beat_s)


def replicate(state: State, now_s: float) -> None:
    """What is to be sent to whom, as far as the flow control of each peer lets it go."""
    for peer in state.progress.values():
        if peer.dirty or peer.forced:
            _send(state, peer, now_s)
    if state.retiring:
        _retire(state, now_s)


def _send(state: State, peer: Progress, now_s: float) -> None:
    last = state.log.last_index
    sent = False
    while peer.next <= last and peer.may_send_items:
        items = state.log.items(peer.next, count_max=limits.APPEND_ITEMS_MAX, bytes_max=limits.APPEND_BYTES_TARGET)
        _send_append(state, peer, items)
        peer.sent_items(items[-1].index, sum([len(item.data) for item in items]))
        sent = True
    if not sent and (peer.forced or _lacks_commit(state, peer)):
        _send_append(state, peer, ())
        sent = True
    if sent:
        peer.sent_s = now_s
    peer.dirty = peer.forced = False


def _lacks_commit(state: State, peer: Progress) -> bool:
    return peer.state is ProgressState.REPLICATE and peer.commit_sent < min(state.commit, peer.next - 1)


def _send_append(state: State, peer: Progress, items: tuple[LogItem, ...]) -> None:
    prev_index = LogIndex(peer.next - 1)
    append = Append(
        epoch=state.hard.epoch,
        term=state.hard.term,
        to=peer.seat.store,
        by=state.me.store,
        prev_index=prev_index,
        prev_term=state.log.term_at(prev_index),
        commit=state.commit,
        round=state.round,
        items=items,
    )
    state.before_store.append((peer.seat, append))
    peer.commit_sent = max(peer.commit_sent, LogIndex(min(state.commit, prev_index + len(items))))


def on_append_answer(state: State, sender: Seat, answer: AppendAnswer, now_s: float) -> None:
    """A follower answered in this leader's term."""
    peer = state.progress.get(sender)
    if peer is None:
        return
    last = state.log.last_index
    if answer.match > last:
        state.counters["answer_beyond_log"] += 1
        return
    peer.heard_s = now_s
    peer.answered = True
    peer.round = max(peer.round, answer.round)
    peer.commit = max(peer.commit, answer.commit)
    if answer.ok:
        if peer.acknowledged(answer.match):
            advance_commit(state)
        peer.dirty = peer.dirty or peer.next <= last or peer.commit_sent < state.commit
        if state.transfer_to == sender and peer.match == last:
            send_timeout_now(state, peer)
    elif peer.refused(answer.match, state.log.last_of_term(answer.hint_index, answer.hint_term)):
        peer.dirty = True
    reads.confirm(state)
    if peer.standing is Standing.DEPARTING and peer.commit >= state.log.configuration.index:
        del state.progress[sender]  # it knows that it was removed


def advance_commit(state: State) -> None:
    """Matches or voters changed: what a majority has on disk now is committed."""
    index = state.quorum_match()
    if index <= state.commit or not _of_this_term(state, index):
        return
    state.commit = index
    for peer in state.progress.values():
        peer.dirty = True
    if state.commit >= state.log.configuration.index and not state.is_voter:
        state.retiring = True


def _of_this_term(state: State, index: LogIndex) -> bool:
    # Counting copies commits only an item of the leader's own term, and with it all before (Raft paper §5.4.2).
    return state.log.term_at(index) == state.term


def _retire(state: State, now_s: float) -> None:
    """This leader is no voter any more, which is committed (dissertation §4.2.2): the best of the others takes over."""
    voters = [peer for peer in state.progress.values() if peer.standing is Standing.VOTER]
    best = max(voters, key=lambda peer: peer.match, default=None)
    if best is not None and best.match == state.log.last_index:
        send_timeout_now(state, best)
    state.follow(state.term, None, now_s)


def send_timeout_now(state: State, peer: Progress) -> None:
    message = TimeoutNow(epoch=state.hard.epoch, term=state.term, to=peer.seat.store, by=state.me.store)
    # It reports nothing but a term that was durable before this node led in it; and a leader lets go because its disk
    # stands still, too.
    state.before_store.append((peer.seat, message))


# --- the follower -----------------------------------------------------------------------------------------------------


def on_append(state: State, sender: Seat, append: Append, now_s: float) -> None:
    """Items or a heartbeat of the leader of this term."""
    if state.role is Role.LEADER:
        state.counters["second_leader"] += 1  # elections allow one a term: somebody breaks the rules
        return
    if state.leader != sender or state.role is not Role.FOLLOWER:
        state.follow(state.term, sender, now_s)
    state.leader_heard_s = now_s
    state.election_at = now_s + state.patience_s
    if not state.log.matches(append.prev_index, append.prev_term):
        _answer(state, sender, append, ok=False)
        return
    if not _take(state, append.items):
        return
    last_new = append.prev_index + len(append.items)
    # Behind the last item of the message the logs may still differ (Raft paper, figure 2: "index of last new entry").
    state.commit = max(state.commit, LogIndex(min(append.commit, last_new)))
    _answer(state, sender, append, ok=True)


def refuse_old_leader(state: State, sender: Seat, append: Append) -> None:
    """An Append of an older term: the answer carries the newer one.

    Without it a voter that got ahead alone could never be reached: its pre-votes find nobody, and it takes no Appends.
    """
    _answer(state, sender, append, ok=False)


def _answer(state: State, sender: Seat, append: Append, *, ok: bool) -> None:
    log = state.log
    hint_index, hint_term = LogIndex(0), Term(0)
    if ok:
        match = LogIndex(append.prev_index + len(append.items))
    else:
        match = append.prev_index
        hint_index = log.last_of_term(append.prev_index, append.prev_term)
        hint_term = log.term_at(hint_index)
    answer = AppendAnswer(
        epoch=state.hard.epoch,
        term=state.hard.term,
        to=append.by,
        by=state.me.store,
        ok=ok,
        match=match,
        hint_index=hint_index,
        hint_term=hint_term,
        commit=state.commit,
        round=append.round,
    )
    state.send(sender, answer)


def take_committed(state: State, items: Sequence[LogItem], commit: LogIndex, now_s: float) -> None:
    """Committed items came another way than from the leader, who knows them all and needs none."""
    news = [item for item in items if state.commit < item.index <= commit]
    if not news or (state.role is Role.LEADER and news[-1].term <= state.term):
        return
    before = state.log.term_at(state.commit)
    for at, item in enumerate(news):
        if item.index != state.commit + 1 + at or item.term < before:
            state.counters["committed_with_gap"] += 1
            return
        before = item.term
    if state.role is not Role.FOLLOWER or before > state.term:
        state.follow(max(before, state.term), None, now_s)
    if _take(state, news):
        state.commit = news[-1].index


def _take(state: State, items: Sequence[LogItem]) -> bool:
    """Makes the log hold these items, whose predecessor it holds. False: they contradict what is committed."""
    log = state.log
    for item in items:
        if item.index <= log.last_index and log.term_at(item.index) != item.term:
            if item.index <= max(state.commit, log.handed_out):
                state.counters["contradiction_of_committed"] += 1
                return False
            state.cut(item.index)
        if item.index > log.last_index:
            log.append(item)
    return True
