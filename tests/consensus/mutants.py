"""Rafts with one rule broken each, to see that the checks can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from roosync_p2p.consensus import election, membership, quorum, reads, replication
from roosync_p2p.consensus.items import Seat
from roosync_p2p.consensus.log import Log
from roosync_p2p.consensus.messages import AppendAnswer, Message
from roosync_p2p.consensus.raft import Raft
from roosync_p2p.consensus.state import Refusal, Role, State
from roosync_p2p.consensus.writes import HardState
from roosync_p2p.ids import LogIndex
from tests.consensus.cluster import Disk

__all__ = ["MUTANTS", "Break", "no_pre_vote"]

Break = Callable[[pytest.MonkeyPatch], None]


def _term_not_persisted(patch: pytest.MonkeyPatch) -> None:
    """Term and vote are kept in memory only."""
    real = Disk.sync

    def sync(disk: Disk) -> int | None:
        hard: HardState = disk.hard
        mark = real(disk)
        disk.hard = hard
        return mark

    patch.setattr(Disk, "sync", sync)


def _own_match_before_stored(patch: pytest.MonkeyPatch) -> None:
    """The leader counts its own copy before its disk has it."""

    def quorum_match(state: State) -> LogIndex:
        last = state.log.last_index
        return LogIndex(
            quorum.reached([last if seat == state.me else state.progress[seat].match for seat in state.voters])
        )

    patch.setattr(State, "quorum_match", quorum_match)


def _answers_before_stored(patch: pytest.MonkeyPatch) -> None:
    """A follower acknowledges before its disk has it."""
    real = State.send

    def send(state: State, to: Seat, message: Message) -> None:
        if isinstance(message, AppendAnswer):
            state.before_store.append((to, message))
        else:
            real(state, to, message)

    patch.setattr(State, "send", send)


def _old_acknowledgements_counted(patch: pytest.MonkeyPatch) -> None:
    """Acknowledgements of an older term count."""
    real = Raft.received

    def received(raft: Raft, sender: Seat, message: Message, now_s: float) -> None:
        state = raft._state
        old = isinstance(message, AppendAnswer) and message.term < state.term
        if isinstance(message, AppendAnswer) and old and state.role is Role.LEADER:
            replication.on_append_answer(state, sender, message, now_s)
        else:
            real(raft, sender, message, now_s)

    patch.setattr(Raft, "received", received)


def _old_items_committed_by_counting(patch: pytest.MonkeyPatch) -> None:
    """Items of older terms are committed by counting copies (figure 8)."""
    patch.setattr(replication, "_of_this_term", lambda _state, _index: True)


def _votes_for_old_logs(patch: pytest.MonkeyPatch) -> None:
    """A vote does not look at the candidate's log."""
    patch.setattr(Log, "up_to_date", lambda _log, _index, _term: True)


def _votes_twice(patch: pytest.MonkeyPatch) -> None:
    """A voter forgets within a term for whom it voted."""
    patch.setattr(
        election,
        "_would_vote",
        lambda state, _sender, request: state.log.up_to_date(request.last_index, request.last_term),
    )


def _reads_without_asking(patch: pytest.MonkeyPatch) -> None:
    """A leader answers reads without a word from the others."""

    def begin_round(state: State) -> None:
        state.reads_done += [(read, state.commit) for read in state.reads_waiting]
        state.reads_waiting.clear()

    patch.setattr(reads, "begin_round", begin_round)


def _several_changes_at_once(patch: pytest.MonkeyPatch) -> None:
    """Voter changes do not wait for the one before, nor for a first commit."""

    def refuse(state: State, _replaces: LogIndex) -> Refusal | None:
        return None if state.role is Role.LEADER and state.transfer_to is None else Refusal.NOT_LEADER

    patch.setattr(membership, "_refuse_change", refuse)


def _majority_of_half(patch: pytest.MonkeyPatch) -> None:
    """Half of the voters are enough."""
    patch.setattr(quorum, "reached", lambda values: sorted(values)[len(values) // 2])


def _cut_configuration_stays(patch: pytest.MonkeyPatch) -> None:
    """A configuration stays in force when the log is cut below it."""
    real = Log.cut

    def cut(log: Log, first: LogIndex) -> None:
        before = list(log._configurations)
        real(log, first)
        log._configurations = before

    patch.setattr(Log, "cut", cut)


def no_pre_vote(patch: pytest.MonkeyPatch) -> None:
    """A voter that hears nothing takes a new term each time: harmless for safety, not for those who work."""
    patch.setattr(election, "_ask_before", lambda state, now_s: election._campaign(state, now_s, transfer=False))


# Each with the seed from which on to look; that of the history that found it last.
MUTANTS: Final[list[tuple[Break, int]]] = [
    (_term_not_persisted, 0),
    (_own_match_before_stored, 7),
    (_answers_before_stored, 4),
    (_old_acknowledgements_counted, 137),
    (_old_items_committed_by_counting, 214),
    (_votes_for_old_logs, 9),
    (_votes_twice, 87),
    (_reads_without_asking, 25),
    (_several_changes_at_once, 22),
    (_majority_of_half, 17),
    (_cut_configuration_stays, 32),
]
