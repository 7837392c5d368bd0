"""Spoilt parts of the consensus and the ledger: one rule left out each, and the node else as it is.

Each is what somebody once got wrong: a vote that a power loss forgets, an acknowledgement from an older term, a voter
change that a new leader proposes once more. The functions below stand in the place of the node's own while a mutant
is at work, and so reach into what is private to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.consensus import election, membership, reads, replication
from roosync_p2p.consensus.items import LogItem, Seat
from roosync_p2p.consensus.log import Configuration, Log
from roosync_p2p.consensus.messages import AppendAnswer, Message
from roosync_p2p.consensus.raft import Raft, Ready
from roosync_p2p.consensus.state import Role, State
from roosync_p2p.consensus.writes import HardState
from roosync_p2p.core.commit import applier, order
from roosync_p2p.core.commit.applier import Applier
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.commit.proposer import Proposer
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.entries.entry import Entry
from roosync_p2p.ids import EntryId, LogIndex
from roosync_p2p.ledger.apply import apply as _apply
from roosync_p2p.ledger.cursors import Take
from roosync_p2p.ledger.outcomes import Applied, Outcome
from roosync_p2p.ledger.state import State as LedgerState
from roosync_p2p.trust.certificates import parse_machine_certificate

__all__ = ["SPOILT", "Exchange"]

Exchange = tuple[object, str, object]  # an attribute of a module or a class, and what stands there instead


# --- elections ----------------------------------------------------------------------------------------------------


def _campaigns_at_once(state: State, now_s: float) -> None:
    """Nobody is asked before a new term is begun."""
    election._campaign(state, now_s, transfer=False)  # noqa: SLF001 - a mutant


def _forgotten(_hard: HardState) -> MetaRow:
    """Term and vote are written where nobody reads them."""
    return MetaRow(key="raft.forgotten", value=b"")


# --- replication --------------------------------------------------------------------------------------------------

_send = Order._send  # noqa: SLF001 - a mutant
_received = Raft.received
_ready = Raft.ready


def _sends_before_sync(self: Order, seat: Seat, message: Message, _after: Ticket) -> None:
    """Votes and acknowledgements leave before they are durable."""
    _send(self, seat, message, Ticket(0))


def _counts_every_answer(self: Raft, sender: Seat, message: Message, now_s: float) -> None:
    """An acknowledgement of an older term is taken for one of this."""
    if isinstance(message, AppendAnswer) and message.ok and message.term < self.status.term:
        message = msgspec.structs.replace(message, term=self.status.term)
    _received(self, sender, message, now_s)


def _reads_unconfirmed(state: State) -> None:
    """A leader answers reads without asking whether it still leads."""
    state.reads_done += [(read, state.commit) for read in state.reads_waiting]
    state.reads_waiting.clear()


# --- voters -------------------------------------------------------------------------------------------------------

_PROPOSED: Final = "_proposed_again_in"


def _proposes_again(self: Raft) -> Ready | None:
    """A new leader proposes a voter change again that was made, and replaced by another one, before its time."""
    state = self._state
    configurations = state.log._configurations  # noqa: SLF001 - a mutant
    leads = state.role is Role.LEADER and state.commit >= state.led_from
    if leads and len(configurations) > 2 and getattr(self, _PROPOSED, 0) != state.term:
        setattr(self, _PROPOSED, state.term)
        before, stale = configurations[-3:-1]
        if configurations[-1].index <= state.commit and state.me in stale.voters:
            change = membership._sealed(  # noqa: SLF001 - a mutant
                state,
                stale.voters,
                replaces=before.index,
                time_ms=_time_ms(state),
                seal=self._seal,
            )
            replication.append_own(state, change)
            replication.sync_progress(state, self._now_s)
    return _ready(self)


def _time_ms(state: State) -> int:
    """Of the newest item that has one: commit time does not go back by this."""
    log = state.log
    items = log.items(LogIndex(1), count_max=log.last_index, bytes_max=1 << 40)
    return max(int(getattr(item.payload, "time_ms", 0)) for item in items)


def _takes_every_change(self: Log, item: LogItem) -> None:
    """Whatever configuration a change replaces, it takes effect."""
    voters = getattr(item.payload, "voters", ())
    self._configurations.append(Configuration(item.index, voters))


# --- the ledger ---------------------------------------------------------------------------------------------------


def _inherits_nothing(self: Proposer, _batches: Iterable[Iterable[EntryId]]) -> None:
    """A new leader does not look at the tail that it took over."""
    self._tail.clear()
    self._stuck.clear()


def _takes_everything(_state: LedgerState, _entry: Entry, *, root: bytes) -> Take:  # noqa: ARG001 - the cursor's rule
    """What has a number gets another one."""
    return Take.NEXT


_entry = Applier._entry  # noqa: SLF001 - a mutant


def _asks_the_directory(self: Applier, item: LogItem, time_ms: int, entry: Entry) -> None:
    """Authority is what this node's directory says at the time that this node's clock shows."""
    desk = self._desk
    certificate = parse_machine_certificate(desk.directory.members[entry.author].leaf)
    valid = certificate.not_before_s * 1000 <= desk.now.wall_ms

    def judged(*args: object, **kwargs: object) -> Applied:
        applied = _apply(*args, **kwargs)  # type: ignore[arg-type]  # as it came
        return (
            applied if valid else Applied(outcome=Outcome(accepted=False, reason="not_valid"), changes=applied.changes)
        )

    applier.apply = judged  # type: ignore[attr-defined]  # for this entry
    try:
        _entry(self, item, time_ms, entry)
    finally:
        applier.apply = _apply  # type: ignore[attr-defined]  # for this entry


SPOILT: Final[dict[str, tuple[Exchange, ...]]] = {
    "no-pre-vote": ((election, "_ask_before", _campaigns_at_once),),
    "term-not-persisted": ((order, "_hard_row", _forgotten),),
    "acknowledge-before-sync": ((Order, "_send", _sends_before_sync),),
    "older-acknowledgements-count": ((Raft, "received", _counts_every_answer),),
    "unconfirmed-reads": ((reads, "begin_round", _reads_unconfirmed),),
    "stale-voters-proposed-again": ((Raft, "ready", _proposes_again), (Log, "_reconfigure", _takes_every_change)),
    "ordered-twice": (
        (Proposer, "inherit", _inherits_nothing),
        (applier, "takes", _takes_everything),
        (limits, "ITEMS_IN_FLIGHT_MAX", 1 << 20),
    ),
    "apply-asks-the-directory": ((Applier, "_entry", _asks_the_directory),),
}
