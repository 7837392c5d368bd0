"""Linearizable reads without a log item (dissertation §6.4; docs/protocol/consensus.md §4.6).

A leader answers a read with its commit index, once it has committed an item of its own term and a majority has
answered an Append sent after the read came: a leader that was paused and replaced in the meantime finds that out
here. Reads that come together share one round. The reader waits until it has applied up to the index.
"""

from __future__ import annotations

from collections.abc import Hashable

from roosync_p2p import limits
from roosync_p2p.consensus.progress import Standing
from roosync_p2p.consensus.state import Read, Role, State

__all__ = ["ask", "begin_round", "confirm"]


def ask(state: State, read: Hashable) -> None:
    """A read came. It fails at once where nobody leads, or when too many wait."""
    waiting = len(state.reads_waiting) + len(state.reads_confirming)
    if state.role is not Role.LEADER or waiting >= limits.READS_PENDING_MAX:
        state.reads_done.append((read, None))
    else:
        state.reads_waiting.append(read)


def begin_round(state: State) -> None:
    """The reads that came since the last drain go into the next round, if the leader knows what is committed."""
    # Before its first commit a new leader may not know of items that its predecessor committed and answered for.
    if not state.reads_waiting or state.commit < state.led_from:
        return
    state.round += 1
    state.reads_confirming.extend(Read(read, state.round, state.commit) for read in state.reads_waiting)
    state.reads_waiting.clear()
    for peer in state.progress.values():
        peer.forced = peer.forced or peer.standing is Standing.VOTER
    confirm(state)  # a leader that is the only voter asks nobody


def confirm(state: State) -> None:
    """Answers came: reads whose round a majority confirmed are done."""
    pending = state.reads_confirming
    if not pending:
        return
    confirmed = state.quorum_round()
    while pending and pending[0].round <= confirmed:
        read = pending.popleft()
        state.reads_done.append((read.id, read.index))
